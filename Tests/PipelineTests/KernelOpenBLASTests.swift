import COpenBLAS
import RaDialogPipeline
import Testing

/// Our matrix product beside OpenBLAS, at shapes the full-size model has (rows kept few).
struct KernelOpenBLASTests {
    struct Shape: Sendable, CustomTestStringConvertible {
        let what: String
        let rows, outputs, inputs: Int
        var testDescription: String { what }
    }

    static let shapes = [
        Shape(what: "LLaMA attention projection", rows: 7, outputs: 4096, inputs: 4096),
        Shape(what: "LLaMA feed-forward, down", rows: 3, outputs: 4096, inputs: 11008),
        Shape(what: "decoding one token", rows: 1, outputs: 11008, inputs: 4096),
        Shape(what: "ResNet stage 4, 1x1", rows: 196, outputs: 512, inputs: 2048),
        Shape(what: "nothing even", rows: 61, outputs: 509, inputs: 1021),
    ]

    @Test(arguments: shapes)
    func `a product agrees with OpenBLAS`(_ shape: Shape) throws {
        var numbers = SeededNumbers(UInt64(shape.inputs))
        let x = numbers.floats(shape.rows * shape.inputs)
        let weights = numbers.floats(shape.outputs * shape.inputs)
        var peer = [Float](repeating: 0, count: shape.rows * shape.outputs)
        cblas_sgemm(
            CblasRowMajor, CblasNoTrans, CblasTrans, Int32(shape.rows), Int32(shape.outputs), Int32(shape.inputs), 1, x, Int32(shape.inputs),
            weights, Int32(shape.inputs), 0, &peer, Int32(shape.outputs))
        let size = KernelProductTests.Product(rows: shape.rows, outputs: shape.outputs, inputs: shape.inputs)
        let layer = try KernelProductTests().makeLinear(size, weights, bias: nil)
        let ours = layer(try KernelPool(threads: 2), Activations(rows: shape.rows, columns: shape.inputs, values: x)).array
        #expect(relativeError(ours, peer) < 1e-5)
    }
}
