#include "DecodeImage.hpp"

namespace cdcmtk {

namespace {

/// Big-endian, bounds-checked reading.
struct Cursor {
    const std::vector<uint8_t> &bytes;
    size_t position = 0;

    uint32_t byte() {
        if (position >= bytes.size()) refuse("corrupt-codestream", "the codestream ends inside its header");
        return bytes[position++];
    }
    uint32_t word() {
        const uint32_t high = byte();
        return high << 8 | byte();
    }
};

/// ITU-T T.81 Table B.1, T.87 Table C.1.
bool isFrameHeader(uint32_t marker) {
    const bool isJPEG = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    return isJPEG || marker == 0xF7;
}

uint32_t littleEndian32(const std::vector<uint8_t> &bytes, size_t offset) {
    return uint32_t{bytes[offset]} | uint32_t{bytes[offset + 1]} << 8 | uint32_t{bytes[offset + 2]} << 16 |
           uint32_t{bytes[offset + 3]} << 24;
}

}  // namespace

StreamHeader readFrameHeader(const std::vector<uint8_t> &stream) {
    Cursor cursor{stream};
    if (cursor.word() != 0xFFD8) refuse("corrupt-codestream", "the codestream does not begin with SOI");
    for (;;) {
        if (cursor.byte() != 0xFF) refuse("corrupt-codestream", "a marker was expected in the codestream's header");
        uint32_t marker = cursor.byte();
        while (marker == 0xFF) marker = cursor.byte();  // fill bytes
        if (marker == 0xDA || marker == 0xD9) refuse("corrupt-codestream", "no frame header before the first scan");
        if (marker == 0x01 || (marker >= 0xD0 && marker <= 0xD8)) continue;  // stand alone
        const size_t segment = cursor.position;
        const uint32_t length = cursor.word();
        if (length < 2) refuse("corrupt-codestream", "a marker segment shorter than its length");
        if (isFrameHeader(marker)) {
            StreamHeader header{};
            header.precision = cursor.byte();
            header.rows = cursor.word();
            header.columns = cursor.word();
            header.components = cursor.byte();
            return header;
        }
        cursor.position = segment + length;
    }
}

void decodeRLE(const std::vector<uint8_t> &stream, const Image &image, std::vector<uint8_t> &cells) {
    constexpr size_t headerBytes = 64;
    if (stream.size() < headerBytes) refuse("corrupt-codestream", "shorter than an RLE header");
    const size_t width = image.bytesPerSample(), segments = width * image.samples;
    if (littleEndian32(stream, 0) != segments)
        refuse("codestream-mismatch", std::to_string(littleEndian32(stream, 0)) + " RLE segments; " +
                                          std::to_string(segments) + " expected");
    const size_t pixels = size_t{image.rows} * image.columns;
    cells.assign(image.frameBytes(), 0);
    for (size_t segment = 0; segment < segments; ++segment) {
        size_t input = littleEndian32(stream, 4 + segment * 4);
        const size_t end = segment + 1 < segments ? littleEndian32(stream, 8 + segment * 4) : stream.size();
        if (input < headerBytes || input > end || end > stream.size())
            refuse("corrupt-codestream", "an RLE segment lies outside of the data");
        // Most significant byte first, samples in order; the cells are interleaved and little endian.
        uint8_t *output = cells.data() + segment / width * width + (width - 1 - segment % width);
        const size_t stride = width * image.samples;
        size_t done = 0;
        while (done < pixels) {
            if (input >= end) refuse("truncated-pixel-data", "an RLE segment ends before its last pixel");
            const uint8_t control = stream[input++];
            if (control == 128) continue;
            const size_t run = control < 128 ? control + 1u : 257u - control;
            const size_t taken = control < 128 ? run : 1;
            if (end - input < taken) refuse("truncated-pixel-data", "an RLE segment ends before its last pixel");
            if (run > pixels - done) refuse("corrupt-codestream", "an RLE segment has more than its pixels");
            for (size_t index = 0; index < run; ++index)
                output[(done + index) * stride] = stream[input + (control < 128 ? index : 0)];
            input += taken;
            done += run;
        }
    }
}

}  // namespace cdcmtk
