public import ReportModel

// What a person looks at: an activation map over the film it speaks of. HeatMapPicture.swift draws it.

/// A label's activation map, and the film it belongs to.
public struct HeatMap: Sendable {
    public let label: FindingLabel
    /// The classifier's score of the label, 0...1.
    public let score: Double
    public let threshold: Double
    /// On the classifier's grid.
    public let map: ActivationMap
    let film: MappedFilm

    package init(label: FindingLabel, score: Double, threshold: Double, map: ActivationMap, film: MappedFilm) {
        self.label = label
        self.score = score
        self.threshold = threshold
        self.map = map
        self.film = film
    }

    /// The map at the film's own size: bilinear between the cells' centres, nothing outside the classifier's crop.
    ///
    /// As large as the film, four bytes a pixel; computed anew at every call.
    public func fullSize() -> FilmMap {
        film.geometry.resample(map, rows: film.geometry.rows, columns: film.geometry.columns)
    }
}

/// An activation map on a raster over the whole film.
public struct FilmMap: Sendable, Equatable {
    public let rows: Int
    public let columns: Int
    /// Row-major, 0...1; NaN where the classifier did not look.
    public let values: [Float]
    /// The pixels that have values: the classifier's crop.
    public let mappedRows: Range<Int>
    public let mappedColumns: Range<Int>
}

/// What the heat maps of one film share.
package struct MappedFilm: Sendable {
    let geometry: MapGeometry
    /// As rendered for the model, the longer side at most `largestSide`.
    let picture: GrayImage
    /// Of the bundle that made the maps.
    let kind: BundleKind

    package static let largestSide = 1024

    /// - Parameter rendered: the whole film, as `Rendering` makes it.
    package init(rendered: GrayImage, preprocessing: BundleManifest.Preprocessing, kind: BundleKind) throws(PreprocessError) {
        geometry = MapGeometry(rows: rendered.rows, columns: rendered.columns, preprocessing: preprocessing)
        self.kind = kind
        let longer = max(rendered.rows, rendered.columns)
        guard longer > Self.largestSide else {
            picture = rendered
            return
        }
        func reduced(_ length: Int) -> Int { max(1, (length * Self.largestSide + longer / 2) / longer) }
        picture = try rendered.resized(rows: reduced(rendered.rows), columns: reduced(rendered.columns))
    }
}

extension RaDialogPipeline {
    /// Heat maps of the findings that have an activation map, over the film that they were made of.
    ///
    /// Runs no part of the model: `findings` may come from a draft of long ago. Blocks for as long as rendering takes.
    /// - Parameter renderedSHA256: the draft's; nil where the findings were made of `radiograph` itself.
    /// - Throws: `HeatMapError.otherFilm` where the draft was made of another film, or of the same one rendered otherwise;
    ///   `PreprocessError`.
    public func heatMaps(over radiograph: Radiograph, findings: [Finding], renderedSHA256: String? = nil) throws -> [HeatMap] {
        let vision = try requireVision()
        let mapped = findings.filter { $0.activationMap != nil }
        guard !mapped.isEmpty else { return [] }
        let rendered = try Rendering.render(radiograph, vision.rendering)
        if let renderedSHA256, rendered.sha256 != renderedSHA256 { throw HeatMapError.otherFilm }
        let film = try MappedFilm(rendered: rendered, preprocessing: vision.manifest.preprocessing, kind: bundle.kind)
        return mapped.compactMap { finding in
            finding.activationMap.map {
                HeatMap(label: finding.label, score: finding.score, threshold: finding.threshold, map: $0, film: film)
            }
        }
    }

    /// The classifier alone: all labels, with the maps asked for. Takes its turn beside drafts that are being made.
    /// - Throws: `PreprocessError`, `PipelineError`.
    public func findings(
        in radiograph: Radiograph, maps: ActivationMapSelection, urgency: Urgency = .routine, isCancelled: () -> Bool = { false }
    ) throws -> [Finding] {
        func check() throws { if isCancelled() { throw PipelineError.cancelled } }
        let vision = try requireVision()
        let input = try vision.input(radiograph)
        return try scheduler.alone(urgency, check: check) {
            try vision.classifier(pool, plane: input.classifier, side: input.classifierSide, maps: maps) {
                try check()
                scheduler.giveWay(urgency, check: check)
            }.findings
        }
    }
}
