import Foundation
import RaDialogPipeline

/// A part of the model as a safetensors file: names sorted, every tensor in the type it came in.
enum SafetensorsFile {
    static func write(_ part: ImportedPart, _ descriptor: Int32, _ path: String) throws {
        var header: [String: Any] = [:]
        var offset = 0
        let tensors = part.names.compactMap(part.find)
        for tensor in tensors {
            header[tensor.name] = [
                "dtype": tensor.type.rawValue, "shape": tensor.shape, "data_offsets": [offset, offset + tensor.bytes.count],
            ] as [String: Any]
            offset += tensor.bytes.count
        }
        var text = try JSONSerialization.data(withJSONObject: header, options: [.sortedKeys, .withoutEscapingSlashes])
        // The data begins at a multiple of eight: blanks may follow the header.
        text.append(contentsOf: [UInt8](repeating: UInt8(ascii: " "), count: (8 - text.count % 8) % 8))
        var length = UInt64(text.count).littleEndian
        try withUnsafeBytes(of: &length) { try writeAll(descriptor, path, $0) }
        try text.withUnsafeBytes { try writeAll(descriptor, path, $0) }
        for tensor in tensors { try writeAll(descriptor, path, tensor.bytes) }
    }
}
