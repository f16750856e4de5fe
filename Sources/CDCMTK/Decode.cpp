#include "DecodeImage.hpp"
#include "Sandbox.hpp"

#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

namespace cdcmtk {

namespace {

/// What needs files or locks, before the sandbox closes.
void loadLibraries() {
    cdcmtk_initialize();
    if (!dcmDataDict.isDictionaryLoaded())
        throw Failure(CDCMTK_SYSTEM_ERROR, "dictionary-missing: DCMTK's dicom.dic was not found");
    DJDecoderRegistration::registerCodecs(EDC_photometricInterpretation, EUC_never, EPC_colorByPixel);
    DJLSDecoderRegistration::registerCodecs(EJLSUC_never, EJLSPC_colorByPixel);
}

struct Input {
    const uint8_t *bytes;
    size_t count;
};

/// Maps standard input, which must be a regular file.
Input mapStandardInput(uint64_t limit) {
    struct stat status {};
    if (fstat(STDIN_FILENO, &status) != 0) throw systemFailure("fstat");
    if (!S_ISREG(status.st_mode)) refuse("not-a-file", "standard input is not a regular file");
    if (status.st_size <= 0) refuse("not-dicom", "the file is empty");
    if (limit != 0 && static_cast<uint64_t>(status.st_size) > limit)
        refuse("file-too-large", std::to_string(status.st_size) + " bytes; the limit is " + std::to_string(limit));
    const size_t count = static_cast<size_t>(status.st_size);
    void *bytes = mmap(nullptr, count, PROT_READ, MAP_PRIVATE, STDIN_FILENO, 0);
    if (bytes == MAP_FAILED) throw systemFailure("mmap");
    return {static_cast<const uint8_t *>(bytes), count};
}

void writeAll(const void *bytes, size_t count) {
    const auto *next = static_cast<const uint8_t *>(bytes);
    while (count > 0) {
        const ssize_t written = write(STDOUT_FILENO, next, count);
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) throw systemFailure("write");
        next += written;
        count -= static_cast<size_t>(written);
    }
}

void parse(const Input &input, DcmFileFormat &file) {
    DcmInputBufferStream stream;
    stream.setBuffer(input.bytes, static_cast<offile_off_t>(input.count));
    stream.setEos();
    file.transferInit();
    const OFCondition condition = file.read(stream, EXS_Unknown, EGL_noChange);
    file.transferEnd();
    if (condition.bad()) refuse("unreadable-data-set", condition.text());
    // DCMTK guesses at a data set whose transfer syntax it does not know; we do not.
    DcmMetaInfo *meta = file.getMetaInfo();
    OFString declared;
    if (meta != nullptr && meta->findAndGetOFString(DCM_TransferSyntaxUID, declared).good() && !declared.empty() &&
        DcmXfer(declared.c_str()).getXfer() == EXS_Unknown) {
        std::string shown;  // a UID and nothing else may be repeated
        for (const char character : declared)
            if (shown.size() < 64 && (character == '.' || (character >= '0' && character <= '9'))) shown += character;
        refuse("unsupported-transfer-syntax", shown + " is not decoded");
    }
}

void decode(const cdcmtk_decode_limits &limits) {
    loadLibraries();
    const Input input = mapStandardInput(limits.file_bytes);
    limitProcess(limits);
    const bool isFiltered = filterSystemCalls();

    DcmFileFormat file;
    parse(input, file);
    DcmDataset &dataSet = *file.getDataset();
    Image image = describe(dataSet, limits.frame_bytes);
    Frame frame;
    readTransforms(dataSet, image, frame);
    decodeFirstFrame(dataSet, image, frame);
    if (isFiltered) frame.header.flags |= CDCMTK_FRAME_SECCOMP;

    writeAll(&frame.header, sizeof frame.header);
    writeAll(frame.modality.entries.data(), frame.modality.entries.size() * sizeof(uint16_t));
    writeAll(frame.voi.entries.data(), frame.voi.entries.size() * sizeof(uint16_t));
    writeAll(frame.cells.data(), frame.cells.size());
}

int32_t report(cdcmtk_status status, const cdcmtk_error &error) {
    if (status == CDCMTK_OK) return 0;
    const bool isRefusal = status == CDCMTK_INVALID_INPUT;
    const bool isMemory = status == CDCMTK_OUT_OF_MEMORY;
    dprintf(STDERR_FILENO, "%s%s\n", isRefusal ? "" : isMemory ? "out-of-memory: " : "failed: ", error.text);
    return isRefusal || isMemory ? CDCMTK_DECODE_EXIT_REFUSED : CDCMTK_DECODE_EXIT_FAILED;
}

/// "name=EPERM", and whether it was denied.
bool tried(const char *name, long result, std::string &line) {
    line += std::string(" ") + name + "=" + (result >= 0 ? "allowed" : strerrorname_np(errno));
    return result < 0;
}

}  // namespace

}  // namespace cdcmtk

extern "C" int32_t cdcmtk_decode_main(const cdcmtk_decode_limits *limits) {
    cdcmtk_error error{};
    return cdcmtk::report(cdcmtk::guarded(&error, [&] { cdcmtk::decode(*limits); }), error);
}

extern "C" int32_t cdcmtk_decode_probe(const cdcmtk_decode_limits *limits) {
    cdcmtk_error error{};
    const cdcmtk_status status = cdcmtk::guarded(&error, [&] {
        cdcmtk::loadLibraries();
        cdcmtk::limitProcess(*limits);
        std::string line = cdcmtk::filterSystemCalls() ? "seccomp=on" : "seccomp=off";
        char *const nothing[] = {nullptr};
        bool isDenied = cdcmtk::tried("socket", socket(AF_INET, SOCK_STREAM, 0), line);
        isDenied &= cdcmtk::tried("open", open("/tmp", O_TMPFILE | O_WRONLY, 0600), line);
        isDenied &= cdcmtk::tried("read", open("/etc/passwd", O_RDONLY), line);
        isDenied &= cdcmtk::tried("kill", kill(getppid(), 0), line);
        isDenied &= cdcmtk::tried("exec", execve("/bin/true", nothing, nothing), line);
        const pid_t child = fork();
        if (child == 0) _exit(0);
        isDenied &= cdcmtk::tried("fork", child, line);
        line += "\n";
        cdcmtk::writeAll(line.data(), line.size());
        if (!isDenied) throw cdcmtk::Failure(CDCMTK_SYSTEM_ERROR, "sandbox-open: not every call was denied");
    });
    return cdcmtk::report(status, error);
}
