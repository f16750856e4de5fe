#ifndef CDCMTK_DECODE_H
#define CDCMTK_DECODE_H

// Decoding one frame in a child process: what the child `radialog-decode` runs, and the layout of what it answers.
//
// The child reads a DICOM file from standard input, gives up all rights it does not need, decodes the first frame and
// writes one answer to standard output: a cdcmtk_frame_header, the entries of its LUTs, the raw frame. Nothing else.
// A refusal is one line "code: text" on standard error and an exit status below. Only the child calls
// cdcmtk_decode_main and cdcmtk_decode_probe: they change the process for good.

#include "cdcmtk_common.h"

#ifdef __cplusplus
extern "C" {
#endif

#pragma clang assume_nonnull begin

/// "RDXF" read as little-endian bytes.
#define CDCMTK_FRAME_MAGIC 0x46584452u
#define CDCMTK_FRAME_VERSION 1u

/// Exit statuses of the child, apart from 0. Numbers that neither a shell nor a signal uses.
enum {
    /// The file was read and refused; standard error has "code: text".
    CDCMTK_DECODE_EXIT_REFUSED = 10,
    /// The child could not do its work (no memory, no dictionary, cannot write); same form on standard error.
    CDCMTK_DECODE_EXIT_FAILED = 11,
    /// Wrong command line.
    CDCMTK_DECODE_EXIT_USAGE = 12,
};

/// (0028,0004), after the decoder turned YBR into RGB.
enum { CDCMTK_MONOCHROME1 = 1, CDCMTK_MONOCHROME2 = 2, CDCMTK_RGB = 3 };

/// (0028,1056).
enum { CDCMTK_WINDOW_NONE = 0, CDCMTK_WINDOW_LINEAR = 1, CDCMTK_WINDOW_LINEAR_EXACT = 2, CDCMTK_WINDOW_SIGMOID = 3 };

/// Bits of `cdcmtk_frame_header.flags`.
enum {
    /// The frame's samples are two's complement.
    CDCMTK_FRAME_SIGNED = 1,
    /// (2050,0020) is INVERSE.
    CDCMTK_FRAME_PRESENTATION_INVERSE = 2,
    /// The transform of the data set could not be used (slope 0, bad LUT descriptor, …) and was left out.
    CDCMTK_FRAME_MODALITY_IGNORED = 4,
    CDCMTK_FRAME_VOI_IGNORED = 8,
    /// The system-call filter is in force. Without it: resource limits and no-new-privileges only.
    CDCMTK_FRAME_SECCOMP = 16,
    /// The JPEG 2000 codestream holds more bits than Bits Stored says; `bits_stored` is the codestream's.
    CDCMTK_FRAME_BITS_WIDENED = 32,
};

/// One lookup table: PS3.3 C.11.1.1. `entries` 0: there is none.
typedef struct {
    uint32_t entries;
    int32_t first_mapped;
    uint32_t bits_per_entry;
} cdcmtk_lut_descriptor;

/// Little-endian, no padding. Followed by `modality_lut.entries` then `voi_lut.entries` uint16, then `frame_bytes`
/// bytes: rows x columns x samples (interleaved), `bytes_per_sample` each, stored values already masked to
/// `bits_stored`, shifted down from High Bit, and sign-extended where CDCMTK_FRAME_SIGNED.
typedef struct {
    uint32_t magic;
    uint32_t version;
    uint32_t rows;
    uint32_t columns;
    uint32_t samples;
    uint32_t bytes_per_sample;
    uint32_t bits_stored;
    uint32_t photometric;
    uint32_t flags;
    uint32_t number_of_frames;
    double rescale_slope;
    double rescale_intercept;
    double window_center;
    double window_width;
    uint32_t window_function;
    cdcmtk_lut_descriptor modality_lut;
    cdcmtk_lut_descriptor voi_lut;
    uint32_t reserved;
    uint64_t frame_bytes;
} cdcmtk_frame_header;

/// What the child may use; 0 leaves that limit as it is.
typedef struct {
    uint64_t address_space_bytes;
    uint64_t cpu_seconds;
    uint64_t file_bytes;
    uint64_t frame_bytes;
} cdcmtk_decode_limits;

/// The whole work of the child: limits, sandbox, read standard input, decode, write standard output.
/// Returns the exit status. Call once, on the main thread, with nothing else running.
int32_t cdcmtk_decode_main(const cdcmtk_decode_limits *limits);

/// Puts the sandbox on and tries what it forbids; one line "seccomp=on|off socket=EPERM open=EPERM …" on standard
/// output, each with the errno's name or "allowed". Returns 0 where all of it was denied, otherwise
/// CDCMTK_DECODE_EXIT_FAILED.
int32_t cdcmtk_decode_probe(const cdcmtk_decode_limits *limits);

/// Widens `count` little-endian samples of `bytes_per_sample` (1 or 2) to int32, sign-extended where `is_signed` is not
/// 0. Returns 1 where every one of them fits `bits_stored`, otherwise 0: `samples` is written in full all the same.
/// In C because the frame is the one place where a debug build would wait for a loop.
uint8_t cdcmtk_frame_widen(const uint8_t *bytes, size_t count, uint32_t bytes_per_sample, uint32_t bits_stored,
                           uint8_t is_signed, int32_t *samples);

/// A started child: its process id (also its process group), and the read ends of its two outputs, which the caller
/// closes. Whoever holds this must wait for the process.
typedef struct {
    int32_t process;
    int32_t standard_output;
    int32_t standard_error;
} cdcmtk_child;

/// Starts `executable` with `input` as its standard input (borrowed: the child gets a duplicate), pipes for the other
/// two, no other descriptor, an environment of LC_ALL=C, default signals, a process group of its own.
/// `arguments` excludes the program's name. On failure nothing is left open and `error.detail` is the errno. Any thread.
cdcmtk_status cdcmtk_child_start(const char *executable, const char *const _Nonnull *_Nonnull arguments,
                                 size_t argument_count, int32_t input, cdcmtk_child *child, cdcmtk_error *error);

#pragma clang assume_nonnull end

#ifdef __cplusplus
}
static_assert(sizeof(cdcmtk_lut_descriptor) == 12, "layout of the child's answer");
static_assert(sizeof(cdcmtk_frame_header) == 112, "layout of the child's answer");
#endif

#endif
