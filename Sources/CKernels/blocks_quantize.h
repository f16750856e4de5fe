// Part of blocks_set.h: Q4_K. Eight sub-blocks of 32 numbers x, each written as s * q - m with q in 0 ... 15, m >= 0; then the eight s and
// the eight m as six bits of two halves, and the q once more for what s and m have become.
//
// Search for s and m of a sub-block, as ggml's reference quantiser does it (published in llama.cpp's k-quants): try 22 step sizes around
// range / 15, the range counted from the best m so far; for the q each one gives, the weighted least squares solution for (s, m) is closed; keep the one of the smallest
// weighted squared error. Weight of a number: |x| + root mean square of the sub-block.

typedef float CK_SET(numbers) __attribute__((vector_size(16 * sizeof(float))));
typedef int32_t CK_SET(masks) __attribute__((vector_size(16 * sizeof(int32_t))));

/// A sub-block, and its weights.
typedef struct {
    CK_SET(numbers) x[2], weight[2];
} CK_SET(sub_block);

/// In one tree, whatever the registers.
CK_INLINE float CK_SET(total)(CK_SET(numbers) v) {
    v += __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    v += __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    v += __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    v += __builtin_shufflevector(v, v, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
    return v[0];
}

CK_INLINE CK_SET(numbers) CK_SET(where)(CK_SET(masks) mask, CK_SET(numbers) a, CK_SET(numbers) b) {
    return (CK_SET(numbers))((mask & (CK_SET(masks))a) | (~mask & (CK_SET(masks))b));
}

/// Nearest whole number, halves to even, cut to 0 ... 15. What is not a number becomes 0.
CK_INLINE CK_SET(numbers) CK_SET(level)(CK_SET(numbers) v) {
    CK_SET(numbers) zero = {0};
    v = CK_SET(where)(v > 0, v, zero);
    v = CK_SET(where)(v < 15, v, zero + 15.0f);
    return (v + 12582912.0f) - 12582912.0f; // 1.5 * 2^23
}

CK_INLINE float CK_SET(weighted_error)(const CK_SET(sub_block) *b, const CK_SET(numbers) q[2], float scale, float minimum) {
    CK_SET(numbers) sum = {0};
    for (size_t i = 0; i < 2; i++) {
        CK_SET(numbers) difference = scale * q[i] + minimum - b->x[i];
        sum += b->weight[i] * (difference * difference);
    }
    return CK_SET(total)(sum);
}

/// x is about scale * q - minimum; both >= 0.
CK_INLINE void CK_SET(fit)(const CK_SET(sub_block) *b, float smallest, float largest, float *scale, float *minimum) {
    const float levels = 15;
    // All numbers may be positive: the minimum is not below zero then, and zero is representable.
    if (smallest > 0) smallest = 0;
    float range = largest - smallest;
    *scale = 0;
    *minimum = -smallest;
    // Steps far below the smallest half are no steps.
    if (!(range > 1e-30f)) return;

    float sum_w = CK_SET(total)(b->weight[0] + b->weight[1]);
    float sum_x = CK_SET(total)(b->weight[0] * b->x[0] + b->weight[1] * b->x[1]);
    CK_SET(numbers) q[2];
    float inverse = levels / range, best_scale = 1 / inverse, best_minimum = smallest;
    for (size_t i = 0; i < 2; i++) q[i] = CK_SET(level)(inverse * (b->x[i] - smallest));
    float best = CK_SET(weighted_error)(b, q, best_scale, best_minimum);

    for (int step = 0; step <= 20; step++) {
        inverse = (-1.0f + 0.1f * (float)step + levels) / (largest - best_minimum);
        CK_SET(numbers) l = {0}, ll = {0}, xl = {0};
        for (size_t i = 0; i < 2; i++) {
            q[i] = CK_SET(level)(inverse * (b->x[i] - best_minimum));
            CK_SET(numbers) wq = b->weight[i] * q[i];
            l += wq;
            ll += wq * q[i];
            xl += wq * b->x[i];
        }
        float sum_l = CK_SET(total)(l), sum_ll = CK_SET(total)(ll), sum_xl = CK_SET(total)(xl);
        float determinant = sum_w * sum_ll - sum_l * sum_l;
        if (!(determinant > 0)) continue;
        float s = (sum_w * sum_xl - sum_x * sum_l) / determinant;
        float m = (sum_ll * sum_x - sum_l * sum_xl) / determinant;
        // A minimum cannot be positive: the best line through zero instead.
        if (m > 0) {
            m = 0;
            s = sum_xl / sum_ll;
        }
        float error = CK_SET(weighted_error)(b, q, s, m);
        if (error < best) {
            best = error;
            best_scale = s;
            best_minimum = m;
        }
    }
    *scale = best_scale;
    *minimum = -best_minimum;
}

CK_INLINE void CK_SET(extremes)(const float *x, float *smallest, float *largest) {
    *smallest = *largest = x[0];
    for (size_t i = 1; i < 32; i++) {
        *smallest = x[i] < *smallest ? x[i] : *smallest;
        *largest = x[i] > *largest ? x[i] : *largest;
    }
}

/// `unit` as a half, and the eight values in whole units, 0 ... 63.
CK_INLINE bool CK_SET(six_bit_units)(uint8_t *half, float *unit, const float *values, uint8_t *units) {
    float largest = 0;
    for (size_t j = 0; j < 8; j++) largest = values[j] > largest ? values[j] : largest;
    float step = largest / 63, inverse = largest > 0 ? 63 / largest : 0;
    // Below the smallest numbers the inverse is infinite; the step is zero as a half in any case.
    if (!(step > 1e-30f)) inverse = 0;
    for (size_t j = 0; j < 8; j++) {
        float value = inverse * (values[j] > 0 ? values[j] : 0);
        value = (value + 12582912.0f) - 12582912.0f;
        units[j] = (uint8_t)(value < 63 ? value : 63);
    }
    ck_narrow_f16(half, &step, 1);
    ck_widen_f16(unit, half, 1);
    return *unit <= 65504.0f;
}

static bool CK_SET(quantize_q4_k)(uint8_t *target, const float *source) {
    float scales[8], minima[8];
    for (size_t j = 0; j < 8; j++) {
        const float *x = source + j * 32;
        CK_SET(sub_block) b;
        memcpy(b.x, x, sizeof b.x);
        float mean = sqrtf(CK_SET(total)(b.x[0] * b.x[0] + b.x[1] * b.x[1]) / 32);
        for (size_t i = 0; i < 2; i++) b.weight[i] = mean + CK_SET(where)(b.x[i] < 0, -b.x[i], b.x[i]);
        float smallest, largest;
        CK_SET(extremes)(x, &smallest, &largest);
        CK_SET(fit)(&b, smallest, largest, &scales[j], &minima[j]);
    }

    uint8_t s[8], m[8];
    float d, dmin;
    bool fits = CK_SET(six_bit_units)(target, &d, scales, s);
    if (!CK_SET(six_bit_units)(target + 2, &dmin, minima, m) || !fits) return false;
    for (size_t j = 0; j < 4; j++) {
        target[4 + j] = (uint8_t)(s[j] | s[j + 4] >> 4 << 6);
        target[8 + j] = (uint8_t)(m[j] | m[j + 4] >> 4 << 6);
        target[12 + j] = (uint8_t)((s[j + 4] & 15) | (m[j + 4] & 15) << 4);
    }
    for (size_t j = 0; j < 8; j++) {
        const float *x = source + j * 32;
        float scale = d * (float)s[j], minimum = dmin * (float)m[j];
        float q[32];
        for (size_t i = 0; i < 2; i++) {
            CK_SET(numbers) v = {0};
            if (scale > 0) {
                memcpy(&v, x + i * 16, sizeof v);
                v = CK_SET(level)((v + minimum) / scale);
            }
            memcpy(q + i * 16, &v, sizeof v);
        }
        uint8_t *out = target + 16 + j / 2 * 32;
        if (j % 2 == 0) {
            for (size_t i = 0; i < 32; i++) out[i] = (uint8_t)q[i];
        } else {
            for (size_t i = 0; i < 32; i++) out[i] |= (uint8_t)((uint8_t)q[i] << 4);
        }
    }
    return true;
}
