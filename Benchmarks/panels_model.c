// The products of LLaMA-7B alone, as its forward pass does them: 32 layers for some sequences that each write a token, four layers for a prompt of 256.
// Every layer has weights of its own (Q4_0 3.8 GB, Q8_0 7.2 GB), so that nothing is in a cache. What lies between the products is left out.
//
//     panels_model [threads=2] [type=q4: q4, q8] [repetitions=5] [pages=small: small, huge] [clock=wall: wall, cpu] [arithmetic=best: best, int8]
//
// "cpu": by the processor time of one thread, on a machine that computes other things, too. Best and median share of the read bandwidth or
// the tiles' peak that was measured just before.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "silicon.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { LAYERS = 32, PROMPT_LAYERS = 4, PROMPT = 256, HIDDEN = 4096, INNER = 11008, VOCABULARY = 32000, REPETITIONS = 64, READ = 512 << 20 };

static struct {
    ck_pool *pool;
    ck_panel_arithmetic arithmetic;
    ck_block_type type;
    uint8_t *weights;
    float *x, *y;
    void *scratch;
    size_t square, wide, deep, layer, head;
} model;

static ck_panel_product product(const uint8_t *data, size_t rows, size_t columns, float *y) {
    return (ck_panel_product){.weights = {.type = model.type, .data = data, .rows = rows, .columns = columns}, .y = y, .y_stride = rows};
}

static void each(const ck_panel_product *products, size_t count, size_t m) {
    ck_linear_panels_each(model.pool, model.arithmetic, products, count, model.x, m, model.scratch);
}

/// Queries, keys, values; output; gate, up; down.
static void run_layer(size_t index, size_t m) {
    const uint8_t *w = model.weights + index * model.layer;
    float *y = model.y;
    size_t s = model.square, outputs = m * HIDDEN, inner = m * INNER;
    each((ck_panel_product[]){product(w, HIDDEN, HIDDEN, y), product(w + s, HIDDEN, HIDDEN, y + outputs), product(w + 2 * s, HIDDEN, HIDDEN, y + 2 * outputs)}, 3, m);
    each((ck_panel_product[]){product(w + 3 * s, HIDDEN, HIDDEN, y)}, 1, m);
    each((ck_panel_product[]){product(w + 4 * s, INNER, HIDDEN, y), product(w + 4 * s + model.wide, INNER, HIDDEN, y + inner)}, 2, m);
    each((ck_panel_product[]){product(w + 4 * s + 2 * model.wide, HIDDEN, INNER, y)}, 1, m);
}

/// A panel of small random numbers, and copies of it everywhere.
static bool fill(void) {
    static const size_t columns[] = {HIDDEN, INNER};
    for (size_t c = 0; c < 2; c++) {
        size_t bytes = ck_panel_bytes(model.type, columns[c]), row_bytes = ck_block_row_bytes(model.type, columns[c]);
        float *row = malloc(16 * columns[c] * sizeof *row);
        uint8_t *blocks = malloc(16 * row_bytes), *panel = aligned_alloc(64, bytes);
        if (row == NULL || blocks == NULL || panel == NULL) return false;
        for (size_t i = 0; i < 16 * columns[c]; i++) row[i] = (float)(i * 2246822519u % 1999) * 2e-5f - 0.02f;
        ck_quantize_rows(model.pool, model.type, blocks, row, 16, columns[c]);
        ck_pack_panels(model.pool, panel, (ck_block_matrix){.type = model.type, .data = blocks, .rows = 16, .columns = columns[c]});
        for (size_t layer = 0; layer < LAYERS; layer++) {
            uint8_t *at = model.weights + layer * model.layer + (c == 0 ? 0 : model.layer - model.deep);
            for (size_t filled = 0, all = c == 0 ? model.layer - model.deep : model.deep; filled < all; filled += bytes) memcpy(at + filled, panel, bytes);
        }
        for (size_t filled = 0; c == 0 && filled < model.head; filled += bytes) memcpy(model.weights + LAYERS * model.layer + filled, panel, bytes);
        free(row);
        free(blocks);
        free(panel);
    }
    return true;
}

static void report(const char *what, double *shares, double *seconds, int count, double tokens) {
    double best = 0;
    for (int i = 0; i < count; i++) best = shares[i] > best ? shares[i] : best;
    printf("%s: %7.1f ms, %6.1f tokens/s, %3.0f %% (best %3.0f %%)\n", what, median(seconds, (size_t)count) * 1e3, tokens / seconds[count / 2],
           median(shares, (size_t)count) * 100, best * 100);
    fflush(stdout);
}

int main(int count, char **arguments) {
    int repetitions = count > 3 ? atoi(arguments[3]) : 5;
    if (repetitions < 1 || repetitions > REPETITIONS) repetitions = 5;
    model.pool = ck_pool_create(count > 1 ? atoi(arguments[1]) : 2, CK_AVX512);
    if (model.pool == NULL) return 2;
    model.type = count > 2 && strcmp(arguments[2], "q8") == 0 ? CK_BLOCK_Q8_0 : CK_BLOCK_Q4_0;
    if (count > 5 && strcmp(arguments[5], "cpu") == 0) {
        clock_used = CLOCK_PROCESS_CPUTIME_ID;
        clock_share = 1.0 / (double)ck_pool_threads(model.pool);
    }
    bool whole_numbers = count > 6 && strcmp(arguments[6], "int8") == 0;
    model.arithmetic = whole_numbers ? CK_PANEL_INT8 : ck_best_panel_arithmetic(model.pool);
    model.square = ck_panels_bytes(model.type, HIDDEN, HIDDEN);
    model.wide = ck_panels_bytes(model.type, INNER, HIDDEN);
    model.deep = ck_panels_bytes(model.type, HIDDEN, INNER);
    model.layer = 4 * model.square + 2 * model.wide + model.deep;
    model.head = ck_panels_bytes(model.type, VOCABULARY, HIDDEN);
    size_t bytes = LAYERS * model.layer + model.head, huge = 2 << 20;
    uint8_t *map = mmap(NULL, bytes + huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) return 2;
    model.weights = map + (huge - (uintptr_t)map % huge) % huge;
    madvise(model.weights, bytes, count > 4 && strcmp(arguments[4], "huge") == 0 ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    model.x = aligned_alloc(64, (size_t)PROMPT * INNER * sizeof(float));
    model.y = aligned_alloc(64, (size_t)PROMPT * INNER * 2 * sizeof(float));
    model.scratch = aligned_alloc(64, ck_panels_scratch_bytes(model.pool, PROMPT, INNER));
    if (model.x == NULL || model.y == NULL || model.scratch == NULL || !fill()) return 2;
    for (size_t i = 0; i < (size_t)PROMPT * INNER; i++) model.x[i] = (float)(i * 2654435761u % 2001) * 1e-3f - 1;
    printf("%s, %zu threads, %.1f GB\n", ck_panel_arithmetic_name(model.pool, model.arithmetic), ck_pool_threads(model.pool), (double)bytes * 1e-9);

    // In turns, so that what one costs by another's is little moved by what others do on the machine.
    enum { KINDS = 7 };
    static const size_t sequences[KINDS] = {1, 2, 3, 4, 8, 16, 32};
    static double shares[KINDS][REPETITIONS], seconds[KINDS][REPETITIONS], by_one[KINDS][REPETITIONS];
    for (int r = 0; r < repetitions; r++) {
        for (size_t s = 0; s < KINDS; s++) {
            double rate = read_rate(model.pool, model.weights + (size_t)r % 4 * (READ / 2), READ), begin = now();
            for (size_t layer = 0; layer < LAYERS; layer++) run_layer(layer, sequences[s]);
            each((ck_panel_product[]){product(model.weights + LAYERS * model.layer, VOCABULARY, HIDDEN, model.y)}, 1, sequences[s]);
            seconds[s][r] = now() - begin;
            shares[s][r] = (double)bytes / seconds[s][r] * 1e-9 / rate;
            by_one[s][r] = seconds[s][r] / seconds[0][r];
        }
    }
    for (size_t s = 0; s < KINDS; s++) {
        char what[96];
        snprintf(what, sizeof what, "a token of %2zu sequences (%.2f times one), of the read bandwidth", sequences[s], median(by_one[s], (size_t)repetitions));
        report(what, shares[s], seconds[s], repetitions, (double)sequences[s]);
    }
    double work = 2.0 * PROMPT * PROMPT_LAYERS * (4.0 * HIDDEN * HIDDEN + 3.0 * HIDDEN * INNER);
    double *peaks = shares[0], *times = seconds[0];
    for (int r = 0; r < repetitions; r++) {
        double peak = tile_rate(model.pool), begin = now();
        for (size_t layer = 0; layer < PROMPT_LAYERS; layer++) run_layer(layer, PROMPT);
        times[r] = now() - begin;
        peaks[r] = peak > 0 ? work / times[r] * 1e-12 / peak : 0;
        times[r] *= (double)LAYERS / PROMPT_LAYERS;
    }
    report("a prompt of 256 (all layers), of the tiles' peak", peaks, times, repetitions, PROMPT);
    ck_pool_free(model.pool);
}
