// Part of blocks_set.h: a band of dequantised rows into a panel, and a panel times rows.

typedef float CK_SET(wide) __attribute__((vector_size(CK_SET_WIDTH * sizeof(float))));
typedef float CK_SET(eight) __attribute__((vector_size(CK_BAND * sizeof(float))));

/// Eight rows of eight, turned over in registers: pairs, pairs of pairs, halves.
CK_INLINE void CK_SET(transpose_square)(float *panel, const float *band) {
    CK_SET(eight) r[CK_BAND], t[CK_BAND];
    CK_UNROLL
    for (size_t i = 0; i < CK_BAND; i++) memcpy(&r[i], band + i * CK_PIECE, sizeof r[i]);
    CK_UNROLL
    for (size_t i = 0; i < CK_BAND; i += 2) {
        t[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        t[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
    CK_UNROLL
    for (size_t i = 0; i < CK_BAND; i += 4) {
        r[i] = __builtin_shufflevector(t[i], t[i + 2], 0, 1, 8, 9, 4, 5, 12, 13);
        r[i + 1] = __builtin_shufflevector(t[i], t[i + 2], 2, 3, 10, 11, 6, 7, 14, 15);
        r[i + 2] = __builtin_shufflevector(t[i + 1], t[i + 3], 0, 1, 8, 9, 4, 5, 12, 13);
        r[i + 3] = __builtin_shufflevector(t[i + 1], t[i + 3], 2, 3, 10, 11, 6, 7, 14, 15);
    }
    CK_UNROLL
    for (size_t i = 0; i < 4; i++) {
        t[i] = __builtin_shufflevector(r[i], r[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        t[i + 4] = __builtin_shufflevector(r[i], r[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
    CK_UNROLL
    for (size_t i = 0; i < CK_BAND; i++) memcpy(panel + i * CK_PANEL, &t[i], sizeof t[i]);
}

static void CK_SET(transpose)(float *panel, const float *band, size_t length) {
    size_t k = 0;
    for (; k + CK_BAND <= length; k += CK_BAND) CK_SET(transpose_square)(panel + k * CK_PANEL, band + k);
    for (; k < length; k++) {
        for (size_t i = 0; i < CK_BAND; i++) panel[k * CK_PANEL + i] = band[i * CK_PIECE + k];
    }
}

/// `count` is a literal at each call, so that the accumulators are registers.
CK_INLINE void CK_SET(accumulate_rows)(float *sums, const float *x, size_t x_stride, const size_t count, const float *panel, size_t length) {
    enum { vectors = 2 };
    for (size_t column = 0; column < CK_PANEL; column += vectors * CK_SET_WIDTH) {
        CK_SET(wide) chains[CK_SET_ROWS][vectors];
        CK_UNROLL
        for (size_t r = 0; r < count; r++) {
            CK_UNROLL
            for (size_t v = 0; v < vectors; v++) memcpy(&chains[r][v], sums + r * CK_PANEL + column + v * CK_SET_WIDTH, sizeof chains[r][v]);
        }
        for (size_t k = 0; k < length; k++) {
            CK_SET(wide) weights[vectors];
            CK_UNROLL
            for (size_t v = 0; v < vectors; v++) memcpy(&weights[v], panel + k * CK_PANEL + column + v * CK_SET_WIDTH, sizeof weights[v]);
            CK_UNROLL
            for (size_t r = 0; r < count; r++) {
                CK_SET(wide) value = x[r * x_stride + k] - (CK_SET(wide)){0};
                CK_UNROLL
                for (size_t v = 0; v < vectors; v++) chains[r][v] = __builtin_elementwise_fma(value, weights[v], chains[r][v]);
            }
        }
        CK_UNROLL
        for (size_t r = 0; r < count; r++) {
            CK_UNROLL
            for (size_t v = 0; v < vectors; v++) memcpy(sums + r * CK_PANEL + column + v * CK_SET_WIDTH, &chains[r][v], sizeof chains[r][v]);
        }
    }
}

static void CK_SET(accumulate)(float *sums, const float *x, size_t x_stride, size_t rows, const float *panel, size_t length) {
    enum { half = CK_SET_ROWS / 2 };
    size_t row = 0;
    for (; row + CK_SET_ROWS <= rows; row += CK_SET_ROWS) {
        CK_SET(accumulate_rows)(sums + row * CK_PANEL, x + row * x_stride, x_stride, CK_SET_ROWS, panel, length);
    }
    for (; row + half <= rows; row += half) CK_SET(accumulate_rows)(sums + row * CK_PANEL, x + row * x_stride, x_stride, half, panel, length);
    for (; row < rows; row++) CK_SET(accumulate_rows)(sums + row * CK_PANEL, x + row * x_stride, x_stride, 1, panel, length);
}
