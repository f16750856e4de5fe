#include "DecodeImage.hpp"

#include <dcmtk/dcmdata/dcswap.h>

#include <cmath>

namespace cdcmtk {

namespace {

/// Trap 6 of receiving.md.
constexpr uint32_t maximumSide = 16384;
constexpr uint64_t maximumFrameBytes = uint64_t{512} << 20;

/// A US attribute's only value. Another VR is refused: a length that is read as text is how parsers are confused.
uint16_t requiredUS(DcmDataset &dataSet, const DcmTagKey &tag, const char *keyword) {
    DcmElement *element = nullptr;
    if (dataSet.findAndGetElement(tag, element).bad() || element == nullptr || element->getLength() == 0)
        refuse("missing-attribute", std::string(keyword) + " is absent or empty");
    Uint16 value = 0;
    if (element->getVR() != EVR_US || element->getVM() != 1 || element->getUint16(value).bad())
        refuse("invalid-attribute", std::string(keyword) + " is not one value of VR US");
    return value;
}

std::string firstString(DcmItem &item, const DcmTagKey &tag) {
    OFString raw;
    if (item.findAndGetOFString(tag, raw).bad()) return {};
    std::string value(raw.c_str());  // up to a NUL, which pads in the field
    while (!value.empty() && value.back() == ' ') value.pop_back();
    return value;
}

Coding codingOf(E_TransferSyntax syntax, bool &isLossy) {
    isLossy = false;
    switch (syntax) {
        case EXS_LittleEndianImplicit:
        case EXS_LittleEndianExplicit:
        case EXS_BigEndianExplicit:
        case EXS_DeflatedLittleEndianExplicit: return Coding::native;
        case EXS_RLELossless: return Coding::rle;
        case EXS_JPEGProcess1:
        case EXS_JPEGProcess2_4:
        case EXS_JPEGProcess6_8:
        case EXS_JPEGProcess10_12: isLossy = true; return Coding::jpeg;
        case EXS_JPEGProcess14:
        case EXS_JPEGProcess14SV1: return Coding::jpeg;
        case EXS_JPEGLSLossless: return Coding::jpegLS;
        case EXS_JPEGLSLossy: isLossy = true; return Coding::jpegLS;
        case EXS_JPEG2000LosslessOnly: return Coding::jpeg2000;
        case EXS_JPEG2000: isLossy = true; return Coding::jpeg2000;
        default:
            refuse("unsupported-transfer-syntax", std::string(DcmXfer(syntax).getXferID()) + " is not decoded");
    }
}

Photometric photometricOf(const std::string &value) {
    if (value == "MONOCHROME1") return Photometric::monochrome1;
    if (value == "MONOCHROME2") return Photometric::monochrome2;
    if (value == "RGB") return Photometric::rgb;
    if (value == "YBR_FULL") return Photometric::ybrFull;
    if (value == "YBR_FULL_422") return Photometric::ybrFull422;
    if (value == "YBR_ICT") return Photometric::ybrICT;
    if (value == "YBR_RCT") return Photometric::ybrRCT;
    if (value.empty()) refuse("missing-attribute", "PhotometricInterpretation is absent or empty");
    // The value is a CS of the standard or else free text: the known ones are named, others are not repeated.
    if (value == "PALETTE COLOR")
        refuse("unsupported-photometric", "PALETTE COLOR: a radiograph's stored values are not indices");
    refuse("unsupported-photometric", "PhotometricInterpretation is not one a radiograph has");
}

uint32_t numberOfFrames(DcmDataset &dataSet) {
    if (!dataSet.tagExistsWithValue(DCM_NumberOfFrames)) return 1;
    const std::string text = firstString(dataSet, DCM_NumberOfFrames);
    uint64_t value = 0;
    size_t index = 0;
    while (index < text.size() && text[index] == ' ') ++index;
    if (index < text.size() && text[index] == '+') ++index;
    const size_t first = index;
    for (; index < text.size() && text[index] >= '0' && text[index] <= '9' && value < 1u << 30; ++index)
        value = value * 10 + static_cast<uint64_t>(text[index] - '0');
    if (index == first || index != text.size() || value == 0 || value > INT32_MAX)
        refuse("invalid-attribute", "NumberOfFrames is not a positive integer");
    return static_cast<uint32_t>(value);
}

/// LUT Descriptor and LUT Data of the sequence's first item. Returns false where there is a sequence that cannot be used.
bool readLookupTable(DcmDataset &dataSet, const DcmTagKey &sequence, const Image &image, LookupTable &table) {
    DcmItem *item = nullptr;
    if (dataSet.findAndGetSequenceItem(sequence, item, 0).bad() || item == nullptr) {
        DcmElement *element = nullptr;  // an empty sequence is no transform; anything else by that tag is an error
        return dataSet.findAndGetElement(sequence, element).bad() || element->getLength() == 0;
    }
    DcmElement *descriptor = nullptr, *data = nullptr;
    if (item->findAndGetElement(DCM_LUTDescriptor, descriptor).bad() || descriptor->getLength() != 6) return false;
    if (item->findAndGetElement(DCM_LUTData, data).bad()) return false;

    uint16_t values[3];
    for (unsigned long index = 0; index < 3; ++index) {
        Uint16 unsignedValue = 0;
        Sint16 signedValue = 0;
        if (descriptor->getVR() == EVR_SS && descriptor->getSint16(signedValue, index).good())
            values[index] = static_cast<uint16_t>(signedValue);
        else if (descriptor->getUint16(unsignedValue, index).good())
            values[index] = unsignedValue;
        else
            return false;
    }
    const uint32_t entries = values[0] == 0 ? 65536 : values[0];
    const uint32_t bits = values[2];
    if (bits < 8 || bits > 16) return false;
    // PS3.3 C.11.1.1.1: SS with signed stored values. Implicit VR leaves the choice to us.
    const bool isAmbiguous = descriptor->getVR() == EVR_xs || descriptor->getVR() == EVR_lt;
    const bool isSigned = descriptor->getVR() == EVR_SS || (isAmbiguous && image.isSigned);

    Uint16 *words = nullptr;
    if (data->getVR() == EVR_SS) {
        Sint16 *signedWords = nullptr;
        if (data->getSint16Array(signedWords).bad()) return false;
        words = reinterpret_cast<Uint16 *>(signedWords);
    } else if (data->getUint16Array(words).bad()) {
        return false;
    }
    const size_t bytes = data->getLength();
    if (words == nullptr) return false;
    table.entries.resize(entries);
    if (bytes / 2 >= entries) {
        std::copy(words, words + entries, table.entries.begin());
    } else if (bits == 8 && bytes >= entries) {  // two 8-bit entries in a word, the first one low
        for (size_t index = 0; index < entries; ++index)
            table.entries[index] = static_cast<uint16_t>(words[index / 2] >> (index % 2 * 8) & 0xFF);
    } else {
        table.entries.clear();
        return false;
    }
    table.descriptor = {entries, isSigned ? static_cast<int16_t>(values[1]) : static_cast<int32_t>(values[1]), bits};
    return true;
}

void readRescale(DcmDataset &dataSet, Frame &frame) {
    cdcmtk_frame_header &header = frame.header;
    header.rescale_slope = 1;
    header.rescale_intercept = 0;
    const bool hasSlope = dataSet.tagExistsWithValue(DCM_RescaleSlope);
    const bool hasIntercept = dataSet.tagExistsWithValue(DCM_RescaleIntercept);
    if (!hasSlope && !hasIntercept) return;
    Float64 slope = 1, intercept = 0;
    const bool isReadable = (!hasSlope || dataSet.findAndGetFloat64(DCM_RescaleSlope, slope).good()) &&
                            (!hasIntercept || dataSet.findAndGetFloat64(DCM_RescaleIntercept, intercept).good());
    if (!isReadable || !std::isfinite(slope) || !std::isfinite(intercept) || slope == 0) {
        header.flags |= CDCMTK_FRAME_MODALITY_IGNORED;
        return;
    }
    header.rescale_slope = slope;
    header.rescale_intercept = intercept;
}

/// The first window. PS3.3 C.11.2.1.2: a LINEAR width is at least 1, the others' above 0.
void readWindow(DcmDataset &dataSet, Frame &frame) {
    cdcmtk_frame_header &header = frame.header;
    if (!dataSet.tagExistsWithValue(DCM_WindowCenter) && !dataSet.tagExistsWithValue(DCM_WindowWidth)) return;
    Float64 center = 0, width = 0;
    uint32_t function = CDCMTK_WINDOW_LINEAR;
    const std::string name = firstString(dataSet, DCM_VOILUTFunction);
    if (name == "LINEAR_EXACT") function = CDCMTK_WINDOW_LINEAR_EXACT;
    else if (name == "SIGMOID") function = CDCMTK_WINDOW_SIGMOID;
    else if (!name.empty() && name != "LINEAR") function = CDCMTK_WINDOW_NONE;
    const bool isReadable = dataSet.findAndGetFloat64(DCM_WindowCenter, center).good() &&
                            dataSet.findAndGetFloat64(DCM_WindowWidth, width).good();
    const bool isUsable = isReadable && std::isfinite(center) && std::isfinite(width) &&
                          (function == CDCMTK_WINDOW_LINEAR ? width >= 1 : width > 0);
    if (function == CDCMTK_WINDOW_NONE || !isUsable) {
        header.flags |= CDCMTK_FRAME_VOI_IGNORED;
        return;
    }
    header.window_function = function;
    header.window_center = center;
    header.window_width = width;
}

}  // namespace

Image describe(DcmDataset &dataSet, uint64_t frameBytesLimit) {
    Image image;
    image.coding = codingOf(dataSet.getOriginalXfer(), image.isLossy);
    if (!dataSet.tagExists(DCM_PixelData)) refuse("no-pixel-data", "the object has no Pixel Data (7FE0,0010)");

    image.rows = requiredUS(dataSet, DCM_Rows, "Rows");
    image.columns = requiredUS(dataSet, DCM_Columns, "Columns");
    if (image.rows == 0 || image.columns == 0 || image.rows > maximumSide || image.columns > maximumSide)
        refuse("invalid-dimensions", std::to_string(image.rows) + " rows x " + std::to_string(image.columns) +
                                         " columns; 1 to " + std::to_string(maximumSide) + " are decoded");
    image.samples = requiredUS(dataSet, DCM_SamplesPerPixel, "SamplesPerPixel");
    image.photometric = photometricOf(firstString(dataSet, DCM_PhotometricInterpretation));
    const bool isMonochrome =
        image.photometric == Photometric::monochrome1 || image.photometric == Photometric::monochrome2;
    if (image.samples != (isMonochrome ? 1u : 3u))
        refuse("invalid-attribute", "SamplesPerPixel " + std::to_string(image.samples) +
                                        " does not fit the PhotometricInterpretation");

    image.bitsAllocated = requiredUS(dataSet, DCM_BitsAllocated, "BitsAllocated");
    image.bitsStored = requiredUS(dataSet, DCM_BitsStored, "BitsStored");
    image.highBit = requiredUS(dataSet, DCM_HighBit, "HighBit");
    if (image.bitsAllocated != 8 && image.bitsAllocated != 16)
        refuse("unsupported-bit-depth", "BitsAllocated is " + std::to_string(image.bitsAllocated) + "; 8 or 16 are decoded");
    if (image.bitsStored == 0 || image.bitsStored > image.bitsAllocated || image.highBit >= image.bitsAllocated ||
        image.highBit + 1 < image.bitsStored)
        refuse("invalid-attribute", "BitsAllocated " + std::to_string(image.bitsAllocated) + ", BitsStored " +
                                        std::to_string(image.bitsStored) + ", HighBit " +
                                        std::to_string(image.highBit) + " contradict each other");
    const uint16_t representation = requiredUS(dataSet, DCM_PixelRepresentation, "PixelRepresentation");
    if (representation > 1) refuse("invalid-attribute", "PixelRepresentation is neither 0 nor 1");
    image.isSigned = representation == 1;
    if (image.samples == 3) {
        if (image.isSigned) refuse("unsupported-photometric", "signed colour samples");
        if (dataSet.tagExistsWithValue(DCM_PlanarConfiguration)) {
            const uint16_t planar = requiredUS(dataSet, DCM_PlanarConfiguration, "PlanarConfiguration");
            if (planar > 1) refuse("invalid-attribute", "PlanarConfiguration is neither 0 nor 1");
            image.isPlanar = planar == 1;
        }
        if (image.photometric != Photometric::rgb && (image.bitsAllocated != 8 || image.bitsStored != 8))
            refuse("unsupported-photometric", "YBR with other than 8 bits");
    }
    image.frames = numberOfFrames(dataSet);

    // 16384 x 16384 x 3 x 2 fits 64 bits many times over.
    const uint64_t bytes = uint64_t{image.rows} * image.columns * image.samples * (image.bitsAllocated / 8);
    const uint64_t limit = frameBytesLimit == 0 || frameBytesLimit > maximumFrameBytes ? maximumFrameBytes : frameBytesLimit;
    if (bytes > limit)
        refuse("frame-too-large", std::to_string(bytes) + " bytes; the limit is " + std::to_string(limit));
    return image;
}

void readTransforms(DcmDataset &dataSet, const Image &image, Frame &frame) {
    if (!readLookupTable(dataSet, DCM_ModalityLUTSequence, image, frame.modality))
        frame.header.flags |= CDCMTK_FRAME_MODALITY_IGNORED;
    readRescale(dataSet, frame);
    if (!readLookupTable(dataSet, DCM_VOILUTSequence, image, frame.voi)) frame.header.flags |= CDCMTK_FRAME_VOI_IGNORED;
    readWindow(dataSet, frame);
    if (firstString(dataSet, DCM_PresentationLUTShape) == "INVERSE")
        frame.header.flags |= CDCMTK_FRAME_PRESENTATION_INVERSE;
}

}  // namespace cdcmtk
