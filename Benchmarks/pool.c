// What handing over a job costs the thread pool: in each tile a thread waits for all the others, so that every thread takes part. The caller pauses
// between the jobs.
//
//     pool [threads=2] [pinned=0]
//
// Best and median nanoseconds from the call to the return, and the processor time of the whole process beside the time that passed.
#include "ck_pool.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { JOBS = 4000 };

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct {
    atomic_size_t arrived;
    size_t threads;
} meeting;

static void meet(void *context, size_t tile, size_t worker) {
    (void)tile, (void)worker;
    meeting *m = context;
    atomic_fetch_add(&m->arrived, 1);
    while (atomic_load(&m->arrived) < m->threads) sched_yield();
}

int main(int count, char **arguments) {
    int threads = count > 1 ? atoi(arguments[1]) : 2;
    ck_pool *pool = count > 2 && atoi(arguments[2]) ? ck_pool_create_with(threads, CK_AVX512, (ck_pool_manners){.pinned = true}) : ck_pool_create(threads, CK_AVX512);
    if (pool == NULL) return 2;
    static const double pauses[] = {0, 2e-6, 10e-6, 30e-6, 300e-6};
    for (size_t p = 0; p < sizeof pauses / sizeof *pauses; p++) {
        static double taken[JOBS];
        int jobs = pauses[p] > 1e-4 ? JOBS / 8 : JOBS;
        double begin = now(CLOCK_MONOTONIC), processor = now(CLOCK_PROCESS_CPUTIME_ID);
        for (int j = 0; j < jobs; j++) {
            double until = now(CLOCK_MONOTONIC) + pauses[p], start;
            while ((start = now(CLOCK_MONOTONIC)) < until) {}
            meeting m = {.threads = ck_pool_threads(pool)};
            ck_pool_run(pool, m.threads, meet, &m);
            taken[j] = now(CLOCK_MONOTONIC) - start;
        }
        double passed = now(CLOCK_MONOTONIC) - begin;
        processor = now(CLOCK_PROCESS_CPUTIME_ID) - processor;
        qsort(taken, (size_t)jobs, sizeof *taken, ascending);
        printf("pause %5.0f us: best %7.0f ns, median %7.0f ns, 99 of 100 %8.0f ns; %.2f processors busy\n", pauses[p] * 1e6, taken[0] * 1e9,
               taken[jobs / 2] * 1e9, taken[jobs * 99 / 100] * 1e9, processor / passed);
    }
    ck_pool_free(pool);
}
