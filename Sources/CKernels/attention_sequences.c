// Attention of sequences against their pages: split over heads and lines, which are query rows of one head. A line goes through the pages
// in ascending order, alone or beside others; no line sees how it was split.
#include "attention_job.h"

#include <string.h>

/// Jobs below this many multiply-adds stay on the calling thread: a wake-up costs as much.
static const size_t ck_inline_work = 50 * 1000;

/// Returns the bytes; fills `w` where it is not NULL.
static size_t workspace_of(ck_kv_shape shape, uint8_t *_Nullable base, ck_attention_workspace *_Nullable w) {
    size_t padded = ck_kv_layout_of(shape).padded;
    size_t queries = CK_ATTENTION_LINES * sizeof(ck_attention_line);
    size_t out = queries + CK_ATTENTION_LINES * padded * sizeof(float);
    size_t weights = out + CK_ATTENTION_LINES * padded * sizeof(float);
    size_t keys = weights + CK_ATTENTION_LINES * CK_PAGE_POSITIONS * sizeof(float);
    size_t values = keys + CK_PAGE_POSITIONS * padded * sizeof(float);
    if (base != NULL && w != NULL) {
        *w = (ck_attention_workspace){
            (void *)base, (void *)(base + queries), (void *)(base + out), (void *)(base + weights), (void *)(base + keys), (void *)(base + values)};
    }
    return values + CK_PAGE_POSITIONS * padded * sizeof(float);
}

size_t ck_attend_scratch_bytes(const ck_pool *pool, ck_kv_shape shape) {
    if (ck_kv_page_bytes(shape) == 0) return 0;
    return ck_pool_threads(pool) * workspace_of(shape, NULL, NULL);
}

// MARK: Tiles

static size_t blocks_of(size_t lines) { return (lines + CK_ATTENTION_LINES - 1) / CK_ATTENTION_LINES; }

/// Of one sequence, for job->span key heads: one where they are streamed together, else each head's blocks.
static size_t tiles_of(const ck_attention_job *job, const ck_attention_sequence *s) {
    size_t lines = s->rows * job->group;
    return lines == 1 ? 1 : blocks_of(lines) * job->span;
}

/// Tiles of a head follow each other, so that pages which sequences share are still in the cache.
static void attention_tile(void *context, size_t tile, size_t worker) {
    const ck_attention_job *job = context;
    const ck_attention_sequence *s = job->sequences;
    size_t head = tile / job->span_tiles * job->span, rest = tile % job->span_tiles;
    while (rest >= tiles_of(job, s)) rest -= tiles_of(job, s++);
    size_t heads = job->shape.key_value_heads - head, lines = s->rows * job->group, blocks = blocks_of(lines);
    ck_attention_workspace w;
    workspace_of(job->shape, job->scratch + worker * job->worker_bytes, &w);
    if (lines == 1) {
        ck_attend_streams(job, s, head, heads < job->span ? heads : job->span, &w);
    } else if (rest / blocks < heads) {
        // Blocks of about the same size, the longest first: the last rows see the most.
        size_t size = (lines + blocks - 1) / blocks, begin = (blocks - 1 - rest % blocks) * size;
        ck_attention_block b = {s, head + rest / blocks, begin, lines - begin < size ? lines : begin + size};
        ck_attend_block(job, &b, &w);
    }
}

/// Heads that one thread streams together, fewer where there are not enough for all threads.
static size_t span_of(const ck_pool *pool, size_t heads) {
    size_t each = heads / ck_pool_threads(pool);
    return each < 1 ? 1 : each < CK_KV_STREAMS ? each : CK_KV_STREAMS;
}

void ck_attend_sequences(ck_pool *pool, ck_kv_shape shape, size_t layer, size_t heads, const ck_attention_sequence *sequences,
                         size_t count, void *scratch) {
    ck_attention_job job = {
        .kernels = ck_pool_attention_kernels(pool), .shape = shape, .layout = ck_kv_layout_of(shape), .layer = layer, .heads = heads,
        .group = heads / shape.key_value_heads, .sequences = sequences, .span = span_of(pool, shape.key_value_heads),
        .scratch = scratch, .worker_bytes = workspace_of(shape, NULL, NULL)};
    size_t work = 0;
    for (size_t s = 0; s < count; s++) {
        job.span_tiles += tiles_of(&job, sequences + s);
        work += 2 * sequences[s].rows * heads * (sequences[s].first + sequences[s].rows) * shape.head_size;
    }
    size_t tiles = job.span_tiles * ((shape.key_value_heads + job.span - 1) / job.span);
    if (work < ck_inline_work) {
        for (size_t tile = 0; tile < tiles; tile++) attention_tile(&job, tile, 0);
    } else {
        ck_pool_run(pool, tiles, attention_tile, &job);
    }
}
