// The products in AMX tiles, included once per kind of element. Before inclusion: CK_AMX(name) names the functions; CK_AMX_DOT(c, a, b) is
// the tile product; CK_AMX(element) turns halves into elements, CK_AMX(element_bf16) stored bfloat16; CK_AMX(narrow) 32 floats;
// CK_AMX_LARGEST is the exponent a row of x is scaled to, CK_AMX_UNDO what stored weights and elements differ by.
//
// Every output is one f32 sum over the tiles of 32 columns in ascending order; what the processor does within a tile depends on nothing
// else (SDM, TDPBF16PS). Sums that leave their register for memory are f32 there, too. So no blocking shows in the bits.

#include "panels_unpack.h"

/// Tile registers: 0-3 sums, 4-5 x, 6-7 weights. `rows`: of x, and so of the sums.
static void CK_AMX(configure)(uint8_t rows) {
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } configuration = {.palette = 1};
    for (size_t t = 0; t < 8; t++) {
        configuration.row_bytes[t] = 64;
        configuration.rows[t] = t < 6 ? rows : 16;
    }
    // Compilers have dropped the stores in front of the instruction that reads them.
    __asm__ volatile("" : : "r"(&configuration) : "memory");
    _tile_loadconfig(&configuration);
}

/// Rows of one tile row. Column by column: a row after the other would go through the tiles in steps that share a few sets of the caches.
static void CK_AMX(convert)(const ck_panel_job *job, size_t first, size_t rows) {
    size_t columns = job->weights.columns;
    const float *x = job->x + first * columns;
    float scales[CK_PANEL_ROWS];
    for (size_t r = 0; r < rows; r++) {
        __m512i largest = _mm512_setzero_si512();
        for (size_t k = 0; k < columns; k += 16) {
            largest = _mm512_max_epu32(largest, _mm512_and_si512(_mm512_loadu_si512(x + r * columns + k), _mm512_set1_epi32(INT32_MAX)));
        }
        // Of a row with infinities or NaN nothing else matters; one of zeros has no exponent.
        uint32_t bits = _mm512_reduce_max_epu32(largest);
        float magnitude, exponent = 0;
        memcpy(&magnitude, &bits, sizeof magnitude);
        if (bits != 0 && bits < 0x7F800000u) exponent = CK_AMX_LARGEST - _mm512_cvtss_f32(_mm512_getexp_ps(_mm512_set1_ps(magnitude)));
        job->exponents[first + r] = CK_AMX_UNDO - exponent;
        scales[r] = exponent;
    }
    for (size_t kt = 0; kt < 2 * job->units; kt++) {
        uint8_t *lines = job->tiles + ck_panel_tile_at(job, first / 16, kt) + first % 16 * 64;
        for (size_t r = 0; r < rows; r++) {
            __m512i line = _mm512_setzero_si512();
            if (kt * 32 < columns) {
                const float *at = x + r * columns + kt * 32;
                __m512 scale = _mm512_set1_ps(scales[r]), low = _mm512_scalef_ps(_mm512_loadu_ps(at), scale);
                line = CK_AMX(narrow)(low, _mm512_scalef_ps(_mm512_loadu_ps(at + 16), scale));
            }
            _mm512_store_si512((void *)(lines + r * 64), line);
        }
    }
}

/// `rows` rows of a tile of sums to y, from row `first` on.
CK_INLINE void CK_AMX(finish)(const ck_panel_job *job, const float *sums, size_t panel, size_t first, size_t rows) {
    size_t output = panel * CK_PANEL_OUTPUTS, left = job->weights.rows - output;
    __mmask16 mask = left < 16 ? (__mmask16)((1u << left) - 1) : (__mmask16)0xFFFF;
    __m512 undo = _mm512_load_ps((const void *)((const uint8_t *)job->weights.data + panel * job->panel_bytes));
    const ck_epilogue *e = &job->epilogue;
    __m512 bias = e->bias == NULL ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(mask, e->bias + output);
    for (size_t row = 0; row < rows; row++) {
        size_t at = (first + row) * job->y_stride + output;
        __m512 exponent = _mm512_add_ps(undo, _mm512_set1_ps(job->exponents[first + row]));
        __m512 sum = _mm512_add_ps(_mm512_scalef_ps(_mm512_load_ps(sums + row * 16), exponent), bias);
        if (e->residual != NULL) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, e->residual + at));
        // Only what is below zero: NaN stays.
        if (e->relu) sum = _mm512_mask_mov_ps(sum, _mm512_cmp_ps_mask(sum, _mm512_setzero_ps(), _CMP_LT_OQ), _mm512_setzero_ps());
        __builtin_prefetch(job->y + at + job->y_stride, 1); // many rows come here row after row
        _mm512_mask_storeu_ps(job->y + at, mask, sum);
    }
}

/// `function` with the type of the weights as a literal.
#define CK_AMX_TYPES(function, ...)                                                                                      \
    switch (job->weights.type) {                                                                                         \
    case CK_BLOCK_Q4_0: CK_AMX(function)(CK_BLOCK_Q4_0, __VA_ARGS__); break;                                             \
    case CK_BLOCK_Q8_0: CK_AMX(function)(CK_BLOCK_Q8_0, __VA_ARGS__); break;                                             \
    case CK_BLOCK_Q4_K: CK_AMX(function)(CK_BLOCK_Q4_K, __VA_ARGS__); break;                                             \
    case CK_BLOCK_F16: CK_AMX(function)(CK_BLOCK_F16, __VA_ARGS__); break;                                               \
    default: CK_AMX(function)(CK_BLOCK_BF16, __VA_ARGS__); break;                                                        \
    }

#include "panels_few.h"
#include "panels_many.h"

#define CK_AMX_TABLE {.few_rows = 2 * CK_PANEL_ROWS, .convert = CK_AMX(convert), .few = CK_AMX(few), .many = CK_AMX(many)}
