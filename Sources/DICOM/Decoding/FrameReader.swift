internal import CDCMTK
internal import ReportModel

/// Takes the child's answer piece by piece and believes none of it: every number is checked against the limits before
/// memory is taken for it, every sample against Bits Stored.
struct FrameReader {
    let frameBytesLimit: Int
    private var pending: [UInt8] = []
    private var answer: Answer?
    private var storedValues: [Int32] = []
    private var filled = 0
    /// The first byte of a 16-bit sample whose second has not come yet.
    private var halfSample: UInt8?

    /// The header, checked, and the LUTs.
    private struct Answer {
        var header: cdcmtk_frame_header
        var modality: Radiograph.LookupTable?
        var voi: Radiograph.LookupTable?
    }

    init(limits: DecodeLimits) {
        frameBytesLimit = limits.frameBytes
    }

    /// PS3.3 C.11.1.1.1: 0 stands for 2^16 entries, so there are no more.
    private static let maximumEntries: UInt32 = 65536

    mutating func append(_ bytes: UnsafeRawBufferPointer) throws(DecodeError) {
        var rest = bytes[...]
        if answer == nil {
            // The prologue grows to its own size and not beyond: header, then the LUTs it names.
            let headerSize = MemoryLayout<cdcmtk_frame_header>.size
            try take(&rest, upTo: headerSize)
            guard pending.count >= headerSize else { return }
            let header = pending.withUnsafeBytes { $0.loadUnaligned(as: cdcmtk_frame_header.self) }
            try check(header)
            let entries = Int(header.modality_lut.entries) + Int(header.voi_lut.entries)
            try take(&rest, upTo: headerSize + 2 * entries)
            guard pending.count == headerSize + 2 * entries else { return }
            let modalityEnd = headerSize + 2 * Int(header.modality_lut.entries)
            answer = Answer(
                header: header,
                modality: try lookupTable(header.modality_lut, pending[headerSize..<modalityEnd]),
                voi: try lookupTable(header.voi_lut, pending[modalityEnd...]))
            storedValues = [Int32](repeating: 0, count: Int(header.frame_bytes) / Int(header.bytes_per_sample))
            pending = []
        }
        guard let header = answer?.header else { return }
        try fill(UnsafeRawBufferPointer(rebasing: rest), header)
    }

    /// Once the child has exited with success.
    func finish() throws(DecodeError) -> DecodedFrame {
        guard let answer, filled == storedValues.count, halfSample == nil else {
            throw .malformedAnswer("it ended before the whole frame")
        }
        let header = answer.header
        let photometric: Radiograph.PhotometricInterpretation =
            switch Int(header.photometric) {
            case CDCMTK_MONOCHROME1: .monochrome1
            case CDCMTK_MONOCHROME2: .monochrome2
            default: .rgb
            }
        let radiograph = Radiograph(
            rows: Int(header.rows), columns: Int(header.columns), samplesPerPixel: Int(header.samples),
            bitsStored: Int(header.bits_stored), photometricInterpretation: photometric,
            presentationIsInverse: header.has(CDCMTK_FRAME_PRESENTATION_INVERSE),
            modalityTransform: answer.modality.map { .lookupTable($0) }
                ?? .rescale(slope: header.rescale_slope, intercept: header.rescale_intercept),
            voiTransform: answer.voi.map { .lookupTable($0) } ?? Self.window(header),
            storedValues: storedValues)
        return DecodedFrame(
            radiograph: radiograph, numberOfFrames: Int(header.number_of_frames), notes: Self.notes(header))
    }

    // MARK: - Checks

    private func check(_ header: cdcmtk_frame_header) throws(DecodeError) {
        guard header.magic == CDCMTK_FRAME_MAGIC, header.version == CDCMTK_FRAME_VERSION else {
            throw .malformedAnswer("magic or version differ; daemon and decoder must come from one build")
        }
        let samples: UInt32 = Int(header.photometric) == CDCMTK_RGB ? 3 : 1
        // Trap 6 of receiving.md, once more on this side.
        guard (1...16384).contains(header.rows), (1...16384).contains(header.columns),
            (CDCMTK_MONOCHROME1...CDCMTK_RGB).contains(Int(header.photometric)), header.samples == samples,
            header.bytes_per_sample == 1 || header.bytes_per_sample == 2,
            header.bits_stored >= 1, header.bits_stored <= 8 * header.bytes_per_sample, header.number_of_frames >= 1
        else { throw .malformedAnswer("its dimensions or depths are not those of a frame") }
        let bytes = UInt64(header.rows) * UInt64(header.columns) * UInt64(samples) * UInt64(header.bytes_per_sample)
        guard header.frame_bytes == bytes, bytes <= UInt64(max(0, frameBytesLimit)) else {
            throw .malformedAnswer("its frame length does not fit its dimensions, or the limit")
        }
        guard header.rescale_slope.isFinite, header.rescale_intercept.isFinite, header.window_center.isFinite,
            header.window_width.isFinite, Int(header.window_function) <= CDCMTK_WINDOW_SIGMOID
        else { throw .malformedAnswer("a transform is not a number") }
        for descriptor in [header.modality_lut, header.voi_lut] where descriptor.entries > 0 {
            guard descriptor.entries <= Self.maximumEntries, (8...16).contains(descriptor.bits_per_entry),
                (-32768...65535).contains(descriptor.first_mapped)
            else { throw .malformedAnswer("a LUT descriptor is out of range") }
        }
    }

    private mutating func take(
        _ rest: inout Slice<UnsafeRawBufferPointer>, upTo count: Int
    ) throws(DecodeError) {
        let taken = rest.prefix(max(0, count - pending.count))
        pending.append(contentsOf: taken)
        rest = rest.dropFirst(taken.count)
    }

    private func lookupTable(
        _ descriptor: cdcmtk_lut_descriptor, _ bytes: ArraySlice<UInt8>
    ) throws(DecodeError) -> Radiograph.LookupTable? {
        guard descriptor.entries > 0 else { return nil }
        let values = stride(from: bytes.startIndex, to: bytes.endIndex, by: 2).map {
            UInt16(bytes[$0]) | UInt16(bytes[$0 + 1]) << 8
        }
        return Radiograph.LookupTable(
            firstMapped: descriptor.first_mapped, bitsPerEntry: Int(descriptor.bits_per_entry), values: values)
    }

    // MARK: - Samples

    private mutating func fill(_ bytes: UnsafeRawBufferPointer, _ header: cdcmtk_frame_header) throws(DecodeError) {
        guard let base = bytes.bindMemory(to: UInt8.self).baseAddress else { return }
        let width = Int(header.bytes_per_sample)
        let carried = halfSample == nil ? 0 : 1
        // A last half sample takes its place too.
        guard (bytes.count + carried + width - 1) / width <= storedValues.count - filled else { throw .oversizedAnswer }
        var used = 0
        if let low = halfSample {
            try widen([low, bytes[0]], 1, header)
            halfSample = nil
            used = 1
        }
        let whole = (bytes.count - used) / width
        try widen(base + used, whole, header)
        if used + whole * width < bytes.count { halfSample = bytes[bytes.count - 1] }
    }

    private mutating func widen(
        _ bytes: UnsafePointer<UInt8>, _ count: Int, _ header: cdcmtk_frame_header
    ) throws(DecodeError) {
        let first = filled
        let fits = storedValues.withUnsafeMutableBufferPointer { values -> Bool in
            guard let base = values.baseAddress else { return count == 0 }
            return cdcmtk_frame_widen(
                bytes, count, header.bytes_per_sample, header.bits_stored, header.has(CDCMTK_FRAME_SIGNED) ? 1 : 0, base + first) != 0
        }
        guard fits else { throw .malformedAnswer("a sample exceeds its bits") }
        filled += count
    }

    // MARK: - Translation

    private static func window(_ header: cdcmtk_frame_header) -> Radiograph.VOITransform {
        let function: Radiograph.WindowFunction
        switch Int(header.window_function) {
        case CDCMTK_WINDOW_LINEAR: function = .linear
        case CDCMTK_WINDOW_LINEAR_EXACT: function = .linearExact
        case CDCMTK_WINDOW_SIGMOID: function = .sigmoid
        default: return .none
        }
        return .window(center: header.window_center, width: header.window_width, function: function)
    }

    private static func notes(_ header: cdcmtk_frame_header) -> [String] {
        var notes: [String] = []
        if header.number_of_frames > 1 { notes.append("frame 1 of \(header.number_of_frames) was decoded") }
        if header.has(CDCMTK_FRAME_MODALITY_IGNORED) { notes.append("the modality transform is unusable and was left out") }
        if header.has(CDCMTK_FRAME_VOI_IGNORED) { notes.append("a VOI transform is unusable and was left out") }
        if header.has(CDCMTK_FRAME_BITS_WIDENED) {
            notes.append("the codestream has more bits than Bits Stored says; all \(header.bits_stored) were kept")
        }
        if !header.has(CDCMTK_FRAME_SECCOMP) { notes.append("the decoder ran without a system-call filter") }
        return notes
    }
}

extension cdcmtk_frame_header {
    fileprivate func has(_ flag: Int) -> Bool {
        Int(flags) & flag != 0
    }
}
