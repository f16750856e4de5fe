internal import CJPEG

extension GrayImage {
    /// What a JPEG of that quality leaves of the picture: encoded and decoded in memory.
    package func throughJPEG(quality: Int32) throws(PreprocessError) -> GrayImage {
        var failure = cjpeg_error()
        var status = CJPEG_OK
        let decoded = [UInt8](unsafeUninitializedCapacity: pixels.count) { target, count in
            guard let base = target.baseAddress else { return }
            status = cjpeg_round_trip(pixels, columns, rows, quality, base, &failure)
            count = status == CJPEG_OK ? pixels.count : 0
        }
        guard status == CJPEG_OK, !decoded.isEmpty else {
            let text = withUnsafeBytes(of: failure.text) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
            if status == CJPEG_OUT_OF_MEMORY { throw .outOfMemory(step: "the JPEG of \(columns) x \(rows) pixels") }
            throw .jpeg(reason: text)
        }
        return GrayImage(rows: rows, columns: columns, pixels: decoded)
    }
}
