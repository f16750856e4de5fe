import Glibc

/// Writes a GGUF file, version 3, from front to back: metadata, tensor infos, then the tensors' bytes in the order of their infos, each
/// at a multiple of 32. Memory: one buffer. The same input gives the same bytes. fsync and rename are the caller's. For one thread.
package final class GGUFWriter {
    /// A metadata value.
    package enum Value: Sendable {
        case uint32(UInt32)
        case int32(Int32)
        case uint64(UInt64)
        case float32(Float)
        case boolean(Bool)
        case string(String)
        case strings([String])
        case floats([Float])
        case int32s([Int32])
    }

    package struct Tensor: Sendable {
        package var name: String
        package var type: BlockType
        /// Row-major.
        package var shape: [Int]

        package init(name: String, type: BlockType, shape: [Int]) {
            self.name = name
            self.type = type
            self.shape = shape
        }

        /// nil where a side is empty, rows are not whole blocks, or the product does not fit.
        package var byteCount: Int? {
            guard shape.allSatisfy({ $0 > 0 }), var size = type.rowBytes(columns: shape.last ?? 1) else { return nil }
            for side in shape.dropLast() {
                let (product, overflow) = size.multipliedReportingOverflow(by: side)
                guard !overflow else { return nil }
                size = product
            }
            return size
        }
    }

    private static let bufferBytes = 1 << 20

    private let descriptor: Int32
    private let path: String
    private let sizes: [Int]
    private let names: [String]
    private var buffer: [UInt8] = []
    /// The tensor that is being written, and its bytes so far.
    private var current = 0
    private var written = 0
    /// Bytes of the file so far, the buffer included.
    package private(set) var offset = 0

    /// Writes everything in front of the tensors.
    ///
    /// - Parameters:
    ///   - descriptor: open for writing, at the beginning of an empty file; stays the caller's.
    ///   - path: for messages.
    ///   - metadata: in this order. `general.alignment` is not allowed: it is 32.
    /// - Throws: `WeightsError.cannotWrite` where the system refuses, or for names that stand twice or are too long, or shapes that are not
    ///   whole blocks.
    package init(descriptor: Int32, path: String, metadata: [(key: String, value: Value)], tensors: [Tensor]) throws(WeightsError) {
        self.descriptor = descriptor
        self.path = path
        names = tensors.map(\.name)
        var sizes: [Int] = []
        var seen: Set<String> = ["general.alignment"]
        for (key, _) in metadata {
            guard seen.insert(key).inserted, key.utf8.count <= GGUF.maximumNameBytes else {
                throw .cannotWrite(path: path, reason: "metadata key \"\(key.prefix(80))\" stands twice, is too long, or is not the caller's")
            }
        }
        seen = []
        for tensor in tensors {
            guard seen.insert(tensor.name).inserted, tensor.name.utf8.count <= GGUF.maximumNameBytes else {
                throw .cannotWrite(path: path, reason: "tensor name \"\(tensor.name.prefix(80))\" stands twice or is too long")
            }
            guard tensor.shape.count <= GGUF.maximumRank, let size = tensor.byteCount else {
                throw .cannotWrite(path: path, reason: "tensor \"\(tensor.name)\" of shape \(tensor.shape) cannot be stored as \(tensor.type)")
            }
            sizes.append(size)
        }
        self.sizes = sizes

        put(UInt32(0x4655_4747))
        put(UInt32(3))
        put(UInt64(tensors.count))
        put(UInt64(metadata.count))
        for (key, value) in metadata {
            put(key)
            put(value)
            if buffer.count >= Self.bufferBytes { try flush() }
        }
        var place = 0
        for (tensor, size) in zip(tensors, sizes) {
            put(tensor.name)
            put(UInt32(tensor.shape.count))
            for side in tensor.shape.reversed() { put(UInt64(side)) }
            put(tensor.type.rawValue)
            put(UInt64(place))
            let (end, overflow) = place.addingReportingOverflow(size + GGUF.defaultAlignment)
            guard !overflow else { throw .cannotWrite(path: path, reason: "the tensors have more bytes than a file can") }
            place = end / GGUF.defaultAlignment * GGUF.defaultAlignment
            if size % GGUF.defaultAlignment == 0 { place -= GGUF.defaultAlignment }
            if buffer.count >= Self.bufferBytes { try flush() }
        }
        pad()
        try passFinished()
    }

    /// Appends bytes of the tensors, in order; a piece may be any part of one tensor, not of two.
    package func append(_ bytes: UnsafeRawBufferPointer) throws(WeightsError) {
        guard !bytes.isEmpty else { return }
        guard current < sizes.count, bytes.count <= sizes[current] - written else {
            let what = current < sizes.count ? "tensor \"\(names[current])\" has \(sizes[current]) bytes" : "all tensors are complete"
            throw .cannotWrite(path: path, reason: "\(what), and \(written) + \(bytes.count) were given")
        }
        if bytes.count >= Self.bufferBytes {
            try flush()
            try write(bytes)
        } else {
            buffer.append(contentsOf: bytes)
            if buffer.count >= Self.bufferBytes { try flush() }
        }
        offset += bytes.count
        written += bytes.count
        try passFinished()
    }

    /// Writes what is left in the buffer.
    /// - Returns: the file's length in bytes.
    /// - Throws: `WeightsError.cannotWrite` where a tensor is not complete.
    package func finish() throws(WeightsError) -> Int {
        guard current == sizes.count else {
            throw .cannotWrite(path: path, reason: "tensor \"\(names[current])\" has \(sizes[current]) bytes, of which \(written) were given")
        }
        try flush()
        return offset
    }

    /// Pads behind a complete tensor.
    private func passFinished() throws(WeightsError) {
        if current < sizes.count, written == sizes[current] {
            pad()
            current += 1
            written = 0
        }
        if buffer.count >= Self.bufferBytes { try flush() }
    }

    private func pad() {
        let rest = offset % GGUF.defaultAlignment
        if rest > 0 { putBytes([UInt8](repeating: 0, count: GGUF.defaultAlignment - rest)) }
    }

    private func putBytes(_ bytes: some Collection<UInt8>) {
        buffer.append(contentsOf: bytes)
        offset += bytes.count
    }

    private func put(_ number: some FixedWidthInteger) { withUnsafeBytes(of: number.littleEndian) { putBytes($0) } }

    private func put(_ text: String) {
        put(UInt64(text.utf8.count))
        putBytes(text.utf8)
    }

    private func put(_ value: Value) {
        func header(_ type: GGUFValueType, _ count: Int) -> [any FixedWidthInteger] {
            [GGUFValueType.array.rawValue, type.rawValue, UInt64(count)]
        }
        switch value {
        case .uint32(let number): put(GGUFValueType.uint32.rawValue); put(number)
        case .int32(let number): put(GGUFValueType.int32.rawValue); put(number)
        case .uint64(let number): put(GGUFValueType.uint64.rawValue); put(number)
        case .float32(let number): put(GGUFValueType.float32.rawValue); put(number.bitPattern)
        case .boolean(let flag): put(GGUFValueType.boolean.rawValue); put(UInt8(flag ? 1 : 0))
        case .string(let text): put(GGUFValueType.string.rawValue); put(text)
        case .strings(let texts):
            for part in header(.string, texts.count) { put(part) }
            for text in texts { put(text) }
        case .floats(let numbers):
            for part in header(.float32, numbers.count) { put(part) }
            for number in numbers { put(number.bitPattern) }
        case .int32s(let numbers):
            for part in header(.int32, numbers.count) { put(part) }
            for number in numbers { put(number) }
        }
    }

    private func flush() throws(WeightsError) {
        let bytes = buffer
        buffer.removeAll(keepingCapacity: true)
        var failure: WeightsError?
        bytes.withUnsafeBytes { bytes in
            do throws(WeightsError) { try write(bytes) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    private func write(_ bytes: UnsafeRawBufferPointer) throws(WeightsError) {
        var rest = bytes
        while let base = rest.baseAddress, !rest.isEmpty {
            let count = Glibc.write(descriptor, base, rest.count)
            if count < 0 {
                if errno == EINTR { continue }
                throw .cannotWrite(path: path, reason: "write: " + String(cString: strerror(errno)))
            }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }
}
