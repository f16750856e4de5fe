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
        for (size_t v = 0; v < vectors; v++) memcpy(&columns[v], b + v * m.group + k * m.row, sizeof columns[v]);
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

/// As many rows at a time as the registers hold, then half, then a quarter of them.
CK_INLINE void CK_SET(product_columns)(float *c, size_t c_stride, const float *a, size_t a_stride, size_t rows, const float *b, ck_kv_matrix m,
                                       size_t length, const size_t vectors) {
    enum { half = CK_SET_ROWS / 2, quarter = half > 1 ? half / 2 : 1 };
    size_t r = 0;
    for (; r + CK_SET_ROWS <= rows; r += CK_SET_ROWS) CK_SET(product_tile)(c + r * c_stride, c_stride, a + r * a_stride, a_stride, b, m, length, CK_SET_ROWS, vectors);
    for (; r + half <= rows; r += half) CK_SET(product_tile)(c + r * c_stride, c_stride, a + r * a_stride, a_stride, b, m, length, half, vectors);
    for (; r + quarter <= rows; r += quarter) CK_SET(product_tile)(c + r * c_stride, c_stride, a + r * a_stride, a_stride, b, m, length, quarter, vectors);
    for (; r < rows; r++) CK_SET(product_tile)(c + r * c_stride, c_stride, a + r * a_stride, a_stride, b, m, length, 1, vectors);
}

/// Columns outside, rows inside: what is read again and again is a quarter of the first-level cache.
static void CK_SET(product)(float *c, size_t c_stride, const float *a, size_t a_stride, size_t rows, ck_kv_matrix m, size_t length) {
    size_t group = 0;
    const float *b = m.numbers;
    for (; group + CK_SET_VECTORS <= m.groups; group += CK_SET_VECTORS) {
        CK_SET(product_columns)(c + group * CK_LANES, c_stride, a, a_stride, rows, b + group * m.group, m, length, CK_SET_VECTORS);
    }
    for (; group < m.groups; group++) CK_SET(product_columns)(c + group * CK_LANES, c_stride, a, a_stride, rows, b + group * m.group, m, length, 1);
}

// MARK: One row

/// All columns at once, as many chains side by side as hide a multiply-add's latency. `type` and `groups` are literals at each call.
CK_INLINE void CK_SET(product_stream)(const ck_kv_type type, float *c, const float *a, ck_kv_matrix m, size_t length, const uint8_t *ahead,
                                      const size_t groups) {
    enum { most = CK_KV_PANEL / CK_LANES, line = 64 };
    const size_t element = type == CK_KV_F32 ? 4 : type == CK_KV_F16 ? 2 : 1;
    CK_SET(lanes) sums[most];
    CK_UNROLL
    for (size_t v = 0; v < groups; v++) memcpy(&sums[v], c + v * CK_LANES, sizeof sums[v]);
    const uint8_t *b = m.numbers;
    for (size_t k = 0; k < length; k++, b += m.row * element, ahead += groups * CK_LANES * element) {
        CK_SET(lanes) value = a[k] - (CK_SET(lanes)){0};
        CK_UNROLL
        for (size_t v = 0; v < groups; v++) {
            sums[v] = __builtin_elementwise_fma(value, CK_SET(widen_lanes)(type, b + v * m.group * element), sums[v]);
        }
        CK_UNROLL
        for (size_t at = 0; at < groups * CK_LANES * element; at += line) __builtin_prefetch(ahead + at);
    }
    CK_UNROLL
    for (size_t v = 0; v < groups; v++) memcpy(c + v * CK_LANES, &sums[v], sizeof sums[v]);
}

CK_INLINE void CK_SET(product_type)(const ck_kv_type type, float *c, const float *a, ck_kv_matrix m, size_t length, const uint8_t *ahead) {
    switch (m.groups) {
    case 4: CK_SET(product_stream)(type, c, a, m, length, ahead, 4); break;
    case 3: CK_SET(product_stream)(type, c, a, m, length, ahead, 3); break;
    case 2: CK_SET(product_stream)(type, c, a, m, length, ahead, 2); break;
    case 1: CK_SET(product_stream)(type, c, a, m, length, ahead, 1); break;
    }
}

static void CK_SET(product_narrow)(ck_kv_type type, float *c, const float *a, ck_kv_matrix b, size_t length, const void *ahead) {
    switch (type) {
    case CK_KV_F32: CK_SET(product_type)(CK_KV_F32, c, a, b, length, ahead); break;
    case CK_KV_F16: CK_SET(product_type)(CK_KV_F16, c, a, b, length, ahead); break;
    case CK_KV_Q8: CK_SET(product_type)(CK_KV_Q8, c, a, b, length, ahead); break;
    }
}
