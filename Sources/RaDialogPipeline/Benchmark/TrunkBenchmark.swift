/// Times the two convolutional trunks alone, one film or several together, as the bundle computes them.
package final class TrunkBenchmark {
    private let vision: VisionModel
    private let pool: KernelPool

    init(_ vision: VisionModel, pool: KernelPool) {
        self.vision = vision
        self.pool = pool
    }

    /// Sides of the encoder's and of the classifier's images.
    package var sides: [Int] { [vision.manifest.preprocessing.encoderSide, vision.manifest.preprocessing.classifierSide] }

    /// Seconds of the encoder's trunk (`index` 0) or the classifier's (1) over `images` films of its side.
    package func seconds(_ index: Int, images: Int) throws -> Double {
        let side = sides[index]
        let plane = (0..<side * side).map { Float($0 % 251) / 251 }
        let trunk = index == 0 ? vision.encoder.trunk : vision.classifier.encoder.trunk
        var watch = Stopwatch()
        _ = try trunk(pool, planes: Array(repeating: plane, count: images), side: side) {}
        return watch.lap()
    }
}
