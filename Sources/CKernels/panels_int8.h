// Products of panels with whole numbers, included once per instruction set. x is rounded to signed bytes, 32 columns of a row at a time, as
// ggml's Q8_0 does; the products of a block of 32 columns add up as 32-bit whole numbers, without rounding; one f32 chain of fused multiply-adds
// runs over the blocks in ascending order. So every set computes the same bits.
//
// Before inclusion: CK_INT8(name) names the functions; CK_INT8_WIDTH is the outputs of a register, CK_INT8_BIAS what is added to the bytes of
// Q8_0 and CK_INT8_NIBBLE_BIAS to the nibbles of Q4_0; CK_INT8(whole) is a register of 32-bit whole numbers. CK_INT8(nibbles) and CK_INT8(bytes) add the products of four columns, of
// weights 0 ... 15 and of Q8_0's bytes, to a sum; CK_INT8(nibbles_total) makes 32-bit numbers of 32 columns' sum.

// Vectors wider than the registers are passed between functions here, all of which are inlined: no ABI is involved.
#pragma clang diagnostic ignored "-Wpsabi"

#pragma STDC FP_CONTRACT OFF

typedef float CK_INT8(real) __attribute__((vector_size(CK_INT8_WIDTH * sizeof(float))));
#include "panels_int8_finish.h"
#include "panels_int8_convert.h"
#include "panels_int8_unpack.h"

// MARK: Blocks of weights times rows

CK_INLINE CK_INT8(whole) CK_INT8(broadcast)(const uint8_t *dword) {
    int32_t value;
    memcpy(&value, dword, sizeof value);
    return value - (CK_INT8(whole)){0};
}

/// sums[row][0 ..< CK_PANEL_OUTPUTS] continue their chains with one block. `type` and `rows` are literals at each call.
CK_INLINE void CK_INT8(multiply_block)(const ck_block_type type, float *sums, const uint8_t *x, const size_t rows, const ck_int8_block *weights) {
    enum { vectors = CK_PANEL_OUTPUTS / CK_INT8_WIDTH };
    CK_INT8(whole) totals[CK_INT8_ROWS][vectors] = {{{0}}};
    CK_UNROLL
    for (size_t i = 0; i < 8; i++) {
        CK_INT8(whole) line[vectors];
        memcpy(line, weights->lines[i], sizeof line);
        CK_UNROLL
        for (size_t r = 0; r < rows; r++) {
            CK_INT8(whole) four = CK_INT8(broadcast)(x + r * 32 + i * 4);
            CK_UNROLL
            for (size_t v = 0; v < vectors; v++) {
                if (type == CK_BLOCK_Q8_0) totals[r][v] = CK_INT8(bytes)(totals[r][v], line[v], four);
                else totals[r][v] = CK_INT8(nibbles)(totals[r][v], line[v], four);
            }
        }
    }
    CK_UNROLL
    for (size_t r = 0; r < rows; r++) {
        const uint8_t *words = x + rows * 32 + r * 4;
        CK_INT8(real) scale = (CK_INT8(real))CK_INT8(broadcast)(words);
        CK_INT8(whole) eightfold = CK_INT8(broadcast)(words + rows * 4);
        CK_INT8(real) scaled = (CK_INT8(real))CK_INT8(broadcast)(words + rows * 8);
        CK_UNROLL
        for (size_t v = 0; v < vectors; v++) {
            float *at = sums + r * CK_PANEL_OUTPUTS + v * CK_INT8_WIDTH;
            CK_INT8(real) weight, minimum, chain;
            memcpy(&weight, weights->scales + v * CK_INT8_WIDTH, sizeof weight);
            memcpy(&chain, at, sizeof chain);
            CK_INT8(whole) total = type == CK_BLOCK_Q8_0 ? totals[r][v] - eightfold * (CK_INT8_BIAS / 8) : CK_INT8(nibbles_total)(totals[r][v]);
            if (type == CK_BLOCK_Q4_0) total -= eightfold;
            chain = __builtin_elementwise_fma(__builtin_convertvector(total, CK_INT8(real)), scale * weight, chain);
            if (type == CK_BLOCK_Q4_K) {
                memcpy(&minimum, weights->minima + v * CK_INT8_WIDTH, sizeof minimum);
                chain = __builtin_elementwise_fma(scaled, -minimum, chain);
            }
            memcpy(at, &chain, sizeof chain);
        }
    }
}

CK_INLINE void CK_INT8(multiply_rows)(const ck_block_type type, float *sums, const uint8_t *x, const size_t rows, const ck_int8_block *weights, size_t blocks) {
    for (size_t b = 0; b < blocks; b++, x += rows * CK_INT8_BLOCK_BYTES) CK_INT8(multiply_block)(type, sums, x, rows, weights + b);
}

/// The same for every row of the job and blocks first ..< first + blocks.
CK_INLINE void CK_INT8(multiply)(const ck_block_type type, const ck_panel_job *job, float *sums, const ck_int8_block *weights, size_t first, size_t blocks) {
    for (size_t row = 0; row < job->m; row += CK_INT8_ROWS, sums += CK_INT8_ROWS * CK_PANEL_OUTPUTS) {
        const uint8_t *x = ck_int8_x_at(job, row, first);
        switch (ck_int8_group_rows(job, row)) {
        case 1: CK_INT8(multiply_rows)(type, sums, x, 1, weights, blocks); break;
        case 2: CK_INT8(multiply_rows)(type, sums, x, 2, weights, blocks); break;
        case 3: CK_INT8(multiply_rows)(type, sums, x, 3, weights, blocks); break;
        default: CK_INT8(multiply_rows)(type, sums, x, CK_INT8_ROWS, weights, blocks); break;
        }
    }
}

// MARK: Panels

/// Each stream goes through panels that follow each other, so that what is prefetched behind a panel is the next one.
CK_INLINE void CK_INT8(few_of)(const ck_block_type type, const ck_panel_job *job, size_t first, size_t end) {
    _Alignas(64) float sums[CK_PANEL_STREAMS][CK_PANEL_ROWS * CK_PANEL_OUTPUTS];
    const size_t block_bytes = ck_panel_unit_bytes(type) / 2;
    size_t length = (end - first + CK_PANEL_STREAMS - 1) / CK_PANEL_STREAMS, blocks = job->weights.columns / 32;
    for (size_t p = first; p < first + length; p++) {
        memset(sums, 0, sizeof sums);
        for (size_t b = 0; b < blocks; b++) {
            for (size_t s = 0; s < CK_PANEL_STREAMS && p + s * length < end; s++) {
                const uint8_t *panel = (const uint8_t *)job->weights.data + (p + s * length) * job->panel_bytes + CK_PANEL_HEADER;
                const uint8_t *ahead = panel + b * block_bytes + CK_INT8_PREFETCH;
                CK_UNROLL
                for (size_t line = 0; line < block_bytes; line += 64) __builtin_prefetch(ahead + line);
                _Alignas(64) ck_int8_block weights;
                CK_INT8(unpack)(type, &weights, panel, b);
                // One row: weights stay in registers.
                if (job->m == 1) CK_INT8(multiply_block)(type, sums[s], job->tiles + b * CK_INT8_BLOCK_BYTES, 1, &weights);
                else CK_INT8(multiply)(type, job, sums[s], &weights, b, 1);
            }
        }
        for (size_t s = 0; s < CK_PANEL_STREAMS && p + s * length < end; s++) CK_INT8(finish)(job, sums[s], p + s * length, 0, job->m);
    }
}

CK_INLINE void CK_INT8(many_of)(const ck_block_type type, const ck_panel_job *job, size_t first, size_t end) {
    enum { piece = CK_PANEL_PIECE / CK_PANEL_STEP };
    _Alignas(64) float sums[CK_PANEL_PASS * CK_PANEL_OUTPUTS];
    _Alignas(64) ck_int8_block weights[2 * piece];
    size_t blocks = job->weights.columns / 32;
    for (size_t p = first; p < end; p++) {
        const uint8_t *panel = (const uint8_t *)job->weights.data + p * job->panel_bytes + CK_PANEL_HEADER;
        memset(sums, 0, job->m * CK_PANEL_OUTPUTS * sizeof *sums);
        for (size_t unit = 0; unit < job->units; unit += piece) {
            size_t left = blocks - unit * 2, count = left < 2 * piece ? left : 2 * piece;
            for (size_t b = 0; b < count; b++) CK_INT8(unpack)(type, weights + b, panel, unit * 2 + b);
            CK_INT8(multiply)(type, job, sums, weights, unit * 2, count);
        }
        CK_INT8(finish)(job, sums, p, 0, job->m);
    }
}

static void CK_INT8(convert)(const ck_panel_job *job, size_t first, size_t rows) {
    for (size_t row = first; row < first + rows; row++) CK_INT8(convert_to)(job, row, ck_int8_place_in_group(job, row));
}

static void CK_INT8(few)(const ck_panel_job *job, size_t first, size_t end, uint8_t *workspace) {
    (void)workspace;
    switch (job->weights.type) {
    case CK_BLOCK_Q4_0: CK_INT8(few_of)(CK_BLOCK_Q4_0, job, first, end); break;
    case CK_BLOCK_Q8_0: CK_INT8(few_of)(CK_BLOCK_Q8_0, job, first, end); break;
    default: CK_INT8(few_of)(CK_BLOCK_Q4_K, job, first, end); break;
    }
}

static void CK_INT8(many)(const ck_panel_job *job, size_t first, size_t end, uint8_t *workspace) {
    (void)workspace;
    switch (job->weights.type) {
    case CK_BLOCK_Q4_0: CK_INT8(many_of)(CK_BLOCK_Q4_0, job, first, end); break;
    case CK_BLOCK_Q8_0: CK_INT8(many_of)(CK_BLOCK_Q8_0, job, first, end); break;
    default: CK_INT8(many_of)(CK_BLOCK_Q4_K, job, first, end); break;
    }
}

#define CK_INT8_TABLE {.few_rows = CK_PANEL_ROWS, .convert = CK_INT8(convert), .few = CK_INT8(few), .many = CK_INT8(many)}
