// Blocks with AVX-512: twelve rows by two registers of sixteen.
#if defined(__x86_64__)
#include "blocks_kernels.h"
#include "ck_widen.h"
#include <math.h>
#include <string.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma"))), apply_to = function)
#define CK_SET(name) ck_avx512_##name
enum { CK_SET_ROWS = 12, CK_SET_WIDTH = 16 };
#include "blocks_set.h"
const ck_block_kernels ck_avx512_block_kernels = CK_SET_BLOCK_TABLE;
#pragma clang attribute pop
#endif
