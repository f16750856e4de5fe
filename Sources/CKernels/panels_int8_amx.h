// Part of panels_int8_amx.c: x in tiles, and the products.

enum {
    /// A block of 32 columns of sixteen rows of x: their bytes, row after row, then sixteen of each of the three words.
    CK_INT8_TILE = 16 * 32 + 3 * 64,
    CK_INT8_PIECE = CK_PANEL_PIECE / 32,
    /// Panels that few rows go through in turns: streams of memory.
    CK_INT8_STREAMS = CK_PANEL_STREAMS,
};

_Static_assert(CK_INT8_TILE <= 16 * 32 * 2, "x does not fit its part of the scratch");

/// What a worker has beside x.
typedef struct {
    ck_int8_block weights[CK_INT8_PIECE];
    /// Of the blocks that are under way.
    _Alignas(64) int32_t totals[4][16 * CK_PANEL_OUTPUTS];
    _Alignas(64) float sums[];
} CK_INT8(room);

_Static_assert(sizeof(CK_INT8(room)) + CK_INT8_STREAMS * CK_PANEL_TILE <= CK_PANEL_FEW, "few rows do not fit their workspace");
_Static_assert(sizeof(CK_INT8(room)) <= CK_PANEL_BUFFER, "many rows do not fit their workspace");

// MARK: x

CK_INLINE uint8_t *CK_INT8(tile_at)(const ck_panel_job *job, size_t row_tile, size_t block) {
    return job->tiles + (row_tile * (job->weights.columns / 32) + block) * CK_INT8_TILE;
}

static void CK_INT8(convert_row)(const ck_panel_job *job, size_t row) {
    uint8_t *tile = CK_INT8(tile_at)(job, row / 16, 0);
    size_t r = row % 16;
    CK_INT8(convert_to)(job, row, (ck_int8_place){.bytes = tile + r * 32, .words = tile + 512 + r * 4, .stride = 64, .advance = CK_INT8_TILE});
    // Rows that are not there are computed like the others, and nobody reads them.
    if (row + 1 < job->m) return;
    for (size_t b = 0; b < job->weights.columns / 32; b++, tile += CK_INT8_TILE) {
        for (size_t word = 0; word < 3; word++) memset(tile + 512 + word * 64 + (r + 1) * 4, 0, (15 - r) * 4);
    }
}

// MARK: Products

/// Tile registers: 0-3 totals, 4-5 x, 6-7 weights.
static void CK_INT8(configure)(uint8_t rows) {
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } configuration = {
        .palette = 1, .row_bytes = {64, 64, 64, 64, 32, 32, 64, 64}, .rows = {rows, rows, rows, rows, rows, rows, 8, 8},
    };
    // Compilers have dropped the stores in front of the instruction that reads them.
    __asm__ volatile("" : : "r"(&configuration) : "memory");
    _tile_loadconfig(&configuration);
}

/// The totals of one block; registers are literals.
#define CK_INT8_PRODUCT(total, x_register, w_register, x, block, target)                                                 \
    _tile_loadd(x_register, x, 32);                                                                                      \
    _tile_loadd(w_register, (block)->lines, 64);                                                                         \
    _tile_zero(total);                                                                                                   \
    _tile_dpbssd(total, x_register, w_register);                                                                         \
    _tile_stored(total, target, 64);

/// The chains continue with one block's totals. `type` and `rows` are literals.
CK_INLINE void CK_INT8(add)(const ck_block_type type, __m512 *chains, const size_t rows, const uint8_t *x, const ck_int8_block *block, const int32_t *totals) {
    const float *scales = (const float *)(x + 512), *scaled = scales + 32;
    __m512 weight = _mm512_load_ps(block->scales), minimum = _mm512_setzero_ps();
    if (type == CK_BLOCK_Q4_K) minimum = _mm512_load_ps(block->minima);
    CK_UNROLL
    for (size_t r = 0; r < rows; r++) {
        __m512 total = _mm512_cvtepi32_ps(_mm512_load_si512((const void *)(totals + r * 16)));
        chains[r] = _mm512_fmadd_ps(total, _mm512_mul_ps(_mm512_set1_ps(scales[r]), weight), chains[r]);
        if (type == CK_BLOCK_Q4_K) chains[r] = _mm512_fnmadd_ps(_mm512_set1_ps(scaled[r]), minimum, chains[r]);
    }
}

/// Step `b` + i of a round of four: the product of that block, and the sums of the one three before, whose totals have left the store buffer. A load
/// that finds them there would wait.
#define CK_INT8_STEP(i)                                                                                                  \
    if (b + i < count) {                                                                                                 \
        CK_INT8_PRODUCT(i, 4 + i % 2, 6 + i % 2, x + (b + i) * CK_INT8_TILE, room->weights + b + i, room->totals[i])     \
    }                                                                                                                    \
    if (b + i >= 3 && b + i - 3 < count) {                                                                               \
        CK_INT8(add)(type, chains, rows, x + (b + i - 3) * CK_INT8_TILE, room->weights + b + i - 3, room->totals[(i + 1) % 4]); \
    }

/// Up to sixteen rows times one panel over `count` blocks. `rows`, a literal, is 8 or 16.
CK_INLINE void CK_INT8(multiply_tile)(const ck_block_type type, float *sums, const size_t rows, const uint8_t *x, CK_INT8(room) *room, size_t count) {
    __m512 chains[16];
    CK_UNROLL
    for (size_t r = 0; r < rows; r++) chains[r] = _mm512_load_ps(sums + r * 16);
    for (size_t b = 0; b < count + 3; b += 4) {
        CK_INT8_STEP(0)
        CK_INT8_STEP(1)
        CK_INT8_STEP(2)
        CK_INT8_STEP(3)
    }
    CK_UNROLL
    for (size_t r = 0; r < rows; r++) _mm512_store_ps(sums + r * 16, chains[r]);
}

/// Panels first ..< end, `group` at a time: all rows and all panels of a group go through a piece of columns before the next. What lies `ahead` of each
/// block comes closer while it is unpacked.
CK_INLINE void CK_INT8(multiply_of)(const ck_block_type type, const ck_panel_job *job, size_t first, size_t end, CK_INT8(room) *room, size_t group) {
    const size_t block_bytes = ck_panel_unit_bytes(type) / 2, row_tiles = (job->m + 15) / 16, blocks = job->weights.columns / 32;
    const bool few = row_tiles == 1;
    CK_INT8(configure)(job->m <= 8 ? 8 : 16);
    for (; first < end; first += group) {
        size_t panels = end - first < group ? end - first : group;
        memset(room->sums, 0, panels * row_tiles * CK_PANEL_TILE);
        for (size_t b = 0; b < blocks; b += CK_INT8_PIECE) {
            size_t count = blocks - b < CK_INT8_PIECE ? blocks - b : CK_INT8_PIECE;
            for (size_t p = 0; p < panels; p++) {
                const uint8_t *panel = (const uint8_t *)job->weights.data + (first + p) * job->panel_bytes + CK_PANEL_HEADER;
                const uint8_t *ahead = panel + b * block_bytes + (few ? CK_INT8_PIECE * block_bytes : job->panel_bytes);
                for (size_t i = 0; i < count; i++) {
                    CK_UNROLL
                    for (size_t line = 0; line < block_bytes; line += 64) __builtin_prefetch(ahead + i * block_bytes + line, 0, 2);
                    CK_INT8(unpack)(type, room->weights + i, panel, b + i);
                }
                float *sums = room->sums + p * row_tiles * 256;
                for (size_t t = 0; t < row_tiles; t++, sums += 256) {
                    const uint8_t *x = CK_INT8(tile_at)(job, t, b);
                    if (job->m - 16 * t <= 8) CK_INT8(multiply_tile)(type, sums, 8, x, room, count);
                    else CK_INT8(multiply_tile)(type, sums, 16, x, room, count);
                }
            }
        }
        // Row after row, so that y is written in long pieces.
        for (size_t row = 0; row < job->m; row++) {
            for (size_t p = 0; p < panels; p++) CK_INT8(finish)(job, room->sums + (p * row_tiles + row / 16) * 256 + row % 16 * 16, first + p, row, 1);
        }
    }
    _tile_release();
}

static void CK_INT8(multiply)(const ck_panel_job *job, size_t first, size_t end, uint8_t *workspace) {
    CK_INT8(room) *room = (CK_INT8(room) *)workspace;
    size_t group = job->m <= CK_PANEL_ROWS ? CK_INT8_STREAMS : CK_PANEL_GROUP;
    switch (job->weights.type) {
    case CK_BLOCK_Q4_0: CK_INT8(multiply_of)(CK_BLOCK_Q4_0, job, first, end, room, group); break;
    case CK_BLOCK_Q8_0: CK_INT8(multiply_of)(CK_BLOCK_Q8_0, job, first, end, room, group); break;
    default: CK_INT8(multiply_of)(CK_BLOCK_Q4_K, job, first, end, room, group); break;
    }
}
