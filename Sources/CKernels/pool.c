// The thread pool. Tiles are handed out by one atomic counter: which thread computes a tile is chance, what it
// computes is not.
//
// A job is handed over without a lock while the threads are awake: writing a token takes hundreds of jobs of some ten microseconds. A thread
// that waits looks for a while, giving way to others, and sleeps after that.
#ifndef _GNU_SOURCE
#define _GNU_SOURCE  // sched_getaffinity
#endif
#include "kernels.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
    CK_MAXIMUM_THREADS = 256,
    /// The nice value of threads that give way: a tenth of the weight of a thread that does not.
    CK_GIVING_WAY = 10,
};

enum {
    /// Looks before a thread sleeps: some 50 microseconds, several times what a wake-up costs.
    CK_LOOKS = 1024,
    /// After so many looks, some 3 microseconds, others may have the processor.
    CK_LOOKS_IN_A_ROW = 64,
};

/// In `state`, beside the number of threads that take part: no thread may begin to.
enum { CK_CLOSED = 1 << 30 };

struct ck_pool {
    const ck_kernels *kernels;
    ck_instruction_set set;
    size_t threads;
    size_t started;
    pthread_t *handles;
    /// Held by the caller of ck_pool_run for its whole job.
    pthread_mutex_t turn;
    /// For going to sleep and waking up, nothing else.
    pthread_mutex_t lock;
    pthread_cond_t wake, idle;
    /// The job. Written while nobody takes part, read by those who do.
    ck_tile run;
    void *context;
    size_t tiles;
    atomic_bool stop;
    /// Whoever sleeps says so before a last look; whoever has news looks here afterwards.
    atomic_uint sleepers;
    atomic_bool caller_sleeps;
    /// Counts jobs. On a line of its own, as are the next two: it is what the threads look at while they wait.
    _Alignas(64) atomic_size_t generation;
    /// A thread that comes after the job closed leaves at once, so nobody waits for it.
    _Alignas(64) atomic_uint state;
    _Alignas(64) atomic_size_t next;
};

typedef struct {
    ck_pool *pool;
    size_t worker;
    bool gives_way;
} ck_worker;

/// Look number `count`; false when it is time to sleep.
static bool look_again(int count) {
    if (count >= CK_LOOKS) return false;
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
    if (count % CK_LOOKS_IN_A_ROW == CK_LOOKS_IN_A_ROW - 1) sched_yield();
    return true;
}

static void take_tiles(ck_pool *pool, size_t worker) {
    for (;;) {
        size_t tile = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (tile >= pool->tiles) return;
        pool->run(pool->context, tile, worker);
    }
}

/// Waits until there is another generation than `seen`, and returns it.
static size_t wait_for_job(ck_pool *pool, size_t seen) {
    size_t generation;
    for (int count = 0; (generation = atomic_load(&pool->generation)) == seen; count++) {
        if (look_again(count)) continue;
        pthread_mutex_lock(&pool->lock);
        atomic_fetch_add(&pool->sleepers, 1);
        while (atomic_load(&pool->generation) == seen) pthread_cond_wait(&pool->wake, &pool->lock);
        atomic_fetch_sub(&pool->sleepers, 1);
        pthread_mutex_unlock(&pool->lock);
    }
    return generation;
}

static void wake_sleepers(ck_pool *pool) {
    if (atomic_load(&pool->sleepers) == 0) return;
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
}

static void *work(void *argument) {
    ck_worker self = *(ck_worker *)argument;
    free(argument);
    ck_pool *pool = self.pool;
    if (self.gives_way) ck_give_way();
    char name[16];
    snprintf(name, sizeof name, "kernels-%zu", self.worker);
    pthread_setname_np(pthread_self(), name);
    for (size_t seen = 0;;) {
        seen = wait_for_job(pool, seen);
        if (atomic_load(&pool->stop)) return NULL;
        if (!(atomic_fetch_add(&pool->state, 1) & CK_CLOSED)) take_tiles(pool, self.worker);
        if (atomic_fetch_sub(&pool->state, 1) == CK_CLOSED + 1 && atomic_load(&pool->caller_sleeps)) {
            pthread_mutex_lock(&pool->lock);
            pthread_cond_signal(&pool->idle);
            pthread_mutex_unlock(&pool->lock);
        }
    }
}

/// Closes the job and waits for those who take part.
static void end_job(ck_pool *pool) {
    atomic_fetch_or(&pool->state, CK_CLOSED);
    for (int count = 0; atomic_load(&pool->state) != CK_CLOSED; count++) {
        if (look_again(count)) continue;
        pthread_mutex_lock(&pool->lock);
        atomic_store(&pool->caller_sleeps, true);
        while (atomic_load(&pool->state) != CK_CLOSED) pthread_cond_wait(&pool->idle, &pool->lock);
        atomic_store(&pool->caller_sleeps, false);
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
    pool->run = run;
    pool->context = context;
    pool->tiles = tiles;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    // Opens: whoever enters from here on sees the job.
    atomic_fetch_and(&pool->state, ~(unsigned)CK_CLOSED);
    atomic_fetch_add(&pool->generation, 1);
    wake_sleepers(pool);
    take_tiles(pool, 0);
    end_job(pool);
    pthread_mutex_unlock(&pool->turn);
}

/// Processors that this process may run on: a container or a taskset may leave it fewer than the machine has.
static size_t processors(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    int count = CPU_COUNT(&set);
    return count > 0 ? (size_t)count : 1;
}

/// Keeps a thread on the `index`-th of those processors, counted round. A wish: where it fails, the thread runs anywhere.
static void pin(pthread_t thread, size_t index) {
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) == 0) return;
    index %= (size_t)CPU_COUNT(&allowed);
    for (int processor = 0; processor < CPU_SETSIZE; processor++) {
        if (!CPU_ISSET(processor, &allowed) || index-- > 0) continue;
        CPU_ZERO(&one);
        CPU_SET(processor, &one);
        pthread_setaffinity_np(thread, sizeof one, &one);
        return;
    }
}

void ck_give_way(void) {
    // Of the calling thread alone: Linux takes a thread for a process here.
    errno = 0;
    int priority = getpriority(PRIO_PROCESS, 0);
    if (errno == 0 && priority < CK_GIVING_WAY) setpriority(PRIO_PROCESS, 0, CK_GIVING_WAY);
}

ck_pool *ck_pool_create_with(int32_t threads, ck_instruction_set set, ck_pool_manners manners) {
    ck_pool *pool = aligned_alloc(64, sizeof *pool);
    if (pool == NULL) return NULL;
    memset(pool, 0, sizeof *pool);
    ck_instruction_set best = ck_best_instruction_set();
    pool->set = set < best ? set : best;
    pool->kernels = ck_kernels_of(pool->set);
    size_t wanted = threads < 1 ? processors() : (size_t)threads;
    pool->threads = wanted > CK_MAXIMUM_THREADS ? CK_MAXIMUM_THREADS : wanted;
    pool->handles = calloc(pool->threads, sizeof *pool->handles);
    atomic_init(&pool->state, CK_CLOSED);
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
        if (self != NULL) *self = (ck_worker){pool, worker, manners.gives_way};
        if (self == NULL || pthread_create(&pool->handles[pool->started], NULL, work, self) != 0) {
            free(self);
            ck_pool_free(pool);
            return NULL;
        }
        if (manners.pinned) pin(pool->handles[pool->started], worker);
        pool->started++;
    }
    return pool;
}

ck_pool *ck_pool_create(int32_t threads, ck_instruction_set set) { return ck_pool_create_with(threads, set, (ck_pool_manners){0}); }

void ck_pool_free(ck_pool *pool) {
    if (pool == NULL) return;
    atomic_store(&pool->stop, true);
    atomic_fetch_add(&pool->generation, 1);
    wake_sleepers(pool);
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
