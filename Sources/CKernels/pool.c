// The thread pool. Tiles are handed out by one atomic counter: which thread computes a tile is chance, what it
// computes is not.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE  // sched_getaffinity
#endif
#include "kernels.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { CK_MAXIMUM_THREADS = 256 };

/// Looks at the generation this often before sleeping: some 15 microseconds, about what a wake-up costs.
enum { CK_SPINS = 256 };

struct ck_pool {
    const ck_kernels *kernels;
    ck_instruction_set set;
    size_t threads;
    size_t started;
    pthread_t *handles;
    /// Held by the caller of ck_pool_run for its whole job.
    pthread_mutex_t turn;
    /// Guards what follows, except the two atomics.
    pthread_mutex_t lock;
    pthread_cond_t wake, idle;
    bool stop;
    /// A job may be entered. A thread that wakes after the job closed goes back to sleep, so nobody waits for it.
    bool open;
    size_t running;
    ck_tile run;
    void *context;
    size_t tiles;
    /// Counts jobs; atomic because sleepers peek at it without the lock.
    atomic_size_t generation;
    atomic_size_t next;
};

typedef struct {
    ck_pool *pool;
    size_t worker;
} ck_worker;

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

static void take_tiles(ck_pool *pool, ck_tile run, void *context, size_t tiles, size_t worker) {
    for (;;) {
        size_t tile = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (tile >= tiles) return;
        run(context, tile, worker);
    }
}

static void *work(void *argument) {
    ck_worker self = *(ck_worker *)argument;
    free(argument);
    ck_pool *pool = self.pool;
    size_t seen = 0;
    for (;;) {
        for (int spin = 0; spin < CK_SPINS && atomic_load_explicit(&pool->generation, memory_order_relaxed) == seen; spin++) relax();
        pthread_mutex_lock(&pool->lock);
        while (!pool->stop && atomic_load_explicit(&pool->generation, memory_order_relaxed) == seen) {
            pthread_cond_wait(&pool->wake, &pool->lock);
        }
        if (pool->stop) {
            pthread_mutex_unlock(&pool->lock);
            return NULL;
        }
        seen = atomic_load_explicit(&pool->generation, memory_order_relaxed);
        if (!pool->open) {
            pthread_mutex_unlock(&pool->lock);
            continue;
        }
        pool->running++;
        ck_tile run = pool->run;
        void *context = pool->context;
        size_t tiles = pool->tiles;
        pthread_mutex_unlock(&pool->lock);

        take_tiles(pool, run, context, tiles, self.worker);

        pthread_mutex_lock(&pool->lock);
        if (--pool->running == 0) pthread_cond_signal(&pool->idle);
        pthread_mutex_unlock(&pool->lock);
    }
}

void ck_pool_run(ck_pool *pool, size_t tiles, ck_tile run, void *context) {
    pthread_mutex_lock(&pool->turn);
    if (tiles <= 1 || pool->started == 0) {
        for (size_t tile = 0; tile < tiles; tile++) run(context, tile, 0);
        pthread_mutex_unlock(&pool->turn);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->run = run;
    pool->context = context;
    pool->tiles = tiles;
    pool->open = true;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&pool->generation, 1, memory_order_relaxed);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);

    take_tiles(pool, run, context, tiles, 0);

    pthread_mutex_lock(&pool->lock);
    pool->open = false;
    while (pool->running > 0) pthread_cond_wait(&pool->idle, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    pthread_mutex_unlock(&pool->turn);
}

ck_instruction_set ck_best_instruction_set(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")
        && __builtin_cpu_supports("avx512bw")) {
        return CK_AVX512;
    }
    if (avx2) return CK_AVX2;
#endif
    return CK_SCALAR;
}

static const ck_kernels *kernels_of(ck_instruction_set set) {
#if defined(__x86_64__)
    if (set == CK_AVX512) return &ck_avx512_kernels;
    if (set == CK_AVX2) return &ck_avx2_kernels;
#endif
    return &ck_scalar_kernels;
}

/// Processors that this process may run on: a container or a taskset may leave it fewer than the machine has.
static size_t processors(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int count = CPU_COUNT(&set);
    return count > 0 ? (size_t)count : 1;
}

ck_pool *ck_pool_create(int32_t threads, ck_instruction_set set) {
    ck_pool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) return NULL;
    ck_instruction_set best = ck_best_instruction_set();
    pool->set = set < best ? set : best;
    pool->kernels = kernels_of(pool->set);
    size_t wanted = threads < 1 ? processors() : (size_t)threads;
    pool->threads = wanted > CK_MAXIMUM_THREADS ? CK_MAXIMUM_THREADS : wanted;
    pool->handles = calloc(pool->threads, sizeof *pool->handles);
    pthread_mutex_init(&pool->turn, NULL);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pthread_cond_init(&pool->idle, NULL);
    if (pool->handles == NULL) {
        ck_pool_free(pool);
        return NULL;
    }
    for (size_t worker = 1; worker < pool->threads; worker++) {
        ck_worker *self = malloc(sizeof *self);
        if (self != NULL) *self = (ck_worker){pool, worker};
        if (self == NULL || pthread_create(&pool->handles[pool->started], NULL, work, self) != 0) {
            free(self);
            ck_pool_free(pool);
            return NULL;
        }
        pool->started++;
    }
    return pool;
}

void ck_pool_free(ck_pool *pool) {
    if (pool == NULL) return;
    pthread_mutex_lock(&pool->lock);
    pool->stop = true;
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
    for (size_t index = 0; index < pool->started; index++) pthread_join(pool->handles[index], NULL);
    pthread_cond_destroy(&pool->idle);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    pthread_mutex_destroy(&pool->turn);
    free(pool->handles);
    free(pool);
}

size_t ck_pool_threads(const ck_pool *pool) { return pool->threads; }

const ck_kernels *ck_pool_kernels(const ck_pool *pool) { return pool->kernels; }

ck_instruction_set ck_pool_set(const ck_pool *pool) { return pool->set; }

const char *ck_arithmetic_name(const ck_pool *pool) {
    switch (pool->set) {
    case CK_AVX512: return "fp32-fma+avx512";
    case CK_AVX2: return "fp32-fma+avx2";
    case CK_SCALAR: break;
    }
    return "fp32-fma+scalar";
}
