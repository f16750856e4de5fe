// TDPFP16PS in software, for checks (Benchmarks/README.md) on a processor that lacks it. Sums of even and odd columns, then their sum (SDM).
#ifndef CK_AMX_FP16_EMULATED_H
#define CK_AMX_FP16_EMULATED_H

#include <immintrin.h>
#include <string.h>

#define CK_EMULATED_DPFP16PS(c, a, b)                                                                                    \
    {                                                                                                                    \
        _Alignas(64) _Float16 p[512], q[512];                                                                            \
        _Alignas(64) float sum[256];                                                                                     \
        memset(p, 0, sizeof p);                                                                                          \
        _tile_stored(a, p, 64);                                                                                          \
        _tile_stored(b, q, 64);                                                                                          \
        _tile_stored(c, sum, 64);                                                                                        \
        for (size_t m = 0; m < 16; m++) {                                                                                \
            for (size_t n = 0; n < 16; n++) {                                                                            \
                float even = 0, odd = 0;                                                                                 \
                for (size_t k = 0; k < 16; k++) {                                                                        \
                    even = __builtin_fmaf((float)p[m * 32 + 2 * k], (float)q[k * 32 + 2 * n], even);                     \
                    odd = __builtin_fmaf((float)p[m * 32 + 2 * k + 1], (float)q[k * 32 + 2 * n + 1], odd);               \
                }                                                                                                        \
                sum[m * 16 + n] += even + odd;                                                                           \
            }                                                                                                            \
        }                                                                                                                \
        __asm__ volatile("" : : "r"(sum) : "memory");                                                                    \
        _tile_loadd(c, sum, 64);                                                                                         \
    }

#endif
