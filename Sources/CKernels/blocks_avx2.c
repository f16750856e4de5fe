// Blocks with AVX2 and FMA: six rows by two registers of eight.
#if defined(__x86_64__)
#include "blocks_kernels.h"
#include "ck_widen.h"
#include <math.h>
#include <string.h>
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define CK_SET(name) ck_avx2_##name
enum { CK_SET_ROWS = 6, CK_SET_WIDTH = 8 };
#include "blocks_set.h"
const ck_block_kernels ck_avx2_block_kernels = CK_SET_BLOCK_TABLE;
#pragma clang attribute pop
#endif
