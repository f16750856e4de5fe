// A step of conv_amx.h where an element is a number. Before inclusion: CK_CONV_DOT(c, a, b) is the tile product; CK_CONV(narrow_pair) turns 32 floats
// into elements, CK_CONV(widen) 16 elements into floats.
enum { CK_CONV_LINE = 64, CK_CONV_WEIGHTS = 2 * CK_TILE_BYTES };

/// Each tile that is loaded is used twice; filters pass by the first-level cache, which keeps the positions.
CK_INLINE void CK_CONV(square_step)(const uint8_t *a, const uint8_t *b, size_t position, size_t rests, const uint8_t *weights) {
    (void)rests;
    _tile_loadd(4, a, position);
    _tile_stream_loadd(6, weights, 64);
    CK_CONV_DOT(0, 4, 6);
    _tile_stream_loadd(7, weights + CK_TILE_BYTES, 64);
    CK_CONV_DOT(1, 4, 7);
    _tile_loadd(5, b, position);
    CK_CONV_DOT(2, 5, 6);
    CK_CONV_DOT(3, 5, 7);
}

CK_INLINE void CK_CONV(flat_step)(const uint8_t *a, size_t position, size_t rests, const uint8_t *weights) {
    (void)rests;
    _tile_loadd(4, a, position);
    _tile_stream_loadd(6, weights, 64);
    CK_CONV_DOT(0, 4, 6);
    _tile_stream_loadd(7, weights + CK_TILE_BYTES, 64);
    CK_CONV_DOT(1, 4, 7);
}

CK_INLINE void CK_CONV(write)(uint8_t *target, uint8_t *rests, __m512 low, __m512 high) {
    (void)rests;
    _mm512_store_si512((void *)target, CK_CONV(narrow_pair)(low, high));
}

/// Sixteen numbers.
CK_INLINE __m512 CK_CONV(read)(const uint8_t *source) { return CK_CONV(widen)(_mm256_load_si256((const void *)source)); }
