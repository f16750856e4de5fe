/// A safetensors file in memory.
struct SafetensorsFile {
    struct Tensor {
        var name: String
        var type: String
        var shape: [Int]
        var bytes: [UInt8]
    }

    let bytes: [UInt8]

    init(_ tensors: [Tensor]) {
        var offset = 0
        var members: [String] = []
        for tensor in tensors {
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            members.append(
                #""\#(tensor.name)":{"dtype":"\#(tensor.type)","shape":[\#(shape)],"data_offsets":[\#(offset),\#(offset + tensor.bytes.count)]}"#)
            offset += tensor.bytes.count
        }
        var header = "{" + members.joined(separator: ",") + "}"
        while header.utf8.count % 8 != 0 { header += " " }
        bytes = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) } + Array(header.utf8) + tensors.flatMap(\.bytes)
    }

    static func bytes<Number: BitwiseCopyable>(_ values: [Number]) -> [UInt8] { values.withUnsafeBytes { Array($0) } }
}
