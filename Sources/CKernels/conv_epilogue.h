// Part of conv_amx.h: what comes after the sums. The sums of one block are finished position by position between the products of the next, so that
// the vector units work while the tiles do.

/// Positions of a block that are to be finished, one after the other.
typedef struct {
    const float *sums;
    /// The position in its tile, and where it is in the output.
    size_t tile, index, row, column;
} CK_CONV(cursor);

CK_INLINE CK_CONV(cursor) CK_CONV(begin)(const float *sums, const CK_CONV(block) *block) {
    return (CK_CONV(cursor)){.sums = sums, .row = block->tiles[0].row, .column = block->tiles[0].column};
}

/// Scale, bias, residual, ReLU of one position's 32 filters. What is compared is a literal at each call.
CK_INLINE void CK_CONV(put)(const ck_conv_job *job, const float *sums, const float *header, size_t at, size_t pixel, size_t pair, const bool residual,
                            const bool relu, const bool floats) {
    __m512 low = _mm512_fmadd_ps(_mm512_load_ps(sums), _mm512_load_ps(header), _mm512_load_ps(header + 32));
    __m512 high = _mm512_fmadd_ps(_mm512_load_ps(sums + 256), _mm512_load_ps(header + 16), _mm512_load_ps(header + 48));
    if (residual) {
        // For the next block, as below.
        for (size_t line = 0; line < CK_CONV_LINE; line += 64) {
            _mm_prefetch((const char *)job->residual + at + pair * CK_CONV_LINE + 2 * CK_TILE_POSITIONS * job->y_pixel + line, _MM_HINT_T1);
        }
        low = _mm512_add_ps(low, CK_CONV(read)(job->residual + at + pair * CK_CONV_LINE));
        high = _mm512_add_ps(high, CK_CONV(read)(job->residual + at + pair * CK_CONV_LINE + 32));
    }
    if (relu) {
        // Zero for what is negative and finite, or minus zero: the maximum of the stem compares elements as whole numbers.
        enum { negative_zero = 0x04, negative_finite = 0x40 };
        low = _mm512_mask_mov_ps(low, _mm512_fpclass_ps_mask(low, negative_zero | negative_finite), _mm512_setzero_ps());
        high = _mm512_mask_mov_ps(high, _mm512_fpclass_ps_mask(high, negative_zero | negative_finite), _mm512_setzero_ps());
    }
    if (!floats) {
        uint8_t *target = job->y + at + pair * CK_CONV_LINE;
        // The same pair's line of the next block: a store that misses the caches reads it first.
        for (size_t line = 0; line < CK_CONV_LINE; line += 64) __asm__ volatile("prefetchw %0" : : "m"(target[2 * CK_TILE_POSITIONS * job->y_pixel + line]));
        CK_CONV(write)(target, target + 64, low, high);
    } else {
        size_t filter = pair * CK_TILE_PAIR, left = job->filters - filter;
        float *target = job->floats + pixel * job->filters + filter;
        uint32_t mask = left < 32 ? (1u << left) - 1 : UINT32_MAX;
        _mm512_mask_storeu_ps(target, (__mmask16)mask, low);
        if (left > 16) _mm512_mask_storeu_ps(target + 16, (__mmask16)(mask >> 16), high);
    }
}

/// The next `count` positions of the block, or what is left.
CK_INLINE void CK_CONV(finish)(const ck_conv_job *job, CK_CONV(cursor) *c, const CK_CONV(block) *block, size_t count, const bool residual,
                               const bool relu, const bool floats) {
    const float *header = (const float *)(const void *)(job->weights + block->pair * job->pair_bytes);
    for (; count > 0 && c->tile < block->count; count--) {
        // Positions between two rows are border.
        if (c->column < job->width) {
            size_t at = c->row * job->y_row + c->column * job->y_pixel, pixel = c->row * job->width + c->column;
            CK_CONV(put)(job, c->sums + c->tile * 512 + c->index * 16, header, at, pixel, block->pair, residual, relu, floats);
        }
        if (++c->column == job->pitch) {
            c->column = 0;
            c->row++;
        }
        if (++c->index == block->tiles[c->tile].count) {
            c->index = 0;
            c->tile++;
            c->row = block->tiles[1].row;
            c->column = block->tiles[1].column;
        }
    }
}
