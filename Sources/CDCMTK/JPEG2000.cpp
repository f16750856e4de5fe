#include "DecodeImage.hpp"

#include <openjpeg-2.5/openjpeg.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace cdcmtk {

namespace {

/// What SIZ and COD say. ISO/IEC 15444-1 A.5.1, A.6.1.
struct CodestreamHeader {
    uint32_t columns = 0, rows = 0, components = 0, precision = 0;
    bool isSigned = false;
    bool hasColourTransform = false;
    bool isReversible = false;
};

constexpr uint32_t startOfCodestream = 0xFF4F, size = 0xFF51, codingStyle = 0xFF52, startOfTile = 0xFF90;
/// OpenJPEG keeps some kilobytes for each tile, before a tile has been seen.
constexpr uint64_t maximumTiles = 16384;

uint32_t big16(const uint8_t *bytes) { return uint32_t{bytes[0]} << 8 | bytes[1]; }
uint32_t big32(const uint8_t *bytes) { return big16(bytes) << 16 | big16(bytes + 2); }

/// Where the codestream begins: at 0, or in the first jp2c box where a writer kept the JP2 file around it (not allowed
/// by PS3.5 A.4.4, seen in the field).
size_t codestreamOffset(const std::vector<uint8_t> &stream) {
    static const uint8_t signature[12] = {0, 0, 0, 12, 'j', 'P', ' ', ' ', 0x0D, 0x0A, 0x87, 0x0A};
    if (stream.size() < sizeof signature || std::memcmp(stream.data(), signature, sizeof signature) != 0) return 0;
    size_t position = 0;
    while (stream.size() - position >= 8) {
        const uint8_t *box = stream.data() + position;
        if (std::memcmp(box + 4, "jp2c", 4) == 0) return position + (big32(box) == 1 ? 16 : 8);
        const uint64_t length = big32(box);
        if (length < 8 || length > stream.size() - position) break;
        position += length;
    }
    refuse("corrupt-codestream", "a JP2 file without a codestream");
}

CodestreamHeader readHeader(const std::vector<uint8_t> &stream, size_t offset) {
    CodestreamHeader header;
    bool hasSize = false;
    size_t position = offset;
    if (position > stream.size() || stream.size() - position < 2 || big16(&stream[position]) != startOfCodestream)
        refuse("corrupt-codestream", "the codestream does not begin with SOC");
    position += 2;
    while (stream.size() - position >= 4) {
        const uint32_t marker = big16(&stream[position]), length = big16(&stream[position + 2]);
        if (marker == startOfTile) break;
        if (marker < 0xFF01 || length < 2 || length > stream.size() - position - 2)
            refuse("corrupt-codestream", "a marker segment of the codestream's header is broken");
        const uint8_t *body = &stream[position + 4];
        if (marker == size) {
            if (length < 41) refuse("corrupt-codestream", "SIZ is too short");
            const uint32_t right = big32(body + 2), bottom = big32(body + 6), left = big32(body + 10), top = big32(body + 14);
            const uint32_t tileColumns = big32(body + 18), tileRows = big32(body + 22);
            header.components = big16(body + 34);
            if (right <= left || bottom <= top || tileColumns == 0 || tileRows == 0 || header.components == 0 ||
                length != 38 + 3 * header.components)
                refuse("corrupt-codestream", "SIZ contradicts itself");
            header.columns = right - left;
            header.rows = bottom - top;
            const uint64_t tiles = (uint64_t{right} + tileColumns - 1) / tileColumns * ((uint64_t{bottom} + tileRows - 1) / tileRows);
            if (tiles > maximumTiles) refuse("frame-too-large", std::to_string(tiles) + " JPEG 2000 tiles");
            for (uint32_t component = 0; component < header.components; ++component) {
                const uint8_t *entry = body + 36 + component * 3;
                if (component > 0 && entry[0] != body[36]) refuse("codestream-mismatch", "components of different depths");
                if (entry[1] != 1 || entry[2] != 1) refuse("codestream-mismatch", "subsampled components");
            }
            header.precision = (body[36] & 0x7Fu) + 1;
            header.isSigned = (body[36] & 0x80) != 0;
            hasSize = true;
        } else if (marker == codingStyle) {
            if (length < 12) refuse("corrupt-codestream", "COD is too short");
            header.hasColourTransform = body[4] == 1;
            header.isReversible = body[9] == 1;
        }
        position += 2 + length;
    }
    if (!hasSize) refuse("corrupt-codestream", "no SIZ in the codestream's header");
    return header;
}

/// OpenJPEG's view of the bytes. Its callbacks must not throw.
struct Source {
    const uint8_t *bytes;
    size_t count;
    size_t position;
};

OPJ_SIZE_T readSource(void *target, OPJ_SIZE_T count, void *context) {
    auto *source = static_cast<Source *>(context);
    const size_t left = source->count - source->position;
    if (left == 0) return static_cast<OPJ_SIZE_T>(-1);
    const size_t taken = std::min<size_t>(count, left);
    std::memcpy(target, source->bytes + source->position, taken);
    source->position += taken;
    return taken;
}

OPJ_OFF_T skipSource(OPJ_OFF_T count, void *context) {
    auto *source = static_cast<Source *>(context);
    if (count < 0) return -1;
    const size_t left = source->count - source->position;
    if (static_cast<uint64_t>(count) > left) {
        source->position = source->count;
        return static_cast<OPJ_OFF_T>(left);
    }
    source->position += static_cast<size_t>(count);
    return count;
}

OPJ_BOOL seekSource(OPJ_OFF_T position, void *context) {
    auto *source = static_cast<Source *>(context);
    if (position < 0 || static_cast<uint64_t>(position) > source->count) return OPJ_FALSE;
    source->position = static_cast<size_t>(position);
    return OPJ_TRUE;
}

// opj_stream_t and opj_codec_t are both void: each has its own deleter.
struct DestroyStream { void operator()(opj_stream_t *stream) const { opj_stream_destroy(stream); } };
struct DestroyCodec { void operator()(opj_codec_t *codec) const { opj_destroy_codec(codec); } };
struct DestroyImage { void operator()(opj_image_t *image) const { opj_image_destroy(image); } };

std::unique_ptr<opj_image_t, DestroyImage> decodeCodestream(Source &source) {
    std::unique_ptr<opj_stream_t, DestroyStream> stream(opj_stream_default_create(OPJ_TRUE));
    std::unique_ptr<opj_codec_t, DestroyCodec> codec(opj_create_decompress(OPJ_CODEC_J2K));
    if (!stream || !codec) throw std::bad_alloc();
    opj_stream_set_user_data(stream.get(), &source, nullptr);
    opj_stream_set_user_data_length(stream.get(), source.count);
    opj_stream_set_read_function(stream.get(), readSource);
    opj_stream_set_skip_function(stream.get(), skipSource);
    opj_stream_set_seek_function(stream.get(), seekSource);

    opj_dparameters_t parameters;
    opj_set_default_decoder_parameters(&parameters);
    opj_image_t *raw = nullptr;
    // Strict: a truncated codestream is an error, not half an image.
    if (!opj_setup_decoder(codec.get(), &parameters) || !opj_decoder_set_strict_mode(codec.get(), OPJ_TRUE) ||
        !opj_read_header(stream.get(), codec.get(), &raw))
        refuse("corrupt-codestream", "OpenJPEG cannot read the codestream's header");
    std::unique_ptr<opj_image_t, DestroyImage> image(raw);
    if (!opj_decode(codec.get(), stream.get(), image.get())) refuse("corrupt-codestream", "OpenJPEG cannot decode it");
    return image;
}

}  // namespace

void decodeJPEG2000(const std::vector<uint8_t> &stream, Image &image, Frame &frame) {
    const size_t offset = codestreamOffset(stream);
    const CodestreamHeader header = readHeader(stream, offset);
    if (header.rows != image.rows || header.columns != image.columns || header.components != image.samples)
        refuse("codestream-mismatch",
               "the codestream is " + std::to_string(header.rows) + " x " + std::to_string(header.columns) + " x " +
                   std::to_string(header.components) + ", the data set " + std::to_string(image.rows) + " x " +
                   std::to_string(image.columns) + " x " + std::to_string(image.samples));
    if (header.precision > image.bitsAllocated)
        refuse("codestream-mismatch", "the codestream has " + std::to_string(header.precision) +
                                          " bits, BitsAllocated is " + std::to_string(image.bitsAllocated));
    if (image.photometric == Photometric::ybrFull422)
        refuse("unsupported-photometric", "JPEG 2000 with YBR_FULL_422");
    if (image.photometric == Photometric::ybrFull && !header.hasColourTransform)
        refuse("unsupported-photometric", "JPEG 2000 with YBR_FULL and no colour transform");

    Source source{stream.data() + offset, stream.size() - offset, 0};
    const auto decoded = decodeCodestream(source);
    if (decoded->numcomps != image.samples) refuse("codestream-mismatch", "the number of components changed");

    // Values are cut to `precision` bits; from there PixelRepresentation says what they mean, as everywhere else.
    const unsigned unused = 32 - header.precision;
    int64_t least = 0, greatest = 0;
    const size_t pixels = size_t{image.rows} * image.columns, width = image.bytesPerSample();
    frame.cells.assign(image.frameBytes(), 0);
    for (uint32_t component = 0; component < image.samples; ++component) {
        const opj_image_comp_t &plane = decoded->comps[component];
        if (plane.data == nullptr || plane.w != image.columns || plane.h != image.rows)
            refuse("corrupt-codestream", "OpenJPEG returned an incomplete component");
        for (size_t pixel = 0; pixel < pixels; ++pixel) {
            const uint32_t bits = static_cast<uint32_t>(plane.data[pixel]) << unused;
            const int64_t value = image.isSigned ? static_cast<int32_t>(bits) >> unused : int64_t{bits >> unused};
            least = std::min(least, value);
            greatest = std::max(greatest, value);
            uint8_t *cell = frame.cells.data() + (pixel * image.samples + component) * width;
            cell[0] = static_cast<uint8_t>(value);
            if (width == 2) cell[1] = static_cast<uint8_t>(value >> 8);
        }
    }
    // The codestream's samples begin at bit 0, wherever High Bit says they do.
    image.highBit = image.bitsStored - 1;
    const int64_t half = int64_t{1} << (image.bitsStored - 1);
    const bool fits = image.isSigned ? least >= -half && greatest < half : greatest < 2 * half;
    if (!fits && header.isReversible) {
        image.bitsStored = header.precision;
        image.highBit = header.precision - 1;
        frame.header.flags |= CDCMTK_FRAME_BITS_WIDENED;
    }
    image.photometric = image.samples == 3 ? Photometric::rgb : image.photometric;
}

}  // namespace cdcmtk
