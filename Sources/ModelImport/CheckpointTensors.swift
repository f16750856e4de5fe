package import RaDialogPipeline

/// Tensors by name in a checkpoint. Unlike `TensorSource`, asking may fail: a shard is opened when it is needed, and a tensor may be
/// one that this program refuses to read.
package protocol CheckpointTensors: Sendable {
    /// For messages: the file or the folder.
    var path: String { get }
    /// Every tensor, sorted. Names of tensors that cannot be read stand here too: asking for one says why.
    var names: [String] { get }
    /// - Throws: `ImportError.missingTensor` and what opening a shard throws.
    func shape(of name: String) throws(ImportError) -> [Int]
    /// The tensor in place, or a copy where it does not lie in one piece.
    /// - Throws: `ImportError.missingTensor`, `.refusedGlobal`, `.tooLarge`, and what opening a shard throws.
    func view(_ name: String) throws(ImportError) -> TensorView
}

extension CheckpointTensors {
    /// The tensor, which has to have exactly this shape.
    package func view(_ name: String, shape: [Int]) throws(ImportError) -> TensorView {
        let found = try self.shape(of: name)
        guard found == shape else { throw .wrongShape(path: path, name: name, found: found, expected: shape) }
        return try view(name)
    }
}

extension Safetensors: CheckpointTensors {
    package func shape(of name: String) throws(ImportError) -> [Int] { try view(name).shape }

    package func view(_ name: String) throws(ImportError) -> TensorView {
        guard let view = find(name) else { throw .missingTensor(path: path, name: name) }
        return view
    }
}

/// Opens one checkpoint file by its content: safetensors, a PyTorch zip, or PyTorch's older layout.
/// - Parameter key: the key of the file's dictionary under which its tensors stand ("state_dict", "model"); nil where it is the
///   dictionary itself. Safetensors have no such level, and `key` is not looked at.
package func openCheckpoint(path: String, under key: String? = nil) throws(ImportError) -> any CheckpointTensors {
    try openCheckpoint(file: mapFile(path), under: key)
}

func openCheckpoint(file: MappedFile, under key: String?) throws(ImportError) -> any CheckpointTensors {
    // A safetensors header is JSON behind an 8-byte length; neither PyTorch layout has a brace there.
    if file.count > 8, file.bytes[8] == UInt8(ascii: "{"), !ZipArchive.isZip(file.bytes), !LegacyCheckpoint.isLegacy(file.bytes) {
        do throws(WeightsError) {
            return try Safetensors(file: file)
        } catch {
            throw ImportError(error)
        }
    }
    return try TorchCheckpoint(file: file, under: key)
}

func mapFile(_ path: String) throws(ImportError) -> MappedFile {
    do throws(WeightsError) {
        return try MappedFile(path: path)
    } catch {
        throw ImportError(error)
    }
}
