import ReportModel

// Where the cells of an activation map lie on the film.
//
//     film  --Resize-->  shorter side of 512  --CenterCrop-->  488 x 488  --network-->  16 x 16 cells
//
// All coordinates are continuous, with pixel i from i to i + 1, as Pillow, torchvision and PyTorch's `align_corners=False` count them.
// A cell stands for its equal share of the crop (hi-ml shows BioViL's similarity maps so). The network's strides would put the centre
// of cell k on pixel 32 k instead; at the edges the padding pulls what a cell sees inwards, and the centroids of the input gradients
// of the demonstration bundle lie nearer to the equal shares: 5.6 pixels of 244 (root mean square) against 7.7 on noise, 11.3
// against 14.9 on three films.

/// From points of the film to points of the classifier's crop.
struct MapGeometry: Sendable, Equatable {
    /// Of the film.
    let rows: Int
    let columns: Int
    private let vertical: Axis
    private let horizontal: Axis

    /// - Parameters: the film's size, both 1 or more, and what `ModelInput` does to it.
    init(rows: Int, columns: Int, preprocessing: BundleManifest.Preprocessing) {
        let resized = GrayImage.resizedSize(rows: rows, columns: columns, shorterSide: preprocessing.shorterSide)
        let side = preprocessing.classifierSide
        self.rows = rows
        self.columns = columns
        vertical = Axis(length: rows, resized: resized.rows, side: side)
        horizontal = Axis(length: columns, resized: resized.columns, side: side)
    }

    /// `map` at the pixels of a picture of the whole film that has `rows` x `columns` of them.
    func resample(_ map: ActivationMap, rows: Int, columns: Int) -> FilmMap {
        let across = horizontal.samples(columns, cells: map.columns)
        let down = vertical.samples(rows, cells: map.rows)
        var values = [Float](repeating: .nan, count: rows * columns)
        values.withUnsafeMutableBufferPointer { values in
            for (row, y) in zip(down.pixels, down.taps) {
                let (upper, lower) = (y.first * map.columns, y.second * map.columns)
                for (column, x) in zip(across.pixels, across.taps) {
                    let above = map.values[upper + x.first] * (1 - x.share) + map.values[upper + x.second] * x.share
                    let below = map.values[lower + x.first] * (1 - x.share) + map.values[lower + x.second] * x.share
                    values[row * columns + column] = above * (1 - y.share) + below * y.share
                }
            }
        }
        return FilmMap(rows: rows, columns: columns, values: values, mappedRows: down.pixels, mappedColumns: across.pixels)
    }
}

/// One direction.
private struct Axis: Sendable, Equatable {
    /// Pixels of the film.
    let length: Int
    /// Pixels after resizing.
    let resized: Int
    /// Where the crop starts in those; negative where it begins with padding.
    let offset: Int
    let side: Int

    init(length: Int, resized: Int, side: Int) {
        self.length = length
        self.resized = resized
        self.side = side
        offset = GrayImage.cropOffset(length: resized, side: side).offset
    }

    /// The two cells that make one pixel, and how much of it is the second's.
    struct Tap {
        let first: Int
        let second: Int
        let share: Float
    }

    /// Which of `count` equal pixels over the film's whole length have their centre in the crop, and what they are made of. Beyond the
    /// outermost cells' centres the map goes on as it is there.
    func samples(_ count: Int, cells: Int) -> (pixels: Range<Int>, taps: [Tap]) {
        var pixels = 0..<0
        var taps: [Tap] = []
        for pixel in 0..<count {
            let inCrop = (Double(pixel) + 0.5) / Double(count) * Double(resized) - Double(offset)
            guard inCrop >= 0, inCrop <= Double(side) else { continue }
            let position = min(max(inCrop / Double(side) * Double(cells) - 0.5, 0), Double(cells - 1))
            let first = min(Int(position), max(cells - 2, 0))
            taps.append(Tap(first: first, second: min(first + 1, cells - 1), share: Float(position - Double(first))))
            pixels = (taps.count == 1 ? pixel : pixels.lowerBound)..<pixel + 1
        }
        return (pixels, taps)
    }
}
