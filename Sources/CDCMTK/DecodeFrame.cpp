#include "DecodeImage.hpp"

#include <dcmtk/dcmdata/dcpixel.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>

#include <algorithm>

namespace cdcmtk {

namespace {

DcmPixelData &pixelDataOf(DcmDataset &dataSet) {
    DcmElement *element = nullptr;
    if (dataSet.findAndGetElement(DCM_PixelData, element).bad() || element == nullptr)
        refuse("no-pixel-data", "the object has no Pixel Data (7FE0,0010)");
    auto *pixelData = dynamic_cast<DcmPixelData *>(element);
    if (pixelData == nullptr) refuse("invalid-attribute", "Pixel Data has a VR that pixels do not have");
    return *pixelData;
}

/// Bytes of one native frame in the file; YBR_FULL_422 keeps two samples a pixel (PS3.3 C.7.6.3.1.2).
uint64_t nativeFrameBytes(const Image &image) {
    return image.photometric == Photometric::ybrFull422 ? uint64_t{image.rows} * image.columns * 2 : image.frameBytes();
}

void interleave(const Image &image, std::vector<uint8_t> &cells) {
    const size_t pixels = size_t{image.rows} * image.columns, width = image.bytesPerSample();
    std::vector<uint8_t> planar(cells.begin(), cells.end());
    for (size_t pixel = 0; pixel < pixels; ++pixel)
        for (size_t sample = 0; sample < 3; ++sample)
            for (size_t byte = 0; byte < width; ++byte)
                cells[(pixel * 3 + sample) * width + byte] = planar[(sample * pixels + pixel) * width + byte];
}

/// Y1 Y2 Cb Cr for two pixels -> Y Cb Cr each.
void expand422(const Image &image, std::vector<uint8_t> &cells) {
    std::vector<uint8_t> full(image.frameBytes());
    for (size_t pair = 0; pair * 4 + 3 < cells.size(); ++pair)
        for (size_t half = 0; half < 2; ++half) {
            full[pair * 6 + half * 3] = cells[pair * 4 + half];
            full[pair * 6 + half * 3 + 1] = cells[pair * 4 + 2];
            full[pair * 6 + half * 3 + 2] = cells[pair * 4 + 3];
        }
    cells.swap(full);
}

/// The inverse of PS3.3 C.7.6.3.1.2, full range, 8 bits.
void toRGB(std::vector<uint8_t> &cells) {
    const auto clamped = [](double value) { return static_cast<uint8_t>(std::clamp(value + 0.5, 0.0, 255.0)); };
    for (size_t index = 0; index + 2 < cells.size(); index += 3) {
        const double y = cells[index], blue = cells[index + 1] - 128.0, red = cells[index + 2] - 128.0;
        cells[index] = clamped(y + 1.402 * red);
        cells[index + 1] = clamped(y - 0.344136 * blue - 0.714136 * red);
        cells[index + 2] = clamped(y + 1.772 * blue);
    }
}

/// 8-bit samples of a codec in the low half of the buffer -> 16-bit cells.
void widen(const Image &image, std::vector<uint8_t> &cells) {
    for (size_t index = image.sampleCount(); index-- > 0;) {
        cells[index * 2] = cells[index];
        cells[index * 2 + 1] = 0;
    }
}

void decodeNative(DcmDataset &dataSet, const Image &image, Frame &frame) {
    DcmPixelData &pixelData = pixelDataOf(dataSet);
    if (image.photometric == Photometric::ybrICT || image.photometric == Photometric::ybrRCT)
        refuse("unsupported-photometric", "YBR_ICT and YBR_RCT exist in JPEG 2000 only");
    if (image.photometric == Photometric::ybrFull422 && (image.columns % 2 != 0 || image.isPlanar))
        refuse("invalid-attribute", "YBR_FULL_422 with odd Columns or by plane");
    const uint64_t oneFrame = nativeFrameBytes(image), expected = oneFrame * image.frames;
    const uint64_t found = pixelData.getLength();
    if (found < expected)
        refuse("truncated-pixel-data", std::to_string(found) + " bytes; " + std::to_string(expected) + " expected");
    frame.cells.resize(oneFrame);
    check("read the pixel data", pixelData.getPartialValue(frame.cells.data(), 0, static_cast<Uint32>(oneFrame)));
    if (image.isPlanar) interleave(image, frame.cells);
    if (image.photometric == Photometric::ybrFull422) expand422(image, frame.cells);
    if (image.samples == 3 && image.photometric != Photometric::rgb) toRGB(frame.cells);
}

/// JPEG and JPEG-LS through DCMTK's codecs, after their frame header has been compared with the data set.
void decodeThroughCodec(DcmDataset &dataSet, const Image &image, const std::vector<uint8_t> &stream, Frame &frame) {
    const StreamHeader header = readFrameHeader(stream);
    if (header.rows != image.rows || header.columns != image.columns || header.components != image.samples)
        refuse("codestream-mismatch",
               "the codestream is " + std::to_string(header.rows) + " x " + std::to_string(header.columns) + " x " +
                   std::to_string(header.components) + ", the data set " + std::to_string(image.rows) + " x " +
                   std::to_string(image.columns) + " x " + std::to_string(image.samples));
    if (header.precision < 2 || header.precision > image.bitsAllocated)
        refuse("codestream-mismatch", "the codestream has " + std::to_string(header.precision) +
                                          " bits, BitsAllocated is " + std::to_string(image.bitsAllocated));
    const bool isNarrow = header.precision <= 8 && image.bitsAllocated == 16;
    // DCMTK's codecs take these from the data set; by pixel is what the answer has, and the JPEG-LS codec wants cells
    // as wide as the stream's samples.
    if (image.samples == 3)
        check("set Planar Configuration", dataSet.putAndInsertUint16(DCM_PlanarConfiguration, 0));
    if (isNarrow && image.coding == Coding::jpegLS) {
        check("set Bits Allocated", dataSet.putAndInsertUint16(DCM_BitsAllocated, 8));
        check("set Bits Stored", dataSet.putAndInsertUint16(DCM_BitsStored, 8));
    }
    frame.cells.assign(image.frameBytes() + image.frameBytes() % 2, 0);
    Uint32 fragment = 1;  // item 0 is the Basic Offset Table
    OFString colourModel;
    const OFCondition condition = pixelDataOf(dataSet).getUncompressedFrame(
        &dataSet, 0, fragment, frame.cells.data(), static_cast<Uint32>(frame.cells.size()), colourModel);
    if (condition.bad()) refuse("corrupt-codestream", condition.text());
    frame.cells.resize(image.frameBytes());
    if (isNarrow) widen(image, frame.cells);
    if (image.samples == 3 && colourModel != "RGB") {
        if (colourModel != "YBR_FULL") refuse("unsupported-photometric", "the codec left a colour model other than RGB");
        toRGB(frame.cells);
    }
}

/// Stored values of PS3.5 8.1.1: shift down from High Bit, mask to Bits Stored (older files keep overlays in the bits
/// above), extend the sign. A lossy codec may overshoot into those bits: that is clamped, not wrapped.
template <typename Cell, typename SignedCell>
void normalise(const Image &image, std::vector<uint8_t> &bytes) {
    auto *cells = reinterpret_cast<Cell *>(bytes.data());
    const unsigned shift = image.highBit + 1 - image.bitsStored;
    const Cell mask = static_cast<Cell>((1u << image.bitsStored) - 1);
    const unsigned unused = static_cast<unsigned>(sizeof(Cell) * 8) - image.bitsStored;
    const size_t count = image.sampleCount();
    for (size_t index = 0; index < count; ++index) {
        const Cell value = static_cast<Cell>(cells[index] >> shift);
        if (image.isSigned)
            cells[index] = static_cast<Cell>(static_cast<SignedCell>(static_cast<Cell>(value << unused)) >> unused);
        else if (image.isLossy && value > mask)
            cells[index] = mask;
        else
            cells[index] = static_cast<Cell>(value & mask);
    }
}

uint32_t photometricCode(const Image &image) {
    if (image.samples == 3) return CDCMTK_RGB;
    return image.photometric == Photometric::monochrome1 ? CDCMTK_MONOCHROME1 : CDCMTK_MONOCHROME2;
}

}  // namespace

std::vector<uint8_t> firstFrameStream(DcmPixelSequence &sequence, uint32_t frames) {
    const unsigned long items = sequence.card();
    if (items < 2) refuse("truncated-pixel-data", "no fragment after the Basic Offset Table");
    unsigned long end = items;
    if (frames > 1) {
        // One fragment a frame is all that a radiograph's archive writes; guessing at others would join frames.
        if (items - 1 != frames)
            refuse("ambiguous-fragments", std::to_string(items - 1) + " fragments for " + std::to_string(frames) + " frames");
        end = 2;
    }
    std::vector<uint8_t> stream;
    for (unsigned long index = 1; index < end; ++index) {
        DcmPixelItem *item = nullptr;
        Uint8 *bytes = nullptr;
        check("read a fragment", sequence.getItem(item, index));
        check("read a fragment", item->getUint8Array(bytes));
        if (bytes != nullptr) stream.insert(stream.end(), bytes, bytes + item->getLength());
    }
    return stream;
}

void decodeFirstFrame(DcmDataset &dataSet, Image &image, Frame &frame) {
    if (image.coding == Coding::native) {
        decodeNative(dataSet, image, frame);
    } else {
        DcmPixelSequence *sequence = nullptr;
        const OFCondition found = pixelDataOf(dataSet).getEncapsulatedRepresentation(
            dataSet.getOriginalXfer(), nullptr, sequence);
        if (found.bad() || sequence == nullptr) refuse("invalid-attribute", "Pixel Data is not encapsulated");
        const std::vector<uint8_t> stream = firstFrameStream(*sequence, image.frames);
        const bool isYBR = image.samples == 3 && image.photometric != Photometric::rgb;
        switch (image.coding) {
            case Coding::jpeg2000:
                decodeJPEG2000(stream, image, frame);
                break;
            case Coding::rle:
                if (isYBR && image.photometric != Photometric::ybrFull)
                    refuse("unsupported-photometric", "RLE with subsampled or JPEG 2000 colour");
                decodeRLE(stream, image, frame.cells);
                if (isYBR) toRGB(frame.cells);
                break;
            default:
                if (image.photometric == Photometric::ybrICT || image.photometric == Photometric::ybrRCT)
                    refuse("unsupported-photometric", "YBR_ICT and YBR_RCT exist in JPEG 2000 only");
                decodeThroughCodec(dataSet, image, stream, frame);
        }
    }
    if (image.bytesPerSample() == 2)
        normalise<uint16_t, int16_t>(image, frame.cells);
    else
        normalise<uint8_t, int8_t>(image, frame.cells);

    cdcmtk_frame_header &header = frame.header;
    header.magic = CDCMTK_FRAME_MAGIC;
    header.version = CDCMTK_FRAME_VERSION;
    header.rows = image.rows;
    header.columns = image.columns;
    header.samples = image.samples;
    header.bytes_per_sample = static_cast<uint32_t>(image.bytesPerSample());
    header.bits_stored = image.bitsStored;
    header.photometric = photometricCode(image);
    if (image.isSigned) header.flags |= CDCMTK_FRAME_SIGNED;
    header.number_of_frames = image.frames;
    header.modality_lut = frame.modality.descriptor;
    header.voi_lut = frame.voi.descriptor;
    header.frame_bytes = frame.cells.size();
}

}  // namespace cdcmtk
