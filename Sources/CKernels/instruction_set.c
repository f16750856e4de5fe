// Which instruction set this processor has, and its kernels.
#include "kernels.h"

ck_instruction_set ck_best_instruction_set(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512bw")) {
        return CK_AVX512;
    }
    if (avx2) return CK_AVX2;
#endif
    return CK_SCALAR;
}

const ck_kernels *ck_kernels_of(ck_instruction_set set) {
#if defined(__x86_64__)
    if (set == CK_AVX512) return &ck_avx512_kernels;
    if (set == CK_AVX2) return &ck_avx2_kernels;
#endif
    return &ck_scalar_kernels;
}
