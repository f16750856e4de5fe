#ifndef CK_POOL_H
#define CK_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/// Which instructions the kernels use. Every path computes the same bits: each output is one chain of fused
/// multiply-adds in one order, whatever the vector width (see ck_gemm.h, ck_vector.h).
typedef enum {
    /// The specification: plain C, compiled for the baseline processor. Slow.
    CK_SCALAR = 0,
    /// AVX2 + FMA.
    CK_AVX2 = 1,
    /// AVX-512 F, VL, DQ, BW.
    CK_AVX512 = 2,
} ck_instruction_set;

/// The best set this processor and this build have.
ck_instruction_set ck_best_instruction_set(void);

/// Threads that work on one job at a time.
typedef struct ck_pool ck_pool;

/// Starts `threads` - 1 threads; the caller of ck_pool_run is the last one. Less than 1 stands for one on each processor that the
/// process may run on; at most 256 are started. `set` is cut to what the processor has. NULL when memory or threads cannot be had. Freed with ck_pool_free.
ck_pool *_Nullable ck_pool_create(int32_t threads, ck_instruction_set set);

/// How the threads that a pool starts share the machine.
typedef struct {
    /// Each stays on one processor of those that the creating thread may run on: thread w on the w-th, counted round. The first is left to the caller
    /// of ck_pool_run, whose own thread stays as it is. For a machine that has nothing else to do.
    bool pinned;
    /// Each gives way as after ck_give_way.
    bool gives_way;
} ck_pool_manners;

/// The same, with manners.
ck_pool *_Nullable ck_pool_create_with(int32_t threads, ck_instruction_set set, ck_pool_manners manners);

/// Lowers the priority of the calling thread, and of what it starts from now on, for the rest of its life: whatever else the process does (receiving,
/// answering) goes first. Nothing happens where the priority is lower already. Each computes with all of a processor that nobody else wants.
void ck_give_way(void);

/// Ends the threads. No job may be running. NULL is allowed.
void ck_pool_free(ck_pool *_Nullable pool);

/// How many threads take part: the bound of `worker` in ck_tile.
size_t ck_pool_threads(const ck_pool *pool);

/// The path for provenance, a string of the process: "fp32-fma+avx512".
const char *ck_arithmetic_name(const ck_pool *pool);

/// One tile of a job. `worker` < ck_pool_threads, and no two tiles run at once with the same worker.
typedef void (*ck_tile)(void *_Nullable context, size_t tile, size_t worker);

/// Runs tiles 0 ..< `tiles`, each once, on any thread in any order; returns when all are done. Tiles write disjoint
/// memory. Any thread may call; concurrent callers wait for each other. A tile must not call ck_pool_run.
void ck_pool_run(ck_pool *pool, size_t tiles, ck_tile run, void *_Nullable context);

#pragma clang assume_nonnull end

#endif
