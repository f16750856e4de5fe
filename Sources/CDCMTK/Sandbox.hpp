#pragma once

// What the decoder child gives up before it looks at a byte of the file.

#include "include/cdcmtk_decode.h"

namespace cdcmtk {

/// Resource limits, no core, no new privileges, dies with its parent. Throws Failure where the kernel refuses.
void limitProcess(const cdcmtk_decode_limits &limits);

/// The system-call filter: computing, memory, reading and writing open descriptors, exiting; every other call gives
/// EPERM. Returns false where the kernel (or this architecture's build) has no seccomp: the child then runs with the
/// resource limits only, and says so in its answer. Cannot be undone.
bool filterSystemCalls();

}  // namespace cdcmtk
