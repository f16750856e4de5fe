// The trunk of a ResNet-50 with random weights, in tiles: milliseconds an image of the best repetition and its share of the tiles' peak in the same
// run, for one film and for several at once, in every arithmetic of the machine, in turns. In brackets the sum of each part's best repetition, for
// machines that are noisy, and its stages.
// Usage: convolutions [threads [repetitions [arithmetic [cpu]]]]; arithmetic: 1 bf16, 2 fp16, 3 bf16x3, 0 all; `1 9 1 cpu` measures one thread by
// processor time, for a machine that does other things.
// Build: Benchmarks/README.md.
#include "ck_tiles.h"
#include "silicon.h"

#include <stdio.h>
#include <string.h>

enum { STAGES = 4, BLOCKS = 16, MOST = 8, REPETITIONS = 64 };

static void *room(size_t bytes) {
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (p == NULL || bytes == 0) exit(2);
    memset(p, 0, bytes);
    return p;
}

typedef struct {
    ck_tile_filters stem, shortcuts[BLOCKS];
    ck_tile_bottleneck blocks[BLOCKS];
    size_t stages[BLOCKS];
} trunk;

static ck_tile_filters filters_of(ck_tile_arithmetic a, size_t filters, size_t kernel, size_t channels) {
    size_t count = kernel * kernel * channels;
    void *packed = room(ck_tile_filters_bytes(a, filters, kernel, channels));
    float *row = room(count * 4);
    for (size_t f = 0; f < filters; f++) {
        for (size_t i = 0; i < count; i++) row[i] = (float)(((i + f * 7919) * 2246822519u % 1999) * 1e-3 - 1) / (float)count;
        ck_pack_tile_filter(a, packed, row, 0.1f, f, kernel, channels);
    }
    free(row);
    return (ck_tile_filters){.data = packed, .filters = filters, .kernel = kernel, .channels = channels};
}

static void make(trunk *t, ck_tile_arithmetic a) {
    static const size_t counts[STAGES] = {3, 4, 6, 3};
    size_t channels = 64, index = 0;
    t->stem = filters_of(a, 64, 7, 1);
    for (size_t s = 0; s < STAGES; s++) {
        for (size_t b = 0; b < counts[s]; b++, index++) {
            size_t inner = (size_t)64 << s, outer = 4 * inner;
            t->stages[index] = s;
            t->blocks[index] = (ck_tile_bottleneck){
                .narrow = filters_of(a, inner, 1, channels), .middle = filters_of(a, inner, 3, inner), .widen = filters_of(a, outer, 1, inner),
                .stride = s > 0 && b == 0 ? 2 : 1,
            };
            if (b == 0) {
                t->shortcuts[index] = filters_of(a, outer, 1, channels);
                t->blocks[index].shortcut = &t->shortcuts[index];
            }
            channels = outer;
        }
    }
}

static double convolution_work(ck_tile_filters f, size_t pixels) {
    return 2.0 * (double)pixels * (double)f.filters * (double)(f.kernel * f.kernel * f.channels);
}

static void note(double *best, double seconds, size_t n) {
    if (seconds / (double)n < *best) *best = seconds / (double)n;
}

/// Lowers `best` of stem, blocks and all of them, seconds an image: [1 + BLOCKS + 1]. Sets the operations of stem and blocks.
static void run(ck_pool *pool, ck_tile_arithmetic a, const trunk *t, size_t n, const float *planes, size_t side, void *const buffers[2], void *scratch,
                float *features, double *best, double *work) {
    ck_tile_images x = {.data = buffers[0], .height = (side + 3) / 4, .width = (side + 3) / 4, .channels = 64}, y = {.data = buffers[1]};
    double begin = now(), whole = begin;
    ck_stem_tiles(pool, a, n, x, planes, side, side, t->stem, scratch);
    note(best, now() - begin, n);
    work[0] = convolution_work(t->stem, (side + 1) / 2 * ((side + 1) / 2));
    for (size_t b = 0; b < BLOCKS; b++) {
        const ck_tile_bottleneck *block = &t->blocks[b];
        y.height = y.width = (x.height - 1) / block->stride + 1;
        y.channels = block->widen.filters;
        begin = now();
        ck_bottleneck_tiles(pool, a, n, y, x, *block, b + 1 == BLOCKS ? features : NULL, scratch);
        note(best + 1 + b, now() - begin, n);
        size_t pixels = y.height * y.width;
        work[1 + b] = convolution_work(block->narrow, x.height * x.width) + convolution_work(block->middle, pixels)
            + convolution_work(block->widen, pixels) + (block->shortcut == NULL ? 0 : convolution_work(*block->shortcut, pixels));
        ck_tile_images swap = x;
        x = y;
        y.data = swap.data;
    }
    note(best + 1 + BLOCKS, now() - whole, n);
}

/// One arithmetic's weights, and seconds an image: [side][batch][part], parts as `run` has them.
typedef struct {
    ck_tile_arithmetic arithmetic;
    trunk trunk;
    double best[2][3][1 + BLOCKS + 1];
} contestant;

static const size_t sides[] = {448, 488}, batches[] = {1, 2, MOST};

/// Bytes that every trunk's scratch fits in.
static size_t scratch_bytes(ck_pool *pool, const contestant *c) {
    size_t bytes = ck_stem_scratch_bytes(pool, c->arithmetic, 488, 488, 64), grid = 122;
    for (size_t b = 0; b < BLOCKS; b++) {
        ck_tile_images x = {.height = grid, .width = grid, .channels = c->trunk.blocks[b].narrow.channels};
        size_t needed = ck_bottleneck_scratch_bytes(pool, c->arithmetic, MOST, x, c->trunk.blocks[b]);
        if (needed > bytes) bytes = needed;
        grid = (grid - 1) / c->trunk.blocks[b].stride + 1;
    }
    return bytes;
}

/// `peak`: operations a second.
static void print(const contestant *c, const double work[2][1 + BLOCKS], double peak) {
    printf("%s\n", ck_tile_arithmetic_name(c->arithmetic));
    for (size_t s = 0; s < 2; s++) {
        for (size_t b = 0; b < 3; b++) {
            const double *best = c->best[s][b];
            double seconds[1 + STAGES] = {best[0]}, works[1 + STAGES] = {work[s][0]}, all = seconds[0], done = works[0], whole = best[1 + BLOCKS];
            for (size_t i = 0; i < BLOCKS; i++) {
                seconds[1 + c->trunk.stages[i]] += best[1 + i];
                works[1 + c->trunk.stages[i]] += work[s][1 + i];
                all += best[1 + i];
                done += work[s][1 + i];
            }
            printf("%zu x %zu, %zu at once: %6.2f (%2.0f %%)   [%.2f (%2.0f %%): stem %.2f, stages", sides[s], sides[s], batches[b], whole * 1e3,
                   done / whole / peak * 100, all * 1e3, done / all / peak * 100, seconds[0] * 1e3);
            for (size_t i = 1; i < 1 + STAGES; i++) printf(" %.2f (%2.0f %%)", seconds[i] * 1e3, works[i] / seconds[i] / peak * 100);
            printf("]\n");
        }
    }
}

int main(int count, char **arguments) {
    int threads = count > 1 ? atoi(arguments[1]) : 2, repetitions = count > 2 ? atoi(arguments[2]) : 9, only = count > 3 ? atoi(arguments[3]) : 0;
    ck_pool *pool = ck_pool_create(threads, CK_AVX512);
    if (pool == NULL) return 2;
    if (count > 4 && strcmp(arguments[4], "cpu") == 0) clock_used = CLOCK_PROCESS_CPUTIME_ID;
    static contestant contestants[3];
    size_t present = 0, scratch_most = 0;
    for (int a = CK_TILE_BF16; a <= CK_TILE_BF16X3; a++) {
        if (!ck_has_tile_arithmetic(pool, a) || (only > 0 && a != only)) continue;
        contestant *c = &contestants[present++];
        c->arithmetic = a;
        make(&c->trunk, a);
        for (size_t i = 0; i < 2 * 3 * (2 + BLOCKS); i++) c->best[0][0][i] = 1e9;
        size_t bytes = scratch_bytes(pool, c);
        if (bytes > scratch_most) scratch_most = bytes;
    }
    if (present == 0) return puts("not on this machine"), 1;
    float *planes = room(MOST * 488 * 488 * 4), *features = room(MOST * 16 * 16 * 2048 * 4);
    for (size_t i = 0; i < MOST * 488 * 488; i++) planes[i] = (float)(i * 2654435761u % 2001) * 5e-4f;
    ck_tile_images largest = {.height = 122, .width = 122, .channels = 256};
    size_t bytes = ck_tile_images_bytes(CK_TILE_BF16X3, MOST, largest);
    void *buffers[2] = {room(bytes), room(bytes)}, *scratch = room(scratch_most);
    double work[2][1 + BLOCKS], peak = 0;
    for (int r = 0; r < repetitions; r++) {
        double rate = tile_rate(pool) * 1e12;
        if (rate > peak) peak = rate;
        for (size_t s = 0; s < 2; s++) {
            for (size_t b = 0; b < 3; b++) {
                for (size_t c = 0; c < present; c++) {
                    contestant *own = &contestants[c];
                    run(pool, own->arithmetic, &own->trunk, batches[b], planes, sides[s], buffers, scratch, features, own->best[s][b], work[s]);
                }
            }
        }
    }
    printf("%d threads, best of %d; milliseconds an image (share of the tiles' peak, counting each multiplication once)\n", threads, repetitions);
    printf("peak %.2f TFLOP/s\n", peak * 1e-12);
    for (size_t c = 0; c < present; c++) print(&contestants[c], work, peak);
    ck_pool_free(pool);
}
