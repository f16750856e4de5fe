// Attention over a vector type, included once per instruction set: what a row of the result is, to the bit. Lane operations, one chain per
// score and per output, and one tree per sum of a softmax.
//
// Before inclusion: CK_SET(name) names the functions, CK_SET_ROWS and CK_SET_VECTORS are the rows and the vectors of CK_LANES columns whose sums
// fit the registers, CK_SET_WIDEN_F16(pointer) and CK_SET_NARROW_F16(pointer, lanes) convert CK_LANES halves.
#include "lanes.h"

typedef int8_t CK_SET(bytes) __attribute__((vector_size(CK_LANES)));

// MARK: Numbers of a page

/// `type` is a literal at each call.
CK_INLINE CK_SET(lanes) CK_SET(widen_lanes)(const ck_kv_type type, const uint8_t *source) {
    if (type == CK_KV_F16) return CK_SET_WIDEN_F16(source);
    if (type == CK_KV_Q8) {
        CK_SET(bytes) q;
        memcpy(&q, source, sizeof q);
        return __builtin_convertvector(q, CK_SET(lanes));
    }
    CK_SET(lanes) value;
    memcpy(&value, source, sizeof value);
    return value;
}

/// `count` is a multiple of CK_LANES.
static void CK_SET(widen)(ck_kv_type type, float *target, const void *source, size_t count) {
    const uint8_t *from = source;
    switch (type) {
    case CK_KV_F32: memcpy(target, from, count * sizeof(float)); break;
    case CK_KV_F16:
        for (size_t i = 0; i < count; i += CK_LANES) CK_SET(store)(target + i, CK_SET(widen_lanes)(CK_KV_F16, from + 2 * i), CK_LANES);
        break;
    case CK_KV_Q8:
        for (size_t i = 0; i < count; i += CK_LANES) CK_SET(store)(target + i, CK_SET(widen_lanes)(CK_KV_Q8, from + i), CK_LANES);
        break;
    }
}

/// The largest lane; NaN is not counted.
CK_INLINE float CK_SET(largest)(CK_SET(lanes) v) {
    CK_SET(lanes) other = __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
    v = CK_SET(choose)(other > v, other, v);
    other = __builtin_shufflevector(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    v = CK_SET(choose)(other > v, other, v);
    other = __builtin_shufflevector(v, v, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    v = CK_SET(choose)(other > v, other, v);
    return v[1] > v[0] ? v[1] : v[0];
}

/// The scale of signed bytes for `source`; NaN where a number is not finite.
CK_INLINE float CK_SET(scale_q8)(const float *source, size_t count) {
    CK_SET(lanes) largest = {0}, invalid = {0};
    for (size_t i = 0; i < count; i += CK_LANES) {
        CK_SET(lanes) x = CK_SET(load)(source + i, count - i, 0);
        CK_SET(lanes) magnitude = (CK_SET(lanes))((CK_SET(integers))x & INT32_MAX);
        largest = CK_SET(choose)(magnitude > largest, magnitude, largest);
        invalid += x * 0.0f;
    }
    float scale = CK_SET(largest)(largest) / 127.0f + CK_SET(sum)(invalid);
    // Below the normal numbers there is no inverse; nothing that small is seen beside a score or an output.
    return scale < 0x1p-126f ? 0 : scale;
}

CK_INLINE void CK_SET(narrow_q8)(uint8_t *target, CK_SET(lanes) x, float inverse, size_t count) {
    const float round = 12582912.0f; // 1.5 * 2^23: adding it rounds to an integer, to even
    x = x * inverse + round - round;
    // NaN must not reach the conversion to integer, which is undefined for it.
    CK_SET(integers) whole = __builtin_convertvector(CK_SET(choose)(x == x, x, (CK_SET(lanes)){0}), CK_SET(integers));
    CK_SET(bytes) q = __builtin_convertvector(whole, CK_SET(bytes));
    if (count >= CK_LANES) memcpy(target, &q, sizeof q);
    else memcpy(target, &q, count);
}

static float CK_SET(narrow)(ck_kv_type type, void *target, size_t step, const float *source, size_t count) {
    uint8_t *to = target;
    float scale = type == CK_KV_Q8 ? CK_SET(scale_q8)(source, count) : 1, inverse = scale > 0 ? 1.0f / scale : 0;
    for (size_t i = 0; i < count; i += CK_LANES, to += step) {
        size_t left = count - i;
        CK_SET(lanes) x = CK_SET(load)(source + i, left, 0);
        switch (type) {
        case CK_KV_F32: CK_SET(store)((float *)(void *)to, x, left); break;
        case CK_KV_F16:
            if (left >= CK_LANES) CK_SET_NARROW_F16(to, x);
            else ck_narrow_f16(to, source + i, left);
            break;
        case CK_KV_Q8: CK_SET(narrow_q8)(to, x, inverse, left); break;
        }
    }
    return scale;
}

#include "attention_product.h"

// MARK: Softmax

/// Positions 16 v ... of a page that are visible.
CK_INLINE CK_SET(integers) CK_SET(visible_lanes)(size_t visible, size_t v) {
    CK_SET(integers) lane = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return lane + (int32_t)(v * CK_LANES) < (int32_t)visible;
}

/// Scores instead of chains, minus infinity where the line does not see; and the largest of the line so far.
CK_INLINE void CK_SET(scale)(ck_attention_line *line, size_t visible, float *scores, const ck_page_scales *scales) {
    CK_SET(lanes) zero = {0}, largest = line->largest - zero;
    CK_UNROLL
    for (size_t v = 0; v < CK_PAGE_POSITIONS / CK_LANES; v++) {
        CK_SET(lanes) scale = scales->scale - zero;
        if (scales->key_scales != NULL) scale *= CK_SET(load)(scales->key_scales + v * CK_LANES, CK_LANES, 0);
        CK_SET(lanes) score = CK_SET(load)(scores + v * CK_LANES, CK_LANES, 0) * scale;
        score = CK_SET(choose)(CK_SET(visible_lanes)(visible, v), score, zero - INFINITY);
        largest = CK_SET(choose)(score > largest, score, largest);
        CK_SET(store)(scores + v * CK_LANES, score, CK_LANES);
    }
    line->grown = CK_SET(largest)(largest);
}

/// What was summed up below a smaller maximum. Multiplying by one changes nothing, nor does multiplying the zeros that a line begins with.
CK_INLINE void CK_SET(shrink)(ck_attention_line *line, float *out, size_t columns) {
    CK_SET(lanes) zero = {0};
    if (line->grown != line->largest && line->largest != -INFINITY) {
        float factor = CK_SET(exponential)(line->largest - line->grown - zero)[0];
        CK_SET(store)(line->sums, CK_SET(load)(line->sums, CK_LANES, 0) * factor, CK_LANES);
        for (size_t i = 0; i < columns; i += CK_LANES) CK_SET(store)(out + i, CK_SET(load)(out + i, CK_LANES, 0) * factor, CK_LANES);
    }
    line->largest = line->grown;
}

/// In two passes: one line's maximum is awaited while the others' are computed.
static void CK_SET(weigh)(ck_attention_line *lines, size_t count, size_t page, float *weights, const ck_page_scales *scales, size_t stride,
                          float *out, size_t columns) {
    for (size_t i = 0; i < count; i++) {
        CK_SET(scale)(lines + i, ck_visible_of(lines[i].position, page), weights + i * CK_PAGE_POSITIONS, scales + i * stride);
    }
    for (size_t i = 0; i < count; i++, weights += CK_PAGE_POSITIONS) {
        CK_SET(shrink)(lines + i, out + i * columns, columns);
        const float *value_scales = scales[i * stride].value_scales;
        size_t visible = ck_visible_of(lines[i].position, page);
        CK_SET(lanes) zero = {0}, sums = CK_SET(load)(lines[i].sums, CK_LANES, 0);
        CK_UNROLL
        for (size_t v = 0; v < CK_PAGE_POSITIONS / CK_LANES; v++) {
            CK_SET(lanes) score = CK_SET(load)(weights + v * CK_LANES, CK_LANES, 0);
            // An infinite score would have the weight of a very small one: times zero it is NaN. Any other leaves the weight as it is.
            CK_SET(lanes) weight = __builtin_elementwise_fma(score, zero, CK_SET(exponential)(score - lines[i].largest));
            weight = CK_SET(choose)(CK_SET(visible_lanes)(visible, v), weight, zero);
            sums += weight;
            if (value_scales != NULL) weight *= CK_SET(load)(value_scales + v * CK_LANES, CK_LANES, 0);
            CK_SET(store)(weights + v * CK_LANES, weight, CK_LANES);
        }
        CK_SET(store)(lines[i].sums, sums, CK_LANES);
    }
}

static void CK_SET(finish)(const ck_attention_line *line, float *target, const float *out, size_t count) {
    float scale = 1.0f / CK_SET(sum)(CK_SET(load)(line->sums, CK_LANES, 0));
    for (size_t i = 0; i < count; i += CK_LANES) CK_SET(store)(target + i, CK_SET(load)(out + i, CK_LANES, 0) * scale, count - i);
}

#define CK_SET_ATTENTION_TABLE                                                                                           \
    {                                                                                                                    \
        .widen = CK_SET(widen), .narrow = CK_SET(narrow), .product = CK_SET(product),                                    \
        .stream = CK_SET(stream), .weigh = CK_SET(weigh), .finish = CK_SET(finish),                      \
    }
