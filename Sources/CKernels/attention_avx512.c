// Attention with AVX-512: six rows by four registers of sixteen.
#if defined(__x86_64__)
#include "attention_kernels.h"
#include "ck_blocks.h"
#include <math.h>
#include <string.h>
#pragma clang diagnostic ignored "-Wpsabi"
#pragma clang attribute push(__attribute__((target("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma,f16c"))), apply_to = function)
#define CK_SET(name) ck_avx512_##name
enum { CK_SET_ROWS = 6, CK_SET_VECTORS = 4 };
#include "attention_f16c.h"
#include "attention_set.h"
const ck_attention_kernels ck_avx512_attention_kernels = CK_SET_ATTENTION_TABLE;
#pragma clang attribute pop
#endif
