// Part of panels_int8.h and panels_int8_amx.c: a row of x to signed bytes. Plain lane operations and exact reductions: the same bits on every set.

typedef float CK_INT8(floats) __attribute__((vector_size(32 * sizeof(float))));
typedef int32_t CK_INT8(words) __attribute__((vector_size(32 * sizeof(int32_t))));
typedef int8_t CK_INT8(quants) __attribute__((vector_size(32)));

/// The bits of the largest magnitude of a row: NaN above infinity above every number.
CK_INLINE uint32_t CK_INT8(largest)(const float *x, size_t columns) {
    CK_INT8(words) largest = {0}, bits;
    for (size_t k = 0; k < columns; k += 32) {
        memcpy(&bits, x + k, sizeof bits);
        largest = __builtin_elementwise_max(largest, bits & INT32_MAX);
    }
    return (uint32_t)__builtin_reduce_max(largest);
}

/// A block times 2^-exponent of its row to its bytes and, `stride` apart, its words. A byte is 127 x / m rounded, halfway cases to even, where m
/// is the block's largest magnitude; the scale is m / 127.
CK_INLINE void CK_INT8(convert_block)(uint8_t *bytes, uint8_t *words, size_t stride, CK_INT8(floats) x) {
    uint32_t bits = (uint32_t)__builtin_reduce_max((CK_INT8(words))x & INT32_MAX);
    float magnitude;
    memcpy(&magnitude, &bits, sizeof magnitude);
    // A block so far below the row's largest is nothing; its reciprocal might be infinite.
    bool tiny = magnitude < 0x1p-100f;
    float unit = tiny ? 0 : magnitude / 127, inverse = tiny ? 0 : 127 / magnitude;
    const float round = 12582912.0f; // 1.5 * 2^23: adding it rounds to a whole number, to even
    CK_INT8(floats) rounded = x * inverse + round;
    CK_INT8(words) q = (CK_INT8(words))rounded - 0x4B400000;
    CK_INT8(quants) narrow = __builtin_convertvector(q, CK_INT8(quants));
    narrow = __builtin_shufflevector(narrow, narrow, 0, 4, 1, 5, 2, 6, 3, 7, 8, 12, 9, 13, 10, 14, 11, 15,
                                     16, 20, 17, 21, 18, 22, 19, 23, 24, 28, 25, 29, 26, 30, 27, 31);
    int32_t sum = __builtin_reduce_add(q), eightfold = 8 * sum;
    float scaled = (float)sum * unit;
    memcpy(bytes, &narrow, sizeof narrow);
    memcpy(words, &unit, sizeof unit);
    memcpy(words + stride, &eightfold, sizeof eightfold);
    memcpy(words + 2 * stride, &scaled, sizeof scaled);
}

/// A row with an infinity or NaN gets scales of NaN, and so do all its outputs.
CK_INLINE void CK_INT8(convert_not_finite)(uint8_t *bytes, uint8_t *words, size_t stride) {
    const float nan = NAN;
    memset(bytes, 0, 32);
    memcpy(words, &nan, sizeof nan);
    memset(words + stride, 0, sizeof(int32_t));
    memcpy(words + 2 * stride, &nan, sizeof nan);
}

/// Row `row` to the blocks from `place` on.
static void CK_INT8(convert_to)(const ck_panel_job *job, size_t row, ck_int8_place place) {
    size_t columns = job->weights.columns;
    const float *x = job->x + row * columns;
    uint32_t bits = CK_INT8(largest)(x, columns);
    bool finite = bits < 0x7F800000u;
    // Scaled so that no sum overflows; 2^-exponent is a normal number.
    int32_t exponent = (int32_t)(bits >> 23) - 127;
    exponent = exponent < -126 ? -126 : exponent > 126 ? 126 : exponent;
    job->exponents[row] = (float)exponent;
    uint32_t power_bits = (uint32_t)(127 - exponent) << 23;
    float power;
    memcpy(&power, &power_bits, sizeof power);
    for (size_t k = 0; k < columns; k += 32, place.bytes += place.advance, place.words += place.advance) {
        CK_INT8(floats) values;
        memcpy(&values, x + k, sizeof values);
        if (finite) CK_INT8(convert_block)(place.bytes, place.words, place.stride, values * power);
        else CK_INT8(convert_not_finite)(place.bytes, place.words, place.stride);
    }
}
