// Products with packed panels, beside what the silicon does in the same run: read bandwidth (four prefetched streams a thread) and the peak of
// the tiles. Weights are cycled through a buffer larger than the caches, as the layers of a model are.
//
//     panels [threads=2] [repetitions=5] [arithmetic=best: 0 f32, 1 bf16, 2 fp16, 3 int8] [set=2: 0 scalar, 1 AVX2, 2 AVX-512] [clock=wall: wall, cpu]
//
// On a machine that computes other things, too, "1 5 1 2 cpu" tells more: one thread, by the time the processor gave it.
// Medians; a line says GB/s of packed weights, its share of the bandwidth, TFLOP/s, its share of the peak.
#include "silicon.h"

#include <stdio.h>
#include <string.h>

enum { BUFFER = 768 << 20, REPETITIONS = 64 };

int main(int count, char **arguments) {
    int threads = count > 1 ? atoi(arguments[1]) : 2, repetitions = count > 2 ? atoi(arguments[2]) : 5;
    ck_pool *pool = ck_pool_create(threads, count > 4 ? atoi(arguments[4]) : CK_AVX512);
    if (pool == NULL) return 2;
    if (count > 5 && strcmp(arguments[5], "cpu") == 0) {
        clock_used = CLOCK_PROCESS_CPUTIME_ID;
        clock_share = 1.0 / (double)ck_pool_threads(pool);
    }
    ck_panel_arithmetic arithmetic = count > 3 ? atoi(arguments[3]) : (int)ck_best_panel_arithmetic(pool);
    if (!ck_has_panel_arithmetic(pool, arithmetic)) return puts("not on this machine"), 1;
    if (repetitions < 1 || repetitions > REPETITIONS) repetitions = 5;

    uint8_t *buffer = aligned_alloc(4096, BUFFER);
    size_t most = 256 * (size_t)32000;
    float *x = aligned_alloc(64, most * 4), *y = aligned_alloc(64, most * 4);
    void *scratch = aligned_alloc(64, ck_panels_scratch_bytes(pool, 256, 11008));
    if (buffer == NULL || x == NULL || y == NULL || scratch == NULL) return 2;
    memset(buffer, 1, BUFFER);
    for (size_t i = 0; i < most; i++) x[i] = (float)(i * 2654435761u % 2001) * 1e-3f - 1;

    static const struct { size_t rows, columns; } shapes[] = {{4096, 4096}, {11008, 4096}, {4096, 11008}, {32000, 4096}};
    static const ck_block_type types[] = {CK_BLOCK_Q4_0, CK_BLOCK_Q8_0, CK_BLOCK_Q4_K};
    static const char *names[] = {"Q4_0", "Q8_0", "Q4_K"};
    static const size_t batches[] = {1, 4, 16, 32, 64, 256};
    printf("%s, %d threads, medians of %d\n", ck_panel_arithmetic_name(pool, arithmetic), threads, repetitions);
    for (size_t t = 0; t < 3; t++) {
        for (size_t s = 0; s < 4; s++) {
            size_t n = shapes[s].rows, k = shapes[s].columns, bytes = ck_panels_bytes(types[t], n, k), copies = BUFFER / bytes;
            // One matrix of random numbers, packed, then copies of it.
            size_t row_bytes = ck_block_row_bytes(types[t], k);
            float *row = malloc(16 * k * 4);
            uint8_t *blocks = malloc(n * row_bytes);
            if (row == NULL || blocks == NULL) return 2;
            for (size_t i = 0; i < 16 * k; i++) row[i] = (float)(i * 2246822519u % 1999) * 2e-5f - 0.02f;
            ck_quantize_rows(pool, types[t], blocks, row, 16, k);
            for (size_t r = 16; r < n; r++) memcpy(blocks + r * row_bytes, blocks + r % 16 * row_bytes, row_bytes);
            if (ck_pack_panels(pool, buffer, (ck_block_matrix){.type = types[t], .data = blocks, .rows = n, .columns = k}) != n) return 3;
            for (size_t c = 1; c < copies; c++) memcpy(buffer + c * bytes, buffer, bytes);
            free(row);
            free(blocks);
            for (size_t b = 0; b < sizeof batches / sizeof *batches; b++) {
                size_t m = batches[b];
                double seconds[REPETITIONS], reads[REPETITIONS], peaks[REPETITIONS];
                for (int r = 0; r < repetitions; r++) {
                    reads[r] = read_rate(pool, buffer, BUFFER);
                    peaks[r] = tile_rate(pool);
                    size_t products = m > 16 ? 3 : copies < 24 ? copies : 24;
                    double begin = now();
                    for (size_t c = 0; c < products; c++) {
                        ck_panel_matrix w = {.type = types[t], .data = buffer + (c + (size_t)r * products) % copies * bytes, .rows = n, .columns = k};
                        ck_linear_panels(pool, arithmetic, y, n, x, m, w, (ck_epilogue){0}, scratch);
                    }
                    seconds[r] = (now() - begin) / (double)products;
                }
                double second = median(seconds, (size_t)repetitions), read = median(reads, (size_t)repetitions), peak = median(peaks, (size_t)repetitions);
                double rate = (double)bytes / second * 1e-9, work = 2.0 * (double)(m * n * k) / second * 1e-12;
                printf("%s [%5zu, %5zu] rows %3zu: %8.3f ms %6.2f GB/s (%3.0f %% of %5.2f) %6.3f TFLOP/s (%3.0f %% of %5.2f)\n", names[t], n, k, m,
                       second * 1e3, rate, rate / read * 100, read, work, peak > 0 ? work / peak * 100 : 0, peak);
                fflush(stdout);
            }
        }
    }
    ck_pool_free(pool);
}
