// Convolutions in AMX tiles, included once per arithmetic. Before inclusion: CK_CONV(name) names the functions; conv_steps.h, or the arithmetic's own
// file, says what a step of 32 channels is: its bytes CK_CONV_LINE of a position and CK_CONV_WEIGHTS of a pair of filters, its products, and how numbers lie.
//
// Every output is one f32 sum over the packed steps in ascending order, in a tile register from beginning to end; what the processor does
// within a tile depends on nothing else (SDM, TDPBF16PS). So no blocking shows in the bits.

/// Tile registers: 0-3 sums, 4-5 positions, 6-7 filters.
static void CK_CONV(configure)(void) {
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } configuration = {.palette = 1};
    for (size_t t = 0; t < 8; t++) {
        configuration.row_bytes[t] = 64;
        configuration.rows[t] = 16;
    }
    // Compilers have dropped the stores in front of the instruction that reads them.
    __asm__ volatile("" : : "r"(&configuration) : "memory");
    _tile_loadconfig(&configuration);
}

/// Where sixteen positions are read and what they are.
typedef struct {
    const uint8_t *x;
    size_t row, column, count;
} CK_CONV(positions);

/// One or two tiles of positions whose sums are known, for a pair of filters.
typedef struct {
    CK_CONV(positions) tiles[2];
    size_t count, pair;
    /// What will be read next: lines of it that come to the second-level cache with each step.
    const uint8_t *ahead;
    size_t ahead_lines;
} CK_CONV(block);

/// Two tiles of positions by a pair of tiles of filters.
CK_INLINE void CK_CONV(square)(const ck_conv_job *job, const CK_CONV(block) *block, const uint8_t *weights) {
    const size_t position = job->position, rests = job->rests, steps = job->steps, tap_columns = job->tap_columns, tap_column = job->tap_column;
    const uint8_t *ahead = block->ahead;
    const size_t ahead_lines = block->ahead_lines;
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (size_t i = 0; i < job->tap_rows; i++) {
        for (size_t j = 0; j < tap_columns; j++) {
            const uint8_t *a = block->tiles[0].x + i * job->tap_row + j * tap_column, *b = block->tiles[1].x + i * job->tap_row + j * tap_column;
            for (size_t step = 0; step < steps; step++, a += CK_CONV_LINE, b += CK_CONV_LINE, weights += CK_CONV_WEIGHTS) {
                for (size_t line = 0; line < ahead_lines; line++, ahead += 64) _mm_prefetch((const char *)ahead, _MM_HINT_T1);
                CK_CONV(square_step)(a, b, position, rests, weights);
            }
        }
    }
}

/// One tile of positions that has no neighbour.
CK_INLINE void CK_CONV(flat)(const ck_conv_job *job, const CK_CONV(block) *block, const uint8_t *weights) {
    const size_t position = job->position, rests = job->rests, steps = job->steps, tap_columns = job->tap_columns, tap_column = job->tap_column;
    _tile_zero(0);
    _tile_zero(1);
    for (size_t i = 0; i < job->tap_rows; i++) {
        for (size_t j = 0; j < tap_columns; j++) {
            const uint8_t *a = block->tiles[0].x + i * job->tap_row + j * tap_column;
            for (size_t step = 0; step < steps; step++, a += CK_CONV_LINE, weights += CK_CONV_WEIGHTS) CK_CONV(flat_step)(a, position, rests, weights);
        }
    }
}

/// Of a block with one tile the last two are of the block before.
CK_INLINE void CK_CONV(store)(float *sums) {
    _tile_stored(0, sums, 64);
    _tile_stored(1, sums + 256, 64);
    _tile_stored(2, sums + 512, 64);
    _tile_stored(3, sums + 768, 64);
}

// MARK: What comes after the sums

/// Scale, bias, residual, ReLU of one position's 32 filters. What is compared is a literal at each call.
CK_INLINE void CK_CONV(put)(const ck_conv_job *job, const float *sums, const float *header, size_t at, size_t pixel, size_t pair, const bool residual,
                            const bool relu, const bool floats) {
    __m512 low = _mm512_fmadd_ps(_mm512_load_ps(sums), _mm512_load_ps(header), _mm512_load_ps(header + 32));
    __m512 high = _mm512_fmadd_ps(_mm512_load_ps(sums + 256), _mm512_load_ps(header + 16), _mm512_load_ps(header + 48));
    if (residual) {
        // The same pair's line of the next block.
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
        // There as well: a store that misses the caches reads first.
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

/// Those positions of a tile that are pixels.
CK_INLINE void CK_CONV(put_tile)(const ck_conv_job *job, const float *sums, CK_CONV(positions) p, size_t pair, const bool residual, const bool relu,
                                 const bool floats) {
    const float *header = (const float *)(const void *)(job->weights + pair * job->pair_bytes);
    for (size_t i = 0; i < p.count; p.row++, p.column = 0) {
        size_t count = job->width > p.column ? job->width - p.column : 0;
        if (count > p.count - i) count = p.count - i;
        size_t at = p.row * job->y_row + p.column * job->y_pixel, pixel = p.row * job->width + p.column;
        for (size_t k = 0; k < count; k++) CK_CONV(put)(job, sums + (i + k) * 16, header, at + k * job->y_pixel, pixel + k, pair, residual, relu, floats);
        // What is left of the row of positions is border.
        i += count + (job->pitch - job->width);
    }
}

static void CK_CONV(finish)(const ck_conv_job *job, const float *sums, const CK_CONV(block) *block) {
    for (size_t t = 0; t < block->count; t++, sums += 512) {
        if (job->floats != NULL && job->residual != NULL) CK_CONV(put_tile)(job, sums, block->tiles[t], block->pair, true, job->relu, true);
        else if (job->floats != NULL) CK_CONV(put_tile)(job, sums, block->tiles[t], block->pair, false, job->relu, true);
        else if (job->residual != NULL) CK_CONV(put_tile)(job, sums, block->tiles[t], block->pair, true, job->relu, false);
        else if (job->relu) CK_CONV(put_tile)(job, sums, block->tiles[t], block->pair, false, true, false);
        else CK_CONV(put_tile)(job, sums, block->tiles[t], block->pair, false, false, false);
    }
}

// MARK: The order of blocks

/// Tiles of a run, of `rows` rows where they go on.
CK_INLINE size_t CK_CONV(run_tiles)(const ck_conv_job *job, size_t rows) {
    return ((job->rows_go_on ? rows * job->pitch : job->width) + CK_TILE_POSITIONS - 1) / CK_TILE_POSITIONS;
}

/// Tile `tile` of the first `rows` rows.
CK_INLINE CK_CONV(positions) CK_CONV(locate)(const ck_conv_job *job, size_t rows, size_t tile) {
    size_t length = job->rows_go_on ? rows * job->pitch : job->width, tiles = CK_CONV(run_tiles)(job, rows);
    size_t run = tile / tiles, at = tile % tiles * CK_TILE_POSITIONS;
    return (CK_CONV(positions)){
        .x = job->x + run * job->row + at * job->position,
        .row = run + at / job->pitch,
        .column = at % job->pitch,
        .count = length - at < CK_TILE_POSITIONS ? length - at : CK_TILE_POSITIONS,
    };
}

/// Multiplies `block`, and finishes the one before it in the meantime: stores of the tiles would wait for them, and with them everything behind.
static void CK_CONV(advance)(const ck_conv_job *job, float *sums, CK_CONV(block) *last, const CK_CONV(block) *block) {
    const uint8_t *weights = job->weights + block->pair * job->pair_bytes + CK_TILE_HEADER;
    if (block->count == 2) CK_CONV(square)(job, block, weights);
    else CK_CONV(flat)(job, block, weights);
    CK_CONV(finish)(job, sums, last);
    CK_CONV(store)(sums);
    *last = *block;
}

/// Tiles `tile` and, where there is one, the next.
CK_INLINE void CK_CONV(place)(const ck_conv_job *job, CK_CONV(block) *block, size_t rows, size_t tile, size_t tiles) {
    block->tiles[0] = CK_CONV(locate)(job, rows, tile);
    block->count = tile + 1 < tiles ? 2 : 1;
    if (block->count == 2) block->tiles[1] = CK_CONV(locate)(job, rows, tile + 1);
}

static void CK_CONV(convolve)(const ck_conv_job *job, size_t rows, size_t first, size_t end) {
    enum { resident = 512 << 10, pair_lines = CK_CONV_WEIGHTS / 64, position_lines = 2 * CK_TILE_POSITIONS * CK_CONV_LINE / 64 };
    _Alignas(64) float sums[1024];
    size_t tiles = CK_CONV(run_tiles)(job, rows) * (job->rows_go_on ? 1 : rows), halves = (tiles + 1) / 2, pairs = end - first;
    size_t pair_steps = job->tap_rows * job->tap_columns * job->steps;
    CK_CONV(block) block = {.count = 0}, last = {.count = 0};
    CK_CONV(configure)();
    _tile_zero(2);
    _tile_zero(3);
    // What is small stays in a cache while the other passes by, each time with a part of the next positions or of the next pair.
    if (pairs * job->pair_bytes <= resident) {
        if (job->rows_go_on && pair_steps == job->steps) block.ahead_lines = (position_lines + pairs - 1) / pairs;
        for (size_t tile = 0; tile < tiles; tile += 2) {
            CK_CONV(place)(job, &block, rows, tile, tiles);
            block.ahead = block.tiles[0].x + position_lines * job->position;
            for (block.pair = first; block.pair < end; block.pair++, block.ahead += block.ahead_lines * pair_steps * 64) {
                CK_CONV(advance)(job, sums, &last, &block);
            }
        }
    } else {
        block.ahead_lines = (pair_lines + halves - 1) / halves;
        for (block.pair = first; block.pair < end; block.pair++) {
            block.ahead = job->weights + (block.pair + 1) * job->pair_bytes;
            for (size_t tile = 0; tile < tiles; tile += 2, block.ahead += block.ahead_lines * pair_steps * 64) {
                CK_CONV(place)(job, &block, rows, tile, tiles);
                CK_CONV(advance)(job, sums, &last, &block);
            }
        }
    }
    CK_CONV(finish)(job, sums, &last);
    _tile_release();
}

// MARK: Stem

static void CK_CONV(narrow)(uint16_t *target, size_t rests, const float *source, size_t count) {
    _Alignas(64) uint8_t line[128];
    for (size_t i = 0; i < count; i += 32) {
        size_t left = count - i < 32 ? count - i : 32;
        __mmask32 mask = left < 32 ? (1u << left) - 1 : UINT32_MAX;
        __m512 low = _mm512_maskz_loadu_ps((__mmask16)mask, source + i);
        __m512 high = left > 16 ? _mm512_maskz_loadu_ps((__mmask16)(mask >> 16), source + i + 16) : _mm512_setzero_ps();
        CK_CONV(write)(line, line + 64, low, high);
        for (size_t part = 0; part < CK_CONV_LINE / 64; part++) memcpy(target + part * rests + i, line + part * 64, left * 2);
    }
}

/// Floats that ReLU has passed are, as whole numbers without sign, in the order of their values, and what is not finite is larger than the rest.
static void CK_CONV(max_pool)(uint8_t *out, const float *const *rows, size_t width, size_t channels) {
    for (size_t column = 0; column < (width + 1) / 2; column++) {
        // Beyond an edge the pixel itself stands once more.
        size_t middle = 2 * column, left = column > 0 ? middle - 1 : middle, right = middle + 1 < width ? middle + 1 : middle;
        for (size_t c = 0; c < channels; c += 32, out += CK_CONV_LINE) {
            __m512i low = _mm512_setzero_si512(), high = _mm512_setzero_si512();
            for (size_t r = 0; r < 3; r++) {
                const float *pixels[] = {rows[r] + left * channels + c, rows[r] + middle * channels + c, rows[r] + right * channels + c};
                for (size_t p = 0; p < 3; p++) {
                    low = _mm512_max_epu32(low, _mm512_load_si512((const void *)pixels[p]));
                    high = _mm512_max_epu32(high, _mm512_load_si512((const void *)(pixels[p] + 16)));
                }
            }
            CK_CONV(write)(out, out + 64, _mm512_castsi512_ps(low), _mm512_castsi512_ps(high));
        }
    }
}

#define CK_CONV_TABLE {.convolve = CK_CONV(convolve), .narrow = CK_CONV(narrow), .max_pool = CK_CONV(max_pool)}
