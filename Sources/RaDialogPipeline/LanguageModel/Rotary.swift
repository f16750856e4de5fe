internal import CKernels
import Glibc

/// The angles of the rotary embedding: position * theta^(-2i / headDimension), i < headDimension / 2, each frequency scaled as the
/// model was trained for a longer context.
struct Rotary: Sendable {
    private let headDimension: Int
    /// [positions, headDimension / 2]
    private let cosines: FloatTensor
    private let sines: FloatTensor

    /// The angle is a product of singles, as in the implementation the models were trained with: at position 4000 that differs
    /// from the exact angle by more than a single's rounding.
    /// - Throws: `PipelineError.outOfResources`.
    init(_ manifest: BundleManifest.LanguageModel) throws {
        let positions = manifest.context
        let half = manifest.headDimension / 2
        let frequencies = (0..<half).map { index in
            let exact = 1 / pow(manifest.ropeTheta, Double(2 * index) / Double(manifest.headDimension))
            return Float(manifest.ropeScaling.frequency(exact))
        }
        headDimension = manifest.headDimension
        func table(_ function: (Double) -> Double) throws -> FloatTensor {
            try FloatTensor(shape: [positions, half]) { storage in
                for position in 0..<positions {
                    for (index, frequency) in frequencies.enumerated() {
                        storage[position * half + index] = Float(function(Double(Float(position) * frequency)))
                    }
                }
            }
        }
        cosines = try table(cos)
        sines = try table(sin)
    }

    func rotate(_ pool: KernelPool, _ x: UnsafeMutablePointer<Float>, rows: Int, heads: Int, first: Int) {
        ck_rotate(pool.handle, x, rows, heads, headDimension, first, cosines.pointer, sines.pointer)
    }
}

extension BundleManifest.RopeScaling {
    /// What becomes of one of the embedding's frequencies, in radians per position.
    func frequency(_ frequency: Double) -> Double {
        switch self {
        case .unscaled: return frequency
        case .linear(let factor): return frequency / factor
        case .llama3(let factor, let lowFactor, let highFactor, let originalContext):
            // Long waves are stretched, short ones kept, and those between get a mixture (Llama 3.1's rule).
            let wavelength = 2 * Double.pi / frequency
            if wavelength < Double(originalContext) / highFactor { return frequency }
            if wavelength > Double(originalContext) / lowFactor { return frequency / factor }
            let kept = (Double(originalContext) / wavelength - lowFactor) / (highFactor - lowFactor)
            return (1 - kept) * frequency / factor + kept * frequency
        }
    }
}
