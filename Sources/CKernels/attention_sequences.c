// Attention of sequences against their pages: split over heads and lines, which are query rows of one head. A line goes through the pages
// in ascending order, alone or beside others; no line sees how it was split.
#include "attention_kernels.h"

#include <math.h>
#include <string.h>

/// Jobs below this many multiply-adds stay on the calling thread: a wake-up costs as much.
static const size_t ck_inline_work = 50 * 1000;

/// Lines that go through a product together on the diagonal: a multiple of what each instruction set takes at once.
enum { CK_ATTENTION_STRIP = 12 };

typedef struct {
    const ck_attention_kernels *kernels;
    ck_kv_shape shape;
    ck_kv_layout layout;
    size_t layer, heads;
    /// Query heads of a key head.
    size_t group;
    const ck_attention_sequence *sequences;
    /// Tiles of a key head.
    size_t blocks;
    uint8_t *scratch;
    size_t worker_bytes;
} ck_attention_job;

/// Scratch of one worker.
typedef struct {
    ck_attention_line *lines;
    /// [lines][head_size], [lines][padded], [lines][CK_PAGE_POSITIONS]
    float *queries, *out, *weights;
    /// Widened, ordered as in a page.
    float *keys, *values;
} ck_attention_workspace;

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

static const uint8_t *head_of(const ck_attention_job *job, const ck_attention_sequence *s, size_t page, size_t head) {
    return (const uint8_t *)s->pages[page] + (job->layer * job->shape.key_value_heads + head) * job->layout.head_bytes;
}

static ck_page_scales scales_of(const ck_attention_job *job, const uint8_t *base) {
    ck_page_scales scales = {.scale = 1.0f / sqrtf((float)job->shape.head_size)};
    if (job->shape.type == CK_KV_Q8) {
        scales.key_scales = (const float *)(const void *)base;
        scales.value_scales = (const float *)(const void *)(base + job->layout.values) - CK_PAGE_POSITIONS;
    }
    return scales;
}

/// Of page `page`, what the row at position `position` sees.
static size_t visible_of(size_t position, size_t page) {
    size_t seen = position + 1 - page * CK_PAGE_POSITIONS;
    return seen < CK_PAGE_POSITIONS ? seen : CK_PAGE_POSITIONS;
}


// MARK: One line

/// Straight from the page: the time is what reading it takes.
static void attend_line(const ck_attention_job *job, const ck_attention_sequence *s, size_t head, const float *query, float *out,
                        size_t position, const ck_attention_workspace *w) {
    const ck_attention_kernels *k = job->kernels;
    ck_kv_layout l = job->layout;
    ck_kv_type type = job->shape.type;
    size_t head_size = job->shape.head_size, pages = position / CK_PAGE_POSITIONS + 1;
    *w->lines = (ck_attention_line){.position = position, .largest = -INFINITY};
    memset(w->out, 0, l.padded * sizeof(float));
    for (size_t page = 0; page < pages; page++) {
        const uint8_t *base = head_of(job, s, page, head);
        const uint8_t *next = page + 1 < pages ? head_of(job, s, page + 1, head) : base;
        size_t visible = visible_of(position, page);
        memset(w->weights, 0, CK_PAGE_POSITIONS * sizeof(float));
        ck_kv_matrix keys = {base + l.keys, CK_LANES, CK_LANES * head_size, (visible + CK_LANES - 1) / CK_LANES};
        k->product_narrow(type, w->weights, query, keys, head_size, base + l.values);
        k->weigh(w->lines, w->weights, visible, scales_of(job, base), w->out, l.padded);
        for (size_t column = 0; column < l.padded; column += CK_KV_PANEL) {
            size_t columns = ck_kv_panel_columns(l, column), offset = column * CK_PAGE_POSITIONS * l.element;
            ck_kv_matrix values = {base + l.values + offset, columns, CK_LANES, columns / CK_LANES};
            k->product_narrow(type, w->out + column, w->weights, values, visible, next + l.keys + offset);
        }
    }
    k->finish(w->lines, out, w->out, head_size);
}

// MARK: Many lines

/// Lines begin ..< end of one key head: line i is query head i % group of row i / group.
typedef struct {
    const ck_attention_sequence *sequence;
    size_t head, begin, end;
} ck_attention_block;

/// Where the query and the output of a sequence's line lie.
static size_t number_of(const ck_attention_job *job, size_t head, size_t line) {
    return (line / job->group * job->heads + head * job->group + line % job->group) * job->shape.head_size;
}

/// Asks for numbers that another row's lie far from: the processor does not guess where the next ones are.
static void fetch(const float *numbers, size_t count) {
    enum { line = 64 / sizeof(float) };
    for (size_t i = 0; i < count; i += line) __builtin_prefetch(numbers + i);
}

/// The first of `positions` of a page as floats.
static void widen_page(const ck_attention_job *job, const uint8_t *base, size_t positions, const ck_attention_workspace *w) {
    ck_kv_layout l = job->layout;
    size_t groups = (positions + CK_LANES - 1) / CK_LANES;
    job->kernels->widen(job->shape.type, w->keys, base + l.keys, groups * CK_LANES * job->shape.head_size);
    for (size_t column = 0; column < l.padded; column += CK_KV_PANEL) {
        size_t offset = column * CK_PAGE_POSITIONS;
        job->kernels->widen(job->shape.type, w->values + offset, base + l.values + offset * l.element, positions * ck_kv_panel_columns(l, column));
    }
}

/// Scores of lines first ..< end, in weights, then what the softmax makes of them.
static void weigh_lines(const ck_attention_job *job, const ck_attention_block *b, size_t page, size_t first, size_t end, ck_page_scales scales, const float *keys,
                        const ck_attention_workspace *w) {
    size_t head_size = job->shape.head_size, visible = visible_of(w->lines[end - 1].position, page);
    float *weights = w->weights + first * CK_PAGE_POSITIONS;
    memset(weights, 0, (end - first) * CK_PAGE_POSITIONS * sizeof(float));
    ck_kv_matrix matrix = {keys, CK_LANES, CK_LANES * head_size, (visible + CK_LANES - 1) / CK_LANES};
    job->kernels->product(weights, CK_PAGE_POSITIONS, w->queries + first * head_size, head_size, end - first, matrix, head_size);
    for (size_t i = first; i < end; i++) {
        if (page == 0) fetch(b->sequence->out + number_of(job, b->head, b->begin + i), head_size);
        job->kernels->weigh(w->lines + i, w->weights + i * CK_PAGE_POSITIONS, visible_of(w->lines[i].position, page), scales,
                            w->out + i * job->layout.padded, job->layout.padded);
    }
}

/// Positions that all of the lines see go through the product together; the rest, where they cross the diagonal, line by line: what a line
/// does not see is not even multiplied by zero.
static void add_lines(const ck_attention_job *job, size_t page, size_t first, size_t end, const float *values,
                      const ck_attention_workspace *w) {
    ck_kv_layout l = job->layout;
    size_t common = visible_of(w->lines[first].position, page);
    for (size_t column = 0; column < l.padded; column += CK_KV_PANEL) {
        size_t columns = ck_kv_panel_columns(l, column);
        const float *panel = values + column * CK_PAGE_POSITIONS;
        ck_kv_matrix matrix = {panel, columns, CK_LANES, columns / CK_LANES};
        float *out = w->out + first * l.padded + column;
        const float *weights = w->weights + first * CK_PAGE_POSITIONS;
        job->kernels->product(out, l.padded, weights, CK_PAGE_POSITIONS, end - first, matrix, common);
        if (common == visible_of(w->lines[end - 1].position, page)) continue;
        matrix.numbers = panel + common * columns;
        for (size_t i = first; i < end; i++, out += l.padded, weights += CK_PAGE_POSITIONS) {
            size_t visible = visible_of(w->lines[i].position, page);
            if (visible == common) continue;
            job->kernels->product_narrow(CK_KV_F32, out, weights + common, matrix, visible - common, panel);
        }
    }
}

/// Lines that are computed together from `first` on: all that are left where they see the whole page, else a strip along the diagonal.
static size_t strip_end(size_t first, size_t lines, size_t page, const ck_attention_workspace *w) {
    if (visible_of(w->lines[first].position, page) == CK_PAGE_POSITIONS) return lines;
    return lines - first < CK_ATTENTION_STRIP ? lines : first + CK_ATTENTION_STRIP;
}

static void attend_block(const ck_attention_job *job, const ck_attention_block *b, const ck_attention_workspace *w) {
    const ck_attention_sequence *s = b->sequence;
    size_t head_size = job->shape.head_size, lines = b->end - b->begin;
    for (size_t i = 0; i < lines; i++) {
        fetch(s->queries + number_of(job, b->head, b->begin + (i + 8 < lines ? i + 8 : i)), head_size);
        w->lines[i] = (ck_attention_line){.position = s->first + (b->begin + i) / job->group, .largest = -INFINITY};
        // Together: rows of queries lie a power of two apart, often, and would share few sets of the first-level cache.
        memcpy(w->queries + i * head_size, s->queries + number_of(job, b->head, b->begin + i), head_size * sizeof(float));
    }
    memset(w->out, 0, lines * job->layout.padded * sizeof(float));
    size_t first = 0, last = w->lines[lines - 1].position;
    for (size_t page = 0; page * CK_PAGE_POSITIONS <= last; page++) {
        const uint8_t *base = head_of(job, s, page, b->head);
        const float *keys = (const float *)(const void *)(base + job->layout.keys), *values = (const float *)(const void *)(base + job->layout.values);
        if (job->shape.type != CK_KV_F32) {
            widen_page(job, base, visible_of(last, page), w);
            keys = w->keys;
            values = w->values;
        }
        ck_page_scales scales = scales_of(job, base);
        while (w->lines[first].position < page * CK_PAGE_POSITIONS) first++;
        for (size_t i = first; i < lines; i = strip_end(i, lines, page, w)) {
            weigh_lines(job, b, page, i, strip_end(i, lines, page, w), scales, keys, w);
        }
        for (size_t i = first; i < lines; i = strip_end(i, lines, page, w)) {
            add_lines(job, page, i, strip_end(i, lines, page, w), values, w);
        }
    }
    for (size_t i = 0; i < lines; i++) {
        job->kernels->finish(w->lines + i, s->out + number_of(job, b->head, b->begin + i), w->out + i * job->layout.padded, head_size);
    }
}

// MARK: Splitting

static size_t blocks_of(size_t lines) { return (lines + CK_ATTENTION_LINES - 1) / CK_ATTENTION_LINES; }

/// One key head, some lines of one sequence. Tiles of a head follow each other, so that what sequences share stays in the cache.
static void attention_tile(void *context, size_t tile, size_t worker) {
    const ck_attention_job *job = context;
    const ck_attention_sequence *s = job->sequences;
    size_t block = tile % job->blocks;
    while (block >= blocks_of(s->rows * job->group)) block -= blocks_of((s++)->rows * job->group);
    // Blocks of about the same size, the longest first: the last rows see the most.
    size_t lines = s->rows * job->group, blocks = blocks_of(lines);
    size_t size = ((lines + blocks - 1) / blocks + CK_ATTENTION_STRIP - 1) / CK_ATTENTION_STRIP * CK_ATTENTION_STRIP;
    size_t begin = (blocks - 1 - block) * size;
    ck_attention_block b = {s, tile / job->blocks, begin, lines - begin < size ? lines : begin + size};
    ck_attention_workspace w;
    workspace_of(job->shape, job->scratch + worker * job->worker_bytes, &w);
    if (b.end - b.begin > 1) {
        attend_block(job, &b, &w);
    } else {
        size_t at = number_of(job, b.head, b.begin);
        attend_line(job, s, b.head, s->queries + at, s->out + at, s->first + b.begin / job->group, &w);
    }
}

void ck_attend_sequences(ck_pool *pool, ck_kv_shape shape, size_t layer, size_t heads, const ck_attention_sequence *sequences,
                         size_t count, void *scratch) {
    ck_attention_job job = {
        .kernels = ck_pool_attention_kernels(pool), .shape = shape, .layout = ck_kv_layout_of(shape), .layer = layer, .heads = heads,
        .group = heads / shape.key_value_heads, .sequences = sequences, .scratch = scratch, .worker_bytes = workspace_of(shape, NULL, NULL)};
    size_t work = 0;
    for (size_t s = 0; s < count; s++) {
        job.blocks += blocks_of(sequences[s].rows * job.group);
        work += 2 * sequences[s].rows * heads * (sequences[s].first + sequences[s].rows) * shape.head_size;
    }
    size_t tiles = job.blocks * shape.key_value_heads;
    if (work < ck_inline_work) {
        for (size_t tile = 0; tile < tiles; tile++) attention_tile(&job, tile, 0);
    } else {
        ck_pool_run(pool, tiles, attention_tile, &job);
    }
}
