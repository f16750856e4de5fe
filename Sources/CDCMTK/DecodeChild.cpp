#include "Guard.hpp"
#include "include/cdcmtk_decode.h"

#include <csignal>
#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

#include <vector>

namespace cdcmtk {

namespace {

/// A descriptor that closes itself unless it was given away.
class Descriptor {
public:
    Descriptor() = default;
    Descriptor(const Descriptor &) = delete;
    Descriptor &operator=(const Descriptor &) = delete;
    ~Descriptor() {
        if (number >= 0) close(number);
    }
    void set(int value) { number = value; }
    int get() const { return number; }
    int release() { return std::exchange(number, -1); }

private:
    int number = -1;
};

/// Close-on-exec, and never 0, 1 or 2: a daemon may have been started without those, and dup2 would then collide.
void openPipe(Descriptor &readEnd, Descriptor &writeEnd) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw systemFailure("pipe2");
    Descriptor first, second;
    first.set(ends[0]);
    second.set(ends[1]);
    readEnd.set(fcntl(first.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    writeEnd.set(fcntl(second.get(), F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
    if (readEnd.get() < 0 || writeEnd.get() < 0) throw systemFailure("fcntl(F_DUPFD_CLOEXEC)");
}

struct Actions {
    posix_spawn_file_actions_t value;
    Actions() {
        if (posix_spawn_file_actions_init(&value) != 0) throw std::bad_alloc();
    }
    ~Actions() { posix_spawn_file_actions_destroy(&value); }
};

struct Attributes {
    posix_spawnattr_t value;
    Attributes() {
        if (posix_spawnattr_init(&value) != 0) throw std::bad_alloc();
    }
    ~Attributes() { posix_spawnattr_destroy(&value); }
};

void require(int code, const char *call) {
    if (code == 0) return;
    errno = code;
    throw systemFailure(call);
}

}  // namespace

}  // namespace cdcmtk

extern "C" cdcmtk_status cdcmtk_child_start(const char *executable, const char *const *arguments, size_t argument_count,
                                            int32_t input, cdcmtk_child *child, cdcmtk_error *error) {
    using namespace cdcmtk;
    return guarded(error, [&] {
        Descriptor outputRead, outputWrite, errorRead, errorWrite, inputCopy;
        openPipe(outputRead, outputWrite);
        openPipe(errorRead, errorWrite);
        inputCopy.set(fcntl(input, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
        if (inputCopy.get() < 0) throw systemFailure("fcntl(F_DUPFD_CLOEXEC)");

        Actions actions;
        require(posix_spawn_file_actions_adddup2(&actions.value, inputCopy.get(), STDIN_FILENO), "adddup2");
        require(posix_spawn_file_actions_adddup2(&actions.value, outputWrite.get(), STDOUT_FILENO), "adddup2");
        require(posix_spawn_file_actions_adddup2(&actions.value, errorWrite.get(), STDERR_FILENO), "adddup2");
        // DCMTK's sockets are not close-on-exec.
        require(posix_spawn_file_actions_addclosefrom_np(&actions.value, STDERR_FILENO + 1), "addclosefrom");

        Attributes attributes;
        sigset_t none, all;
        sigemptyset(&none);
        sigfillset(&all);
        require(posix_spawnattr_setsigmask(&attributes.value, &none), "setsigmask");
        require(posix_spawnattr_setsigdefault(&attributes.value, &all), "setsigdefault");
        require(posix_spawnattr_setpgroup(&attributes.value, 0), "setpgroup");
        require(posix_spawnattr_setflags(&attributes.value,
                                         POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP),
                "setflags");

        std::vector<char *> argumentVector{const_cast<char *>(executable)};
        for (size_t index = 0; index < argument_count; ++index)
            argumentVector.push_back(const_cast<char *>(arguments[index]));
        argumentVector.push_back(nullptr);
        char locale[] = "LC_ALL=C";
        char *environment[] = {locale, nullptr};
        pid_t process = 0;
        require(posix_spawn(&process, executable, &actions.value, &attributes.value, argumentVector.data(), environment),
                "posix_spawn");
        *child = {process, outputRead.release(), errorRead.release()};
    });
}

extern "C" uint8_t cdcmtk_frame_widen(const uint8_t *bytes, size_t count, uint32_t bytes_per_sample, uint32_t bits_stored,
                                      uint8_t is_signed, int32_t *samples) {
    const int32_t least = is_signed != 0 ? -(int32_t{1} << (bits_stored - 1)) : 0;
    const int32_t greatest = is_signed != 0 ? -least - 1 : (int32_t{1} << bits_stored) - 1;
    bool fits = true;
    for (size_t index = 0; index < count; ++index) {
        int32_t value;
        if (bytes_per_sample == 1) {
            value = is_signed != 0 ? static_cast<int8_t>(bytes[index]) : bytes[index];
        } else {
            const auto word = static_cast<uint16_t>(bytes[2 * index] | bytes[2 * index + 1] << 8);
            value = is_signed != 0 ? static_cast<int16_t>(word) : word;
        }
        fits &= value >= least && value <= greatest;
        samples[index] = value;
    }
    return fits ? 1 : 0;
}
