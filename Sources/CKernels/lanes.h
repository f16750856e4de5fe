// Sixteen numbers side by side, as ck_vector.h's sums have them: for the files that are included once per instruction set (CK_SET(name) names
// the functions). Lane operations and one tree, so every set computes the same bits.

// Vectors wider than the registers are passed between functions here, all of which are inlined: no ABI is involved.
#pragma clang diagnostic ignored "-Wpsabi"

// The only fused operations are the ones written so.
#pragma STDC FP_CONTRACT OFF

#define CK_INLINE static inline __attribute__((always_inline))
#define CK_UNROLL _Pragma("clang loop unroll(full)")

typedef float CK_SET(lanes) __attribute__((vector_size(CK_LANES * sizeof(float))));
typedef int32_t CK_SET(integers) __attribute__((vector_size(CK_LANES * sizeof(int32_t))));

/// The tree of scalar.c's add_lanes, in registers: what the upper lanes add up to is not used.
CK_INLINE float CK_SET(sum)(CK_SET(lanes) v) {
    v += __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    v += __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    v += __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    v += __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
    return v[0];
}

/// The first CK_LANES of `count` elements; where there are fewer, the rest is `filler`.
CK_INLINE CK_SET(lanes) CK_SET(load)(const float *x, size_t count, float filler) {
    CK_SET(lanes) lanes = filler - (CK_SET(lanes)){0};
    if (count >= CK_LANES) memcpy(&lanes, x, sizeof lanes);
    else memcpy(&lanes, x, count * sizeof(float));
    return lanes;
}

CK_INLINE void CK_SET(store)(float *x, CK_SET(lanes) lanes, size_t count) {
    if (count >= CK_LANES) memcpy(x, &lanes, sizeof lanes);
    else memcpy(x, &lanes, count * sizeof(float));
}

CK_INLINE CK_SET(lanes) CK_SET(choose)(CK_SET(integers) mask, CK_SET(lanes) a, CK_SET(lanes) b) {
    return (CK_SET(lanes))((mask & (CK_SET(integers))a) | (~mask & (CK_SET(integers))b));
}

/// exp(x) for x in -87 ... 88 (clamped), within 2 units in the last place: 2^n times a polynomial on +-ln2/2. Coefficients: Cephes expf.
CK_INLINE CK_SET(lanes) CK_SET(exponential)(CK_SET(lanes) x) {
    CK_SET(lanes) zero = {0};
    // Written so that NaN stays NaN.
    x = CK_SET(choose)(x < -87.0f, zero - 87.0f, x);
    x = CK_SET(choose)(x > 88.0f, zero + 88.0f, x);
    const float round = 12582912.0f; // 1.5 * 2^23: adding it rounds to an integer, to even
    CK_SET(lanes) n = __builtin_elementwise_fma(x, zero + 1.44269504088896341f, zero + round);
    n = n - round;
    CK_SET(lanes) r = __builtin_elementwise_fma(n, zero - 0.693359375f, x);
    r = __builtin_elementwise_fma(n, zero + 2.12194440e-4f, r);
    CK_SET(lanes) p = zero + 1.9875691500e-4f;
    p = __builtin_elementwise_fma(p, r, zero + 1.3981999507e-3f);
    p = __builtin_elementwise_fma(p, r, zero + 8.3334519073e-3f);
    p = __builtin_elementwise_fma(p, r, zero + 4.1665795894e-2f);
    p = __builtin_elementwise_fma(p, r, zero + 1.6666665459e-1f);
    p = __builtin_elementwise_fma(p, r, zero + 5.0000001201e-1f);
    p = __builtin_elementwise_fma(p, r * r, r + 1.0f);
    // NaN must not reach the conversion to integer, which is undefined for it.
    CK_SET(integers) bits = __builtin_convertvector(CK_SET(choose)(n == n, n, zero), CK_SET(integers));
    bits = (bits + 127) << 23;
    CK_SET(lanes) power;
    memcpy(&power, &bits, sizeof power);
    return p * power;
}
