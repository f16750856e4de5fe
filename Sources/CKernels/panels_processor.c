// Whether this processor, and this process, may use AMX.
#if defined(__x86_64__)
#if !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "panels_kernels.h"

#include <cpuid.h>
#include <pthread.h>
#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

static bool has_bf16, has_fp16, has_int8;

/// Linux hands out the 8 KiB of tile registers on request. Source: Documentation/arch/x86/xstate.rst.
static bool permit_tiles(void) {
#if defined(__linux__)
    enum { arch_req_xcomp_perm = 0x1023, xfeature_xtiledata = 18 };
    return syscall(SYS_arch_prctl, arch_req_xcomp_perm, xfeature_xtiledata) == 0;
#else
    return false;
#endif
}

/// Bits: Intel SDM, CPUID leaf 7; XCR0 bits 1, 2 (AVX), 5-7 (AVX-512), 17, 18 (tiles).
static void look(void) {
    enum { extended_state = 0x600E6, osxsave = 1 << 27, tile = 1 << 24, amx_bf16 = 1 << 22, amx_int8 = 1 << 25, half = 1 << 23, vector_bf16 = 1 << 5, amx_fp16 = 1 << 21 };
    unsigned a, b, c, d, a1, b1, c1, d1;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & osxsave)) return;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !__get_cpuid_count(7, 1, &a1, &b1, &c1, &d1)) return;
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    if ((low & extended_state) != extended_state || !(d & tile) || !permit_tiles()) return;
    has_int8 = d & amx_int8;
    has_bf16 = (d & amx_bf16) && (d & half) && (a1 & vector_bf16);
    has_fp16 = has_bf16 && (a1 & amx_fp16);
#if defined(CK_EMULATE_AMX_FP16)
    has_fp16 = has_bf16;
#endif
}

static void look_once(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, look);
}

bool ck_processor_has_int8_tiles(void) {
    look_once();
    return has_int8;
}

bool ck_processor_has_panels(ck_panel_arithmetic arithmetic) {
    look_once();
    return arithmetic == CK_PANEL_FP16 ? has_fp16 : has_bf16;
}
#endif
