#include "Sandbox.hpp"

#include "Guard.hpp"

#include <cstddef>

#include <csignal>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

namespace cdcmtk {

namespace {

/// Lowers a limit, hard and soft; never raises it. `name` for the message.
void lower(int resource, rlim_t value, const char *name) {
    rlimit limit{};
    if (getrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) throw systemFailure(name);
    if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < value) value = limit.rlim_max;
    limit.rlim_cur = limit.rlim_max = value;
    if (setrlimit(static_cast<__rlimit_resource>(resource), &limit) != 0) throw systemFailure(name);
}

#if defined(__x86_64__)
constexpr uint32_t architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t architecture = AUDIT_ARCH_AARCH64;
#else
constexpr uint32_t architecture = 0;  // no filter written for it
#endif

/// All that a decoder needs once its input is mapped and its libraries are loaded. An allow list: a call that is not
/// here, or that a later kernel adds, is denied. x32 numbers (bit 30 set) match none of these.
constexpr uint32_t allowed[] = {
    SYS_read, SYS_write, SYS_writev, SYS_close, SYS_fstat, SYS_lseek,
    SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_brk,
    SYS_futex, SYS_sched_yield, SYS_getrandom, SYS_clock_gettime,
    SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack, SYS_restart_syscall,
    SYS_getpid, SYS_gettid, SYS_tgkill,  // abort()
    SYS_exit, SYS_exit_group,
};

}  // namespace

void limitProcess(const cdcmtk_decode_limits &limits) {
    // The parent asked for it by starting us; a parent that is gone reads no answer.
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) throw systemFailure("prctl(PR_SET_PDEATHSIG)");
    // No ptrace by other processes of this user, and no core with a patient's image.
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) throw systemFailure("prctl(PR_SET_DUMPABLE)");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) throw systemFailure("prctl(PR_SET_NO_NEW_PRIVS)");

    lower(RLIMIT_CORE, 0, "setrlimit(CORE)");
    lower(RLIMIT_FSIZE, 0, "setrlimit(FSIZE)");
    lower(RLIMIT_NOFILE, 0, "setrlimit(NOFILE)");  // what is open stays open; nothing more can be
    lower(RLIMIT_NPROC, 0, "setrlimit(NPROC)");
    if (limits.address_space_bytes != 0) lower(RLIMIT_AS, limits.address_space_bytes, "setrlimit(AS)");
    if (limits.cpu_seconds != 0) lower(RLIMIT_CPU, limits.cpu_seconds, "setrlimit(CPU)");  // ends in SIGKILL
}

bool filterSystemCalls() {
    if (architecture == 0) return false;
    constexpr size_t count = sizeof allowed / sizeof allowed[0];
    constexpr size_t prologue = 4, epilogue = 2;
    static_assert(count < 200, "jump offsets of a filter are bytes");

    sock_filter program[prologue + count + epilogue] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, architecture, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),  // another ABI numbers its calls differently
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
    };
    for (size_t index = 0; index < count; ++index) {
        const auto toAllow = static_cast<uint8_t>(count - index);
        program[prologue + index] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[index], toAllow, 0);
    }
    program[prologue + count] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    program[prologue + count + 1] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);

    const sock_fprog filter{static_cast<unsigned short>(prologue + count + epilogue), program};
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0;
}

}  // namespace cdcmtk
