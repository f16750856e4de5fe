// Blocks over a vector type, included once per instruction set. Dequantising and quantising have no fused operations; the product has
// nothing else. Lane operations only, so every set computes the same bits.
//
// Before inclusion: CK_SET(name) names the functions, CK_SET_ROWS the rows that fit the registers, CK_SET_WIDTH the floats
// of an accumulator.

// Vectors wider than the registers are passed between functions here, all of which are inlined: no ABI is involved.
#pragma clang diagnostic ignored "-Wpsabi"

#pragma STDC FP_CONTRACT OFF

#define CK_INLINE static inline __attribute__((always_inline))
#define CK_UNROLL _Pragma("clang loop unroll(full)")

#include "blocks_dequantize.h"
#include "blocks_product.h"
#include "blocks_quantize.h"
#include "panels_float.h"

#define CK_SET_BLOCK_TABLE                                                                                               \
    {                                                                                                                    \
        .dequantize = CK_SET(dequantize), .transpose = CK_SET(transpose), .accumulate = CK_SET(accumulate),              \
        .quantize_q4_k = CK_SET(quantize_q4_k), .unpack_panel = CK_SET(unpack_panel),                                        \
        .accumulate_narrow = CK_SET(accumulate_narrow),                                                                  \
    }
