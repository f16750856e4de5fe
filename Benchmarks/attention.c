// Attention over pages in LLaMA-7B's shape (32 heads of 128), beside what the silicon does in the same run: the peak of f32 multiply-adds for a
// prompt, read bandwidth (four prefetched streams a thread) for decoding; and beside ck_attention, one row at a time from one buffer.
//
//     attention [threads=2] [repetitions=5] [set=2: 0 scalar, 1 AVX2, 2 AVX-512] [clock=wall: wall, cpu]
//
// On a machine that computes other things, too, "1 5 2 cpu" tells more: one thread, by the time the processor gave it.
// Medians. GFLOP/s of a prompt count what the rows see, GB/s of decoding the keys and values they see.
#include "ck_attention_pages.h"
#include "ck_vector.h"
#include "silicon.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { HEADS = 32, SIZE = 128, ROW = HEADS * SIZE, LAYERS = 2, PAGES = 8, MOST = PAGES * CK_PAGE_POSITIONS, REPETITIONS = 64 };
/// Bytes of pages: more than the caches hold, as the layers of a model are.
static const size_t buffer_bytes = (size_t)768 << 20;

// MARK: The silicon

enum { CHAIN_STEPS = 2000000, CHAINS = 12 };
static volatile float peak_sink[256];

__attribute__((target("avx512f"))) static void spin_avx512(void *context, size_t tile, size_t worker) {
    (void)context, (void)tile;
    __m512 sums[CHAINS], factor = _mm512_set1_ps(0.999f);
    for (size_t i = 0; i < CHAINS; i++) sums[i] = _mm512_set1_ps((float)i);
    for (size_t n = 0; n < CHAIN_STEPS; n++) {
        for (size_t i = 0; i < CHAINS; i++) sums[i] = _mm512_fmadd_ps(sums[i], factor, factor);
    }
    for (size_t i = 0; i < CHAINS; i++) peak_sink[worker] += sums[i][0];
}

__attribute__((target("avx2,fma"))) static void spin_avx2(void *context, size_t tile, size_t worker) {
    (void)context, (void)tile;
    __m256 sums[CHAINS], factor = _mm256_set1_ps(0.999f);
    for (size_t i = 0; i < CHAINS; i++) sums[i] = _mm256_set1_ps((float)i);
    for (size_t n = 0; n < CHAIN_STEPS; n++) {
        for (size_t i = 0; i < CHAINS; i++) sums[i] = _mm256_fmadd_ps(sums[i], factor, factor);
    }
    for (size_t i = 0; i < CHAINS; i++) peak_sink[worker] += sums[i][0];
}

/// GFLOP/s of f32 multiply-adds in registers.
static double peak_rate(ck_pool *pool, bool wide) {
    double begin = now();
    ck_pool_run(pool, ck_pool_threads(pool), wide ? spin_avx512 : spin_avx2, NULL);
    return (double)ck_pool_threads(pool) * CHAIN_STEPS * CHAINS * 2 * (wide ? 16 : 8) / (now() - begin) * 1e-9;
}

// MARK: The work

typedef struct {
    ck_pool *pool;
    bool wide;
    int repetitions;
    uint8_t *buffer;
    float *queries, *out, *keys, *values, *scores;
    void *scratch;
    void *pages[1024];
} bench;

/// Seconds of ck_attention for these rows of one sequence.
static double old_seconds(bench *b, size_t rows, size_t first) {
    ck_attention_shape shape = {.rows = rows, .first = first, .heads = HEADS, .key_value_heads = HEADS, .head_size = SIZE};
    double begin = now();
    ck_attention(b->pool, b->out, b->queries, b->keys, b->values, shape, b->scores);
    return now() - begin;
}

static void prefill(bench *b, ck_kv_shape shape, const char *name, size_t rows) {
    double seconds[REPETITIONS], stores[REPETITIONS], olds[REPETITIONS], peaks[REPETITIONS];
    ck_kv_rows stored = {b->pages, 0, rows, b->keys, b->values};
    ck_attention_sequence s = {b->out, b->queries, rows, 0, (const void *const *)b->pages};
    for (int r = 0; r < b->repetitions; r++) {
        peaks[r] = peak_rate(b->pool, b->wide);
        double begin = now();
        ck_kv_store(b->pool, shape, 1, &stored, 1, ROW);
        stores[r] = now() - begin;
        begin = now();
        for (size_t i = 0; i < 3; i++) ck_attend_sequences(b->pool, shape, 1, HEADS, &s, 1, b->scratch);
        seconds[r] = (now() - begin) / 3;
        olds[r] = old_seconds(b, rows, 0);
    }
    size_t n = (size_t)b->repetitions;
    double second = median(seconds, n), peak = median(peaks, n), work = 4e-9 * ROW * (double)(rows * (rows + 1) / 2) / second;
    printf("%s prompt of %3zu: %7.3f ms, %6.1f GFLOP/s (%3.0f %% of %6.1f), store %6.3f ms; ck_attention %7.3f ms, %5.1f times\n", name, rows,
           second * 1e3, work, work / peak * 100, peak, median(stores, n) * 1e3, median(olds, n) * 1e3, median(olds, n) / second);
    fflush(stdout);
}

static void decode(bench *b, ck_kv_shape shape, const char *name, size_t sequences, size_t positions) {
    double seconds[REPETITIONS], stores[REPETITIONS], reads[REPETITIONS], olds[REPETITIONS];
    size_t page_bytes = ck_kv_page_bytes(shape), books = buffer_bytes / page_bytes / PAGES, steps = books / sequences * LAYERS;
    ck_kv_rows stored[16];
    ck_attention_sequence asked[16];
    for (int r = 0; r < b->repetitions; r++) {
        reads[r] = read_rate(b->pool, b->buffer, buffer_bytes);
        seconds[r] = stores[r] = 0;
        for (size_t step = 0; step < steps; step++) {
            for (size_t i = 0; i < sequences; i++) {
                void **pages = b->pages + (step / LAYERS * sequences + i) * PAGES;
                stored[i] = (ck_kv_rows){pages, positions - 1, 1, b->keys + i * ROW, b->values + i * ROW};
                asked[i] = (ck_attention_sequence){b->out + i * ROW, b->queries + i * ROW, 1, positions - 1, (const void *const *)pages};
            }
            double begin = now();
            ck_kv_store(b->pool, shape, step % LAYERS, stored, sequences, ROW);
            double middle = now();
            ck_attend_sequences(b->pool, shape, step % LAYERS, HEADS, asked, sequences, b->scratch);
            stores[r] += (middle - begin) / (double)steps;
            seconds[r] += (now() - middle) / (double)steps;
        }
        // ck_attention has one sequence a call, and its keys and values are warm.
        olds[r] = old_seconds(b, 1, positions - 1) * (double)sequences;
    }
    size_t n = (size_t)b->repetitions;
    double second = median(seconds, n), read = median(reads, n), bytes = (double)page_bytes / LAYERS / CK_PAGE_POSITIONS * (double)(positions * sequences);
    double rate = bytes / second * 1e-9, both = bytes / (second + median(stores, n)) * 1e-9;
    printf("%s decode %2zu x %3zu: %7.3f ms, %5.2f GB/s (%3.0f %% of %5.2f; %3.0f %% with the store's %6.3f ms); ck_attention %7.3f ms, %5.1f times\n", name,
           sequences, positions, second * 1e3, rate, rate / read * 100, read, both / read * 100, median(stores, n) * 1e3, median(olds, n) * 1e3,
           median(olds, n) / second);
    fflush(stdout);
}

int main(int count, char **arguments) {
    int threads = count > 1 ? atoi(arguments[1]) : 2, repetitions = count > 2 ? atoi(arguments[2]) : 5;
    bench b = {.pool = ck_pool_create(threads, count > 3 ? atoi(arguments[3]) : CK_AVX512)};
    if (b.pool == NULL) return 2;
    b.wide = strcmp(ck_arithmetic_name(b.pool), "fp32-fma+avx512") == 0;
    b.repetitions = repetitions < 1 || repetitions > REPETITIONS ? 5 : repetitions;
    if (count > 4 && strcmp(arguments[4], "cpu") == 0) {
        clock_used = CLOCK_PROCESS_CPUTIME_ID;
        clock_share = 1.0 / (double)ck_pool_threads(b.pool);
    }
    size_t floats = (size_t)MOST * ROW;
    b.buffer = aligned_alloc(2 << 20, buffer_bytes);
    b.queries = aligned_alloc(64, floats * 4), b.out = aligned_alloc(64, floats * 4), b.keys = aligned_alloc(64, floats * 4);
    b.values = aligned_alloc(64, floats * 4), b.scores = aligned_alloc(64, ck_pool_threads(b.pool) * MOST * 4);
    b.scratch = aligned_alloc(64, ck_attend_scratch_bytes(b.pool, (ck_kv_shape){CK_KV_F32, LAYERS, HEADS, SIZE}));
    if (b.buffer == NULL || b.queries == NULL || b.out == NULL || b.keys == NULL || b.values == NULL || b.scores == NULL || b.scratch == NULL) return 2;
    madvise(b.buffer, buffer_bytes, MADV_HUGEPAGE);
    for (size_t i = 0; i < floats; i++) {
        b.queries[i] = (float)(i * 2654435761u % 2001) * 1e-3f - 1;
        b.keys[i] = (float)(i * 2246822519u % 2003) * 1e-3f - 1;
        b.values[i] = (float)(i * 3266489917u % 1999) * 1e-3f - 1;
    }
    static const char *names[] = {"f32", "f16", "q8 "};
    printf("%s, %d threads, medians of %d\n", ck_arithmetic_name(b.pool), threads, b.repetitions);
    for (ck_kv_type type = CK_KV_F32; type <= CK_KV_Q8; type++) {
        ck_kv_shape shape = {type, LAYERS, HEADS, SIZE};
        size_t page_bytes = ck_kv_page_bytes(shape), pages = buffer_bytes / page_bytes;
        for (size_t i = 0; i < pages; i++) b.pages[i] = b.buffer + i * page_bytes;
        ck_kv_rows rows[1024 / PAGES];
        for (size_t i = 0; i < pages / PAGES; i++) rows[i] = (ck_kv_rows){b.pages + i * PAGES, 0, MOST, b.keys, b.values};
        for (size_t layer = 0; layer < LAYERS; layer++) ck_kv_store(b.pool, shape, layer, rows, pages / PAGES, ROW);
        prefill(&b, shape, names[type], 256);
        prefill(&b, shape, names[type], 370);
        prefill(&b, shape, names[type], 512);
        decode(&b, shape, names[type], 1, 290);
        decode(&b, shape, names[type], 1, 500);
        decode(&b, shape, names[type], 16, 290);
        decode(&b, shape, names[type], 16, 500);
    }
    ck_pool_free(b.pool);
}
