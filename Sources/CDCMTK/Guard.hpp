#pragma once

// The C++ side of cdcmtk_common.h. Included by every .cpp of this target, by nothing else.

#include "include/cdcmtk_common.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <utility>

class OFCondition;

namespace cdcmtk {

/// Thrown inside the shim to leave a function from any depth; never crosses `guarded`.
struct Failure {
    cdcmtk_status status;
    int32_t detail;
    std::string text;

    Failure(cdcmtk_status status, std::string text, int32_t detail = 0)
        : status(status), detail(detail), text(std::move(text)) {}
};

/// Fills `*error` and returns `status`: `return failed(error, CDCMTK_INVALID_INPUT, "…");`
inline cdcmtk_status failed(cdcmtk_error *error, cdcmtk_status status, const char *text, int32_t detail = 0) noexcept {
    error->code = status;
    error->detail = detail;
    std::snprintf(error->text, sizeof error->text, "%s", text);
    return status;
}

/// The failure of a system call, to be thrown: `throw systemFailure("fdatasync");`. Reads errno.
inline Failure systemFailure(const char *call) {
    const int number = errno;
    char message[128] = "";
    // GNU strerror_r: returns the text, which need not be in the buffer.
    const char *text = strerror_r(number, message, sizeof message);
    return Failure(CDCMTK_SYSTEM_ERROR, std::string(call) + ": " + text, number);
}

/// The one place where DCMTK's conditions become ours. `doing` says what was being done.
Failure failure(const char *doing, const OFCondition &condition);

/// Throws `failure(doing, condition)` unless the condition is good.
void check(const char *doing, const OFCondition &condition);

/// The body of every `extern "C"` function that can fail: no exception crosses into C or Swift. `body` returns void or
/// a cdcmtk_status; whatever it throws becomes a status and a text. The target's only `catch`.
template <typename Body>
cdcmtk_status guarded(cdcmtk_error *error, Body &&body) noexcept {
    try {
        if constexpr (std::is_void_v<decltype(body())>) {
            body();
            return CDCMTK_OK;
        } else {
            return body();
        }
    } catch (const Failure &failure) {
        return failed(error, failure.status, failure.text.c_str(), failure.detail);
    } catch (const std::bad_alloc &) {
        return failed(error, CDCMTK_OUT_OF_MEMORY, "out of memory");
    } catch (const std::exception &exception) {
        return failed(error, CDCMTK_LIBRARY_ERROR, exception.what());
    } catch (...) {
        return failed(error, CDCMTK_LIBRARY_ERROR, "an exception of unknown type");
    }
}

}  // namespace cdcmtk
