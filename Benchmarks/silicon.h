// What the silicon does in the same run, for the benchmarks of kernels: the clock, read bandwidth (four prefetched streams a thread) and the peak of the tiles.
#ifndef SILICON_H
#define SILICON_H

#include "ck_panels.h"

#include <immintrin.h>
#include <stdlib.h>
#include <time.h>

static clockid_t clock_used = CLOCK_MONOTONIC;
static double clock_share = 1;

static double now(void) {
    struct timespec t;
    clock_gettime(clock_used, &t);
    return ((double)t.tv_sec + 1e-9 * (double)t.tv_nsec) * clock_share;
}

__attribute__((unused)) static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

__attribute__((unused)) static double median(double *values, size_t count) {
    qsort(values, count, sizeof *values, ascending);
    return values[count / 2];
}

typedef struct {
    const uint8_t *buffer;
    size_t bytes, workers;
    volatile uint64_t sink[256];
} reading;

/// Reads its share in four streams, prefetching 1 KiB ahead.
__attribute__((target("avx2"))) static void read_share(void *context, size_t tile, size_t worker) {
    reading *r = context;
    size_t per = r->bytes / r->workers / 4 / 128 * 128;
    const uint8_t *from = r->buffer + tile * 4 * per;
    __m256i sum = _mm256_setzero_si256();
    for (size_t i = 0; i < per; i += 128) {
        for (size_t s = 0; s < 4; s++) {
            const uint8_t *p = from + s * per + i;
            _mm_prefetch((const char *)p + 1024, _MM_HINT_T0);
            _mm_prefetch((const char *)p + 1088, _MM_HINT_T0);
            for (size_t v = 0; v < 4; v++) sum = _mm256_add_epi64(sum, _mm256_load_si256((const void *)(p + 32 * v)));
        }
    }
    r->sink[worker] += (uint64_t)_mm256_extract_epi64(sum, 0);
}

/// Gigabytes a second of the pool's threads.
__attribute__((unused)) static double read_rate(ck_pool *pool, const uint8_t *buffer, size_t bytes) {
    static reading r;
    r.buffer = buffer;
    r.bytes = bytes;
    r.workers = ck_pool_threads(pool);
    double begin = now();
    ck_pool_run(pool, r.workers, read_share, &r);
    return (double)bytes / (now() - begin) * 1e-9;
}

enum { PEAK_STEPS = 400000 };

/// Two by two tiles of registers; AMX's bf16 and fp16 run at the same rate. The operands are numbers about 1: with zeros the core clocks up to a fifth
/// higher than any product ever will.
__attribute__((target("amx-tile,amx-bf16"))) static void spin_tiles(void *context, size_t tile, size_t worker) {
    (void)context, (void)tile, (void)worker;
    _Alignas(64) uint8_t configuration[64] = {1};
    for (size_t t = 0; t < 8; t++) {
        configuration[16 + 2 * t] = 64;
        configuration[48 + t] = 16;
    }
    __asm__ volatile("" : : "r"(configuration) : "memory");
    _tile_loadconfig(configuration);
    _Alignas(64) uint8_t operand[1024];
    for (size_t i = 0; i < sizeof operand; i++) operand[i] = i % 2 == 0 ? (uint8_t)(i * 37) : 0x3F;
    _tile_zero(0); _tile_zero(1); _tile_zero(2); _tile_zero(3);
    _tile_loadd(4, operand, 64); _tile_loadd(5, operand, 64); _tile_loadd(6, operand, 64); _tile_loadd(7, operand, 64);
    for (size_t i = 0; i < PEAK_STEPS; i++) {
        _tile_dpbf16ps(0, 4, 6); _tile_dpbf16ps(1, 4, 7); _tile_dpbf16ps(2, 5, 6); _tile_dpbf16ps(3, 5, 7);
    }
    _tile_release();
}

/// Teraflops of the tiles; 0 where the processor has none.
__attribute__((unused)) static double tile_rate(ck_pool *pool) {
    if (!ck_has_panel_arithmetic(pool, CK_PANEL_BF16)) return 0;
    double begin = now();
    ck_pool_run(pool, ck_pool_threads(pool), spin_tiles, NULL);
    return (double)ck_pool_threads(pool) * PEAK_STEPS * 4 * 2 * 16 * 16 * 32 / (now() - begin) * 1e-12;
}

#endif
