#pragma once

// The decoder's own vocabulary: what a file says of its image, and the steps from there to a frame.
// The order is the safety: describe (every dimension checked) -> decode -> normalise.

#include "Guard.hpp"
#include "include/cdcmtk_decode.h"

#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmdata/dctk.h>

#include <cstdint>
#include <string>
#include <vector>

namespace cdcmtk {

/// Ends the decoding with a reason. `code` is a stable word, `text` a sentence without patient data.
[[noreturn]] inline void refuse(const char *code, const std::string &text) {
    throw Failure(CDCMTK_INVALID_INPUT, std::string(code) + ": " + text);
}

/// How samples are coded. PS3.5 Annex A.
enum class Coding { native, rle, jpeg, jpegLS, jpeg2000 };

/// (0028,0004) as it stands in the file.
enum class Photometric { monochrome1, monochrome2, rgb, ybrFull, ybrFull422, ybrICT, ybrRCT };

/// What the image pixel module says, after every check of receiving.md trap 6.
struct Image {
    Coding coding = Coding::native;
    /// The coding lets a sample differ from what was acquired.
    bool isLossy = false;
    Photometric photometric = Photometric::monochrome2;
    uint32_t rows = 0, columns = 0, samples = 0;
    uint32_t bitsAllocated = 0, bitsStored = 0, highBit = 0;
    bool isSigned = false;
    bool isPlanar = false;
    uint32_t frames = 1;

    size_t bytesPerSample() const { return bitsAllocated / 8; }
    size_t sampleCount() const { return size_t{rows} * columns * samples; }
    size_t frameBytes() const { return sampleCount() * bytesPerSample(); }
};

struct LookupTable {
    cdcmtk_lut_descriptor descriptor{};
    std::vector<uint16_t> entries;
};

/// The answer under construction.
struct Frame {
    cdcmtk_frame_header header{};
    LookupTable modality, voi;
    /// Cells of `bytesPerSample`, interleaved, host order.
    std::vector<uint8_t> cells;
};

/// Reads and checks the image pixel module. Nothing is allocated for the frame before it has returned.
Image describe(DcmDataset &dataSet, uint64_t frameBytesLimit);

/// Rescale, modality and VOI LUT, window, presentation shape. A transform that cannot be used is left out and flagged.
void readTransforms(DcmDataset &dataSet, const Image &image, Frame &frame);

/// The bytes of the first frame, fragments joined. Encapsulated codings only.
std::vector<uint8_t> firstFrameStream(DcmPixelSequence &sequence, uint32_t frames);

/// What a JPEG or JPEG-LS stream says of itself. ITU-T T.81 B.2.2, T.87 C.2.2.
struct StreamHeader {
    uint32_t rows, columns, components, precision;
};
StreamHeader readFrameHeader(const std::vector<uint8_t> &stream);

/// Decodes the first frame into `frame.cells`, colours as RGB.
void decodeFirstFrame(DcmDataset &dataSet, Image &image, Frame &frame);

/// PS3.5 Annex G, one frame. Strict: a segment that is short or points outside is refused.
void decodeRLE(const std::vector<uint8_t> &stream, const Image &image, std::vector<uint8_t> &cells);

/// ISO/IEC 15444-1 through OpenJPEG, one frame. Sets `image.photometric` to rgb where the codestream undid a colour
/// transform; raises `image.bitsStored` where a lossless codestream holds more (CDCMTK_FRAME_BITS_WIDENED).
void decodeJPEG2000(const std::vector<uint8_t> &stream, Image &image, Frame &frame);

}  // namespace cdcmtk
