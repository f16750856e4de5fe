// Products of panels with whole numbers in AMX tiles (Sapphire Rapids on), for more than twelve rows: the bits of panels_int8.h, whose vectors are faster
// for fewer. A tile product is a block of 32 columns of sixteen rows and sixteen outputs: half of what a tile could hold, because the next block has
// other scales.
#if defined(__x86_64__)
#include "panels_int8_kernels.h"
#include <immintrin.h>
#include <math.h>
#include <string.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx512vnni,avx2,fma,f16c,amx-tile,amx-int8"))), apply_to = function)
#define CK_INLINE static inline __attribute__((always_inline))
#define CK_UNROLL _Pragma("clang loop unroll(full)")
#define CK_INT8(name) ck_int8_amx_##name
enum { CK_INT8_WIDTH = 16, CK_INT8_BIAS = 0, CK_INT8_NIBBLE_BIAS = 8 };

CK_INLINE void CK_INT8(widen)(float *target, const uint8_t *halves) { _mm512_storeu_ps(target, _mm512_cvtph_ps(_mm256_loadu_si256((const void *)halves))); }

// Vectors wider than the registers are passed between functions here, all of which are inlined: no ABI is involved.
#pragma clang diagnostic ignored "-Wpsabi"

#pragma STDC FP_CONTRACT OFF

#include "panels_int8_finish.h"
#include "panels_int8_convert.h"
#include "panels_int8_unpack.h"
#include "panels_int8_amx.h"

/// Rows up to which vectors are faster than tiles of half their height.
enum { CK_INT8_VECTORS = 12 };

static void CK_INT8(convert)(const ck_panel_job *job, size_t first, size_t rows) {
    if (job->m <= CK_INT8_VECTORS) return ck_int8_avx512vnni_kernels.convert(job, first, rows);
    for (size_t row = first; row < first + rows; row++) CK_INT8(convert_row)(job, row);
}

static void CK_INT8(few)(const ck_panel_job *job, size_t first, size_t end, uint8_t *workspace) {
    if (job->m <= CK_INT8_VECTORS) ck_int8_avx512vnni_kernels.few(job, first, end, workspace);
    else CK_INT8(multiply)(job, first, end, workspace);
}

const ck_panel_kernels ck_int8_amx_kernels = {.few_rows = CK_PANEL_ROWS, .convert = CK_INT8(convert), .few = CK_INT8(few), .many = CK_INT8(multiply)};
#pragma clang attribute pop
#endif
