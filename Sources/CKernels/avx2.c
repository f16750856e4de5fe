// AVX2 with FMA: six rows by two registers of eight.
#if defined(__x86_64__)
#include "kernels.h"
#include <math.h>
#include <string.h>
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define CK_SET(name) ck_avx2_##name
enum { CK_SET_ROWS = 6, CK_SET_WIDTH = 8 };
#include "instruction_set.h"
const ck_kernels ck_avx2_kernels = CK_SET_TABLE;
#pragma clang attribute pop
#endif
