import Glibc
package import RaDialogPipeline
import Synchronization

/// A folder of Hugging Face files, opened by plain names only: what an index names cannot lead out of the folder, and no link is followed.
final class CheckpointFolder: Sendable {
    let path: String
    private let descriptor: Int32

    init(_ path: String) throws(ImportError) {
        self.path = path
        descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw .cannotRead(path: path, reason: "\(Self.text(errno)); a folder is expected") }
    }

    deinit { close(descriptor) }

    /// Maps one file; nil where the folder has none of that name.
    func map(_ name: String) throws(ImportError) -> MappedFile? {
        let filePath = "\(path)/\(name)"
        guard Self.isPlain(name) else { throw .cannotRead(path: filePath, reason: "\"\(name.prefix(200))\" is not a plain file name") }
        // O_NONBLOCK: a FIFO of that name must not hold us up; it is refused as not regular.
        let file = openat(descriptor, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
        guard file >= 0 else {
            switch errno {
            case ENOENT: return nil
            case ELOOP:
                throw .cannotRead(
                    path: filePath, reason: "it is a symbolic link, as in a download cache; copy the file itself into the folder (huggingface-cli download --local-dir)")
            default: throw .cannotRead(path: filePath, reason: Self.text(errno))
            }
        }
        defer { close(file) }
        do throws(WeightsError) {
            return try MappedFile(descriptor: file, path: filePath)
        } catch {
            throw ImportError(error)
        }
    }

    /// Neither empty, nor hidden, nor a path.
    static func isPlain(_ name: String) -> Bool {
        !name.isEmpty && name.utf8.count <= 255 && !name.hasPrefix(".") && !name.utf8.contains { $0 == UInt8(ascii: "/") || $0 < 0x20 || $0 == 0x7F }
    }

    private static func text(_ code: Int32) -> String { String(cString: strerror(code)) }
}

/// The tensors of a folder: one file, or shards with an index. Shards are opened when a tensor of theirs is asked for.
package final class FolderTensors: CheckpointTensors {
    package let path: String
    /// Files of the folder that the tensors come from, the index first: for provenance.
    package let files: [String]

    private let folder: CheckpointFolder
    /// Tensor -> file.
    private let places: [String: String]
    private let indexPath: String?
    private let opened: Mutex<[String: any CheckpointTensors]>

    /// Which files a folder's tensors may stand in, the first that is there counts: the order of transformers.
    package enum Kind: Sendable {
        case model
        case adapter

        var candidates: [(file: String, isIndex: Bool)] {
            switch self {
            case .model:
                [("model.safetensors", false), ("model.safetensors.index.json", true), ("pytorch_model.bin", false), ("pytorch_model.bin.index.json", true)]
            case .adapter: [("adapter_model.safetensors", false), ("adapter_model.bin", false)]
            }
        }
    }

    package convenience init(path: String, kind: Kind) throws(ImportError) {
        try self.init(try CheckpointFolder(path), kind: kind)
    }

    init(_ folder: CheckpointFolder, kind: Kind) throws(ImportError) {
        self.folder = folder
        path = folder.path
        for candidate in kind.candidates {
            guard let file = try folder.map(candidate.file) else { continue }
            if candidate.isIndex {
                let index = try Self.index(file, folder)
                places = index
                indexPath = file.path
                files = [candidate.file] + Set(index.values).sorted()
                opened = Mutex([:])
            } else {
                let single = try openCheckpoint(file: file, under: nil)
                places = Dictionary(single.names.map { ($0, candidate.file) }) { first, _ in first }
                indexPath = nil
                files = [candidate.file]
                opened = Mutex([candidate.file: single])
            }
            return
        }
        throw .cannotRead(path: folder.path, reason: "it has none of \(kind.candidates.map(\.file).joined(separator: ", "))")
    }

    package var names: [String] { places.keys.sorted() }

    package func shape(of name: String) throws(ImportError) -> [Int] { try source(of: name).shape(of: name) }

    package func view(_ name: String) throws(ImportError) -> TensorView { try source(of: name).view(name) }

    /// Forgets the opened shards: their memory goes with the last view into them. They are opened again when needed.
    package func release() { opened.withLock { $0 = [:] } }

    private func source(of name: String) throws(ImportError) -> any CheckpointTensors {
        guard let place = places[name] else { throw .missingTensor(path: path, name: name) }
        // Opening maps a file and reads its directory, some milliseconds: others may wait meanwhile.
        let result = opened.withLock { opened in
            if let source = opened[place] { return Result<any CheckpointTensors, ImportError>.success(source) }
            do throws(ImportError) {
                let source = try open(place)
                opened[place] = source
                return .success(source)
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private func open(_ shard: String) throws(ImportError) -> any CheckpointTensors {
        guard let file = try folder.map(shard) else {
            throw .badIndex(path: indexPath ?? path, reason: "it names the shard \(shard), which is not in the folder: the download is incomplete")
        }
        let source = try openCheckpoint(file: file, under: nil)
        guard let indexPath else { return source }
        let present = Set(source.names)
        for name in source.names {
            if let place = places[name], place != shard {
                throw .badIndex(path: indexPath, reason: "the tensor \"\(name)\" stands in two shards, \(place) and \(shard)")
            }
        }
        for (name, place) in places.sorted(by: { $0.key < $1.key }) where place == shard && !present.contains(name) {
            throw .badIndex(path: indexPath, reason: "it says that \(shard) has the tensor \"\(name)\", which is not there")
        }
        return source
    }

    /// {"metadata": ..., "weight_map": {tensor: file}}
    private static func index(_ file: MappedFile, _ folder: CheckpointFolder) throws(ImportError) -> [String: String] {
        let json = try ConfigurationFile(file)
        guard case .object(let map)? = json.value("weight_map"), !map.isEmpty else {
            throw .badIndex(path: file.path, reason: "it has no \"weight_map\" of tensors")
        }
        var places: [String: String] = [:]
        for (name, value) in map {
            guard case .string(let shard) = value, CheckpointFolder.isPlain(shard) else {
                throw .badIndex(path: file.path, reason: "the tensor \"\(name.prefix(200))\" stands in \(value.text), which is not a file name of the folder")
            }
            places[name] = shard
        }
        // Every shard now, so that an import of an hour does not end at the last one; they are mapped when they are needed.
        for shard in Set(places.values).sorted() {
            guard try folder.map(shard) != nil else {
                throw .badIndex(path: file.path, reason: "it names the shard \(shard), which is not in the folder: the download is incomplete")
            }
        }
        return places
    }
}
