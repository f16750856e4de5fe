// Part of attention_set.h: rows times a part of a page. Scores (over a head) and outputs (over the positions) are the same product.

/// `rows` and `vectors` are literals at each call, so that the sums are registers.
CK_INLINE void CK_SET(product_tile)(float *c, size_t c_stride, const float *a, size_t a_stride, const float *b, ck_kv_matrix m, size_t length,
                                    const size_t rows, const size_t vectors) {
    CK_SET(lanes) sums[CK_SET_ROWS][CK_SET_VECTORS];
    CK_UNROLL
    for (size_t r = 0; r < rows; r++) {
        CK_UNROLL
        for (size_t v = 0; v < vectors; v++) memcpy(&sums[r][v], c + r * c_stride + v * CK_LANES, sizeof sums[r][v]);
    }
    for (size_t k = 0; k < length; k++) {
        CK_SET(lanes) columns[CK_SET_VECTORS];
        CK_UNROLL
        for (size_t v = 0; v < vectors; v++) memcpy(&columns[v], b + v * m.group + k * CK_LANES, sizeof columns[v]);
        CK_UNROLL
        for (size_t r = 0; r < rows; r++) {
            CK_SET(lanes) value = a[r * a_stride + k] - (CK_SET(lanes)){0};
            CK_UNROLL
            for (size_t v = 0; v < vectors; v++) sums[r][v] = __builtin_elementwise_fma(value, columns[v], sums[r][v]);
        }
    }
    CK_UNROLL
    for (size_t r = 0; r < rows; r++) {
        CK_UNROLL
        for (size_t v = 0; v < vectors; v++) memcpy(c + r * c_stride + v * CK_LANES, &sums[r][v], sizeof sums[r][v]);
    }
}

/// As many rows at a time as the registers hold, then half of them, then one.
CK_INLINE void CK_SET(product_columns)(float *c, size_t c_stride, const float *a, size_t a_stride, size_t rows, const float *b, ck_kv_matrix m,
                                       size_t length, const size_t vectors) {
    enum { half = CK_SET_ROWS / 2 };
    for (size_t step; rows > 0; rows -= step, c += step * c_stride, a += step * a_stride) {
        step = rows >= CK_SET_ROWS ? CK_SET_ROWS : rows >= half ? half : 1;
        if (step == CK_SET_ROWS) CK_SET(product_tile)(c, c_stride, a, a_stride, b, m, length, CK_SET_ROWS, vectors);
        else if (step == half) CK_SET(product_tile)(c, c_stride, a, a_stride, b, m, length, half, vectors);
        else CK_SET(product_tile)(c, c_stride, a, a_stride, b, m, length, 1, vectors);
    }
}

/// Columns outside, rows inside: what is read again and again stays in the first-level cache.
static void CK_SET(product)(float *c, size_t c_stride, const float *a, size_t a_stride, size_t rows, ck_kv_matrix m, size_t length) {
    enum { half = CK_SET_VECTORS > 1 ? CK_SET_VECTORS / 2 : 1 };
    for (size_t g = 0, step = 0; g < m.groups; g += step) {
        float *to = c + g * CK_LANES;
        const float *b = m.numbers + g * m.group;
        step = m.groups - g >= CK_SET_VECTORS ? CK_SET_VECTORS : m.groups - g >= half ? half : 1;
        if (step == CK_SET_VECTORS) CK_SET(product_columns)(to, c_stride, a, a_stride, rows, b, m, length, CK_SET_VECTORS);
        else if (step == half) CK_SET(product_columns)(to, c_stride, a, a_stride, rows, b, m, length, half);
        else CK_SET(product_columns)(to, c_stride, a, a_stride, rows, b, m, length, 1);
    }
}

// MARK: Streams

CK_INLINE void CK_SET(stream_step)(const ck_kv_type type, CK_SET(lanes) *sums, const float *const *a, const uint8_t *const *b, size_t k, size_t at) {
    CK_UNROLL
    for (size_t s = 0; s < CK_KV_STREAMS; s++) {
        CK_SET(lanes) value = a[s][k] - (CK_SET(lanes)){0};
        sums[s] = __builtin_elementwise_fma(value, CK_SET(widen_lanes)(type, b[s] + at), sums[s]);
    }
}

/// Each chain alone would wait for its multiply-add, and each stream for the memory. `type` is a literal at each call.
CK_INLINE void CK_SET(stream_type)(const ck_kv_type type, const ck_kv_stream *streams, size_t length) {
    enum { line = 64 };
    const size_t row = CK_LANES * (type == CK_KV_F32 ? 4 : type == CK_KV_F16 ? 2 : 1), rows = line / row, ahead = CK_KV_AHEAD * row;
    CK_SET(lanes) sums[CK_KV_STREAMS];
    const float *a[CK_KV_STREAMS];
    const uint8_t *b[CK_KV_STREAMS];
    CK_UNROLL
    for (size_t s = 0; s < CK_KV_STREAMS; s++) {
        memcpy(&sums[s], streams[s].c, sizeof sums[s]);
        a[s] = streams[s].a;
        b[s] = streams[s].b;
    }
    size_t k = 0, at = 0;
    for (; k + rows <= length; k += rows, at += line) {
        CK_UNROLL
        for (size_t s = 0; s < CK_KV_STREAMS; s++) __builtin_prefetch(b[s] + at + ahead);
        CK_UNROLL
        for (size_t i = 0; i < rows; i++) CK_SET(stream_step)(type, sums, a, b, k + i, at + i * row);
    }
    for (; k < length; k++, at += row) CK_SET(stream_step)(type, sums, a, b, k, at);
    CK_UNROLL
    for (size_t s = 0; s < CK_KV_STREAMS; s++) memcpy(streams[s].c, &sums[s], sizeof sums[s]);
}

static void CK_SET(stream)(ck_kv_type type, const ck_kv_stream *streams, size_t length) {
    switch (type) {
    case CK_KV_F32: CK_SET(stream_type)(CK_KV_F32, streams, length); break;
    case CK_KV_F16: CK_SET(stream_type)(CK_KV_F16, streams, length); break;
    case CK_KV_Q8: CK_SET(stream_type)(CK_KV_Q8, streams, length); break;
    }
}
