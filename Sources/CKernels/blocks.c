// Sizes of blocks, which instruction set reads them, and rows of blocks to floats.
#include "blocks_kernels.h"
#include "kernels.h"

size_t ck_block_elements(ck_block_type type) {
    switch (type) {
    case CK_BLOCK_F32: case CK_BLOCK_F16: case CK_BLOCK_BF16: return 1;
    case CK_BLOCK_Q4_0: case CK_BLOCK_Q4_1: case CK_BLOCK_Q5_0: case CK_BLOCK_Q5_1: case CK_BLOCK_Q8_0: return 32;
    case CK_BLOCK_Q4_K: case CK_BLOCK_Q5_K: case CK_BLOCK_Q6_K: return 256;
    }
    return 0;
}

size_t ck_block_bytes(ck_block_type type) {
    switch (type) {
    case CK_BLOCK_F32: return 4;
    case CK_BLOCK_F16: case CK_BLOCK_BF16: return 2;
    case CK_BLOCK_Q4_0: return 2 + 16;
    case CK_BLOCK_Q4_1: return 4 + 16;
    case CK_BLOCK_Q5_0: return 2 + 4 + 16;
    case CK_BLOCK_Q5_1: return 4 + 4 + 16;
    case CK_BLOCK_Q8_0: return 2 + 32;
    case CK_BLOCK_Q4_K: return 4 + 12 + 128;
    case CK_BLOCK_Q5_K: return 4 + 12 + 32 + 128;
    case CK_BLOCK_Q6_K: return 128 + 64 + 16 + 2;
    }
    return 0;
}

size_t ck_block_row_bytes(ck_block_type type, size_t columns) {
    size_t elements = ck_block_elements(type), bytes;
    if (elements == 0 || columns % elements != 0) return 0;
    if (__builtin_mul_overflow(columns / elements, ck_block_bytes(type), &bytes) || bytes > SIZE_MAX >> 1) return 0;
    return bytes;
}

bool ck_block_can_quantize(ck_block_type type) {
    switch (type) {
    case CK_BLOCK_F32: case CK_BLOCK_F16: case CK_BLOCK_BF16: case CK_BLOCK_Q8_0: case CK_BLOCK_Q4_0:
    case CK_BLOCK_Q5_0: case CK_BLOCK_Q4_K:
        return true;
    default: return false;
    }
}

static const ck_block_kernels *block_kernels_of(ck_instruction_set set) {
#if defined(__x86_64__)
    if (set == CK_AVX512) return &ck_avx512_block_kernels;
    if (set == CK_AVX2) return &ck_avx2_block_kernels;
#endif
    (void)set;
    return &ck_scalar_block_kernels;
}

const ck_block_kernels *ck_pool_block_kernels(const ck_pool *pool) {
#if defined(__x86_64__)
    if (ck_pool_kernels(pool) == &ck_avx512_kernels) return block_kernels_of(CK_AVX512);
    if (ck_pool_kernels(pool) == &ck_avx2_kernels) return block_kernels_of(CK_AVX2);
#endif
    (void)pool;
    return block_kernels_of(CK_SCALAR);
}

void ck_dequantize_row(ck_block_type type, float *target, const void *row, size_t columns) {
    block_kernels_of(ck_best_instruction_set())->dequantize(type, target, row, columns / ck_block_elements(type));
}

size_t ck_block_tile_rows(size_t columns) {
    size_t rows = (64 << 10) / (columns > 0 ? columns : 1);
    return rows > 0 ? rows : 1;
}

typedef struct {
    const ck_block_kernels *kernels;
    ck_block_type type;
    float *target;
    const uint8_t *source;
    size_t rows, columns, row_bytes, tile_rows;
} dequantize_job;

static void dequantize_tile(void *context, size_t tile, size_t worker) {
    (void)worker;
    const dequantize_job *job = context;
    size_t first = tile * job->tile_rows;
    size_t end = first + job->tile_rows < job->rows ? first + job->tile_rows : job->rows;
    for (size_t row = first; row < end; row++) {
        job->kernels->dequantize(
            job->type, job->target + row * job->columns, job->source + row * job->row_bytes, job->columns / ck_block_elements(job->type));
    }
}

void ck_dequantize_rows(ck_pool *pool, ck_block_type type, float *target, const void *source, size_t rows, size_t columns) {
    dequantize_job job = {
        .kernels = ck_pool_block_kernels(pool), .type = type, .target = target, .source = source,
        .rows = rows, .columns = columns, .row_bytes = ck_block_row_bytes(type, columns), .tile_rows = ck_block_tile_rows(columns),
    };
    ck_pool_run(pool, (rows + job.tile_rows - 1) / job.tile_rows, dequantize_tile, &job);
}
