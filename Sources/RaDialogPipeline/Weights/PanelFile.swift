/// A language model's file in panels: safetensors, in which the matrix `NAME` is the tensor `NAME@TYPE` of bytes (`lm_head.weight@Q8_0`), and norms are
/// plain. Every tensor begins at a multiple of 64 bytes of the file.
package struct PanelFile: TensorSource {
    private let file: Safetensors
    /// The stored name of a matrix, and its type.
    private let matrices: [String: (stored: String, type: BlockType)]

    package var path: String { file.path }
    package var names: [String] { (file.names.filter { !$0.contains(Self.mark) } + matrices.keys).sorted() }

    package static let mark: Character = "@"

    package static func storedName(_ name: String, _ type: BlockType) -> String { "\(name)\(mark)\(type)" }

    /// - Throws: `WeightsError.malformed` for a type that cannot be packed, and for a matrix that stands twice.
    package init(file mapped: MappedFile) throws(WeightsError) {
        file = try Safetensors(file: mapped)
        var matrices: [String: (stored: String, type: BlockType)] = [:]
        for stored in file.names {
            guard let mark = stored.lastIndex(of: Self.mark) else { continue }
            let (name, typeName) = (String(stored[..<mark]), stored[stored.index(after: mark)...])
            guard let type = BlockType.allCases.first(where: { $0.description == typeName }), file.find(stored)?.type == .u8 else {
                throw .malformed(path: mapped.path, reason: "tensor \"\(stored.prefix(200))\" is no matrix in panels of a known type")
            }
            guard matrices.updateValue((stored, type), forKey: name) == nil else {
                throw .malformed(path: mapped.path, reason: "matrix \"\(name.prefix(200))\" stands twice")
            }
        }
        self.matrices = matrices
    }

    /// What the matrix's numbers were before they were packed; nil for what is no matrix.
    package func type(of name: String) -> BlockType? { matrices[name]?.type }

    package func find(_ name: String) -> TensorView? { matrices[name] == nil ? file.find(name) : nil }

    package func panels(_ name: String, rows: Int, columns: Int) throws(WeightsError) -> PanelMatrix? {
        guard let (stored, type) = matrices[name], let view = file.find(stored) else { return nil }
        return try PanelMatrix(mapped: view, type, rows: rows, columns: columns)
    }

    /// A matrix is unpacked.
    package func floats(_ name: String, shape: [Int]) throws(WeightsError) -> FloatTensor {
        guard matrices[name] != nil else { return try FloatTensor(try tensor(name, shape: shape)) }
        guard shape.count == 2, let matrix = try panels(name, rows: shape[0], columns: shape[1]) else { throw .missingTensor(path: path, name: name) }
        do {
            return try FloatTensor(shape: shape) { storage in
                guard let base = storage.baseAddress else { return }
                for row in 0..<matrix.rows { matrix.dequantizeRow(row, into: base + row * matrix.columns) }
            }
        } catch {
            throw .cannotRead(path: path, reason: "\(error)")
        }
    }
}
