// radialog-decode: the child process that decodes one frame. Started by `FrameDecoder`, never by hand:
//
//   radialog-decode [--probe] ADDRESS-SPACE-BYTES CPU-SECONDS FILE-BYTES FRAME-BYTES < FILE | …
//
// Its whole contract is CDCMTK's cdcmtk_decode.h: one answer on standard output, or one line on standard error.

import CDCMTK
import Glibc

let arguments = CommandLine.arguments.dropFirst()
let numbers = arguments.suffix(4).compactMap { UInt64($0) }
let isProbe = arguments.count == 5 && arguments.first == "--probe"
guard numbers.count == 4, isProbe || arguments.count == 4 else {
    let usage = "usage: radialog-decode [--probe] ADDRESS-SPACE-BYTES CPU-SECONDS FILE-BYTES FRAME-BYTES\n"
    write(STDERR_FILENO, usage, usage.utf8.count)
    exit(Int32(CDCMTK_DECODE_EXIT_USAGE))
}
var limits = cdcmtk_decode_limits(
    address_space_bytes: numbers[0], cpu_seconds: numbers[1], file_bytes: numbers[2], frame_bytes: numbers[3])
// _exit: all output went through write(2), and no destructor of a library that has read hostile bytes is worth running.
_exit(isProbe ? cdcmtk_decode_probe(&limits) : cdcmtk_decode_main(&limits))
