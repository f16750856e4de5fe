// The products in AMX tiles, included once per kind of element. Before inclusion: CK_AMX(name) names the functions; CK_AMX_DOT(c, a, b) is
// the tile product; CK_AMX(element) turns halves into elements, CK_AMX(element_bf16) stored bfloat16; CK_AMX(narrow) 32 floats;
// CK_AMX_LARGEST is the exponent a row of x is scaled to, CK_AMX_UNDO what stored weights and elements differ by.
//
// Every output is one f32 sum over the tiles of 32 columns in ascending order; what the processor does within a tile depends on nothing
// else (SDM, TDPBF16PS). Sums that leave their register for memory are f32 there, too. So no blocking shows in the bits.

#include "panels_unpack.h"

/// Tile registers: 0-3 sums, 4-5 x, 6-7 weights. `rows`: of x, and so of the sums.
static void CK_AMX(configure)(uint8_t rows) {
    struct {
        uint8_t palette, start, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } configuration = {.palette = 1};
    for (size_t t = 0; t < 8; t++) {
        configuration.row_bytes[t] = 64;
        configuration.rows[t] = t < 6 ? rows : 16;
    }
    // Compilers have dropped the stores in front of the instruction that reads them.
    __asm__ volatile("" : : "r"(&configuration) : "memory");
    _tile_loadconfig(&configuration);
}

static void CK_AMX(convert)(const ck_panel_job *job, size_t row) {
    size_t columns = job->weights.columns;
    const float *x = job->x + row * columns;
    __m512i largest = _mm512_setzero_si512();
    for (size_t k = 0; k < columns; k += 16) {
        largest = _mm512_max_epu32(largest, _mm512_and_si512(_mm512_loadu_si512(x + k), _mm512_set1_epi32(INT32_MAX)));
    }
    // Of a row with infinities or NaN nothing else matters; one of zeros has no exponent.
    uint32_t bits = _mm512_reduce_max_epu32(largest);
    float magnitude, exponent = 0;
    memcpy(&magnitude, &bits, sizeof magnitude);
    if (bits != 0 && bits < 0x7F800000u) exponent = CK_AMX_LARGEST - _mm512_cvtss_f32(_mm512_getexp_ps(_mm512_set1_ps(magnitude)));
    job->exponents[row] = CK_AMX_UNDO - exponent;
    __m512 scale = _mm512_set1_ps(exponent);
    for (size_t kt = 0; kt < 2 * job->units; kt++) {
        __m512i line = _mm512_setzero_si512();
        if (kt * 32 < columns) {
            __m512 low = _mm512_scalef_ps(_mm512_loadu_ps(x + kt * 32), scale);
            line = CK_AMX(narrow)(low, _mm512_scalef_ps(_mm512_loadu_ps(x + kt * 32 + 16), scale));
        }
        _mm512_store_si512((void *)(job->tiles + ck_panel_tile_at(job, row / 16, kt) + row % 16 * 64), line);
    }
}

/// `rows` rows of a tile of sums to y, from row `first` on.
CK_INLINE void CK_AMX(finish)(const ck_panel_job *job, const float *sums, size_t panel, size_t first, size_t rows) {
    size_t output = panel * CK_PANEL_OUTPUTS, left = job->weights.rows - output;
    __mmask16 mask = left < 16 ? (__mmask16)((1u << left) - 1) : (__mmask16)0xFFFF;
    __m512 undo = _mm512_load_ps((const void *)((const uint8_t *)job->weights.data + panel * job->panel_bytes));
    const ck_epilogue *e = &job->epilogue;
    __m512 bias = e->bias == NULL ? _mm512_setzero_ps() : _mm512_maskz_loadu_ps(mask, e->bias + output);
    for (size_t row = 0; row < rows; row++) {
        size_t at = (first + row) * job->y_stride + output;
        __m512 exponent = _mm512_add_ps(undo, _mm512_set1_ps(job->exponents[first + row]));
        __m512 sum = _mm512_add_ps(_mm512_scalef_ps(_mm512_load_ps(sums + row * 16), exponent), bias);
        if (e->residual != NULL) sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, e->residual + at));
        // Only what is below zero: NaN stays.
        if (e->relu) sum = _mm512_mask_mov_ps(sum, _mm512_cmp_ps_mask(sum, _mm512_setzero_ps(), _CMP_LT_OQ), _mm512_setzero_ps());
        _mm512_mask_storeu_ps(job->y + at, mask, sum);
    }
}

// MARK: Up to sixteen rows

enum {
    /// Bytes ahead of what is read: some 100 nanoseconds.
    CK_AMX_PREFETCH = 1024,
};

/// What will be read next of stream `s`, on its way.
#define CK_AMX_FETCH(s)                                                                                                  \
    CK_UNROLL                                                                                                            \
    for (size_t line = 0; line < unit_bytes; line += 64) {                                                               \
        _mm_prefetch((const char *)panels[s] + unit * unit_bytes + CK_AMX_PREFETCH + line, _MM_HINT_T0);                 \
    }

/// Step 0 ... 7 of a round: tile step % 2 of stream step / 2 to its place in the ring.
#define CK_AMX_WRITE(step)                                                                                               \
    CK_AMX(unpack)(type, ring + step % 4 * CK_PANEL_TILE, panels[step / 2], unit, step % 2);

/// The tile of that step, times the rows' tile `x` (register 4 or 5), into the stream's sums.
#define CK_AMX_USE(step, sums, x)                                                                                        \
    _tile_loadd(x + 2, ring + step % 4 * CK_PANEL_TILE, 64);                                                             \
    CK_AMX_DOT(sums, x, x + 2);

CK_INLINE void CK_AMX(few_of)(const ck_block_type type, const ck_panel_job *job, size_t first, size_t end, uint8_t *ring) {
    const size_t unit_bytes = ck_panel_unit_bytes(type);
    const uint8_t *data = job->weights.data, *x = job->tiles;
    float *sums = (float *)(ring + 4 * CK_PANEL_TILE);
    // Each stream goes through panels that follow each other, so that what is prefetched behind a panel is the next one.
    size_t length = (end - first + CK_PANEL_STREAMS - 1) / CK_PANEL_STREAMS;
    CK_AMX(configure)((uint8_t)job->m);
    for (size_t p = 0; p < length; p++) {
        const uint8_t *panels[CK_PANEL_STREAMS];
        for (size_t s = 0; s < CK_PANEL_STREAMS; s++) {
            size_t panel = first + s * length + p;
            panels[s] = data + (panel < end ? panel : end - 1) * job->panel_bytes + CK_PANEL_HEADER;
        }
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
        // A tile is used three steps after it was written: it has left the store buffer, and the product's latency hides behind the steps
        // between. The ring is 4 KiB: nothing written since shares the lower twelve bits of its address, which would delay the load.
        for (size_t unit = 0; unit < job->units; unit++) {
            CK_AMX_FETCH(0)
            CK_AMX_WRITE(0)
            if (unit > 0) {
                CK_AMX_USE(5, 2, 5)
            }
            CK_AMX_WRITE(1)
            if (unit > 0) {
                CK_AMX_USE(6, 3, 4)
            }
            CK_AMX_FETCH(1)
            CK_AMX_WRITE(2)
            if (unit > 0) {
                CK_AMX_USE(7, 3, 5)
            }
            _tile_loadd(4, x + unit * 2 * CK_PANEL_TILE, 64);
            _tile_loadd(5, x + unit * 2 * CK_PANEL_TILE + CK_PANEL_TILE, 64);
            CK_AMX_WRITE(3)
            CK_AMX_USE(0, 0, 4)
            CK_AMX_FETCH(2)
            CK_AMX_WRITE(4)
            CK_AMX_USE(1, 0, 5)
            CK_AMX_WRITE(5)
            CK_AMX_USE(2, 1, 4)
            CK_AMX_FETCH(3)
            CK_AMX_WRITE(6)
            CK_AMX_USE(3, 1, 5)
            CK_AMX_WRITE(7)
            CK_AMX_USE(4, 2, 4)
        }
        CK_AMX_USE(5, 2, 5)
        CK_AMX_USE(6, 3, 4)
        CK_AMX_USE(7, 3, 5)
        _tile_stored(0, sums, 64);
        _tile_stored(1, sums + 256, 64);
        _tile_stored(2, sums + 512, 64);
        _tile_stored(3, sums + 768, 64);
        for (size_t s = 0; s < CK_PANEL_STREAMS && first + s * length + p < end; s++) {
            CK_AMX(finish)(job, sums + s * 256, first + s * length + p, 0, job->m);
        }
    }
    _tile_release();
}

#define CK_AMX_TYPES(function, ...)                                                                                      \
    switch (job->weights.type) {                                                                                         \
    case CK_BLOCK_Q4_0: CK_AMX(function)(CK_BLOCK_Q4_0, __VA_ARGS__); break;                                             \
    case CK_BLOCK_Q8_0: CK_AMX(function)(CK_BLOCK_Q8_0, __VA_ARGS__); break;                                             \
    case CK_BLOCK_Q4_K: CK_AMX(function)(CK_BLOCK_Q4_K, __VA_ARGS__); break;                                             \
    case CK_BLOCK_F16: CK_AMX(function)(CK_BLOCK_F16, __VA_ARGS__); break;                                               \
    default: CK_AMX(function)(CK_BLOCK_BF16, __VA_ARGS__); break;                                                        \
    }

static void CK_AMX(few)(const ck_panel_job *job, size_t first, size_t end, uint8_t *workspace) {
    CK_AMX_TYPES(few_of, job, first, end, workspace)
}

// MARK: Many rows

/// Tiles of units first ..< end of a panel to `buffer`; what will be unpacked next, `ahead`, to the second-level cache.
CK_INLINE void CK_AMX(unpack_units)(const ck_block_type type, uint8_t *buffer, const uint8_t *panel, const uint8_t *ahead, size_t first, size_t end) {
    const size_t unit_bytes = ck_panel_unit_bytes(type);
    for (size_t unit = first; unit < end; unit++, ahead += unit_bytes) {
        CK_UNROLL
        for (size_t line = 0; line < unit_bytes; line += 64) _mm_prefetch((const char *)ahead + line, _MM_HINT_T1);
        CK_AMX(unpack)(type, buffer + (unit - first) * 2 * CK_PANEL_TILE, panel, unit, 0);
        CK_AMX(unpack)(type, buffer + (unit - first) * 2 * CK_PANEL_TILE + CK_PANEL_TILE, panel, unit, 1);
    }
}

static void CK_AMX(unpack_piece)(const ck_panel_job *job, uint8_t *buffer, const uint8_t *panel, const uint8_t *ahead, size_t first, size_t end) {
    CK_AMX_TYPES(unpack_units, buffer, panel, ahead, first, end)
}

/// Two tiles of x by two of weights over `count` tiles of columns: each tile that is loaded is used twice. A sixteenth of the next piece of x
/// at `next`, as the pairs of a group are, comes to the second-level cache.
static void CK_AMX(square)(float *sums, const uint8_t *x, const uint8_t *next, const uint8_t *weights, size_t count) {
    _tile_loadd(0, sums, 64);
    _tile_loadd(1, sums + 256, 64);
    _tile_loadd(2, sums + 512, 64);
    _tile_loadd(3, sums + 768, 64);
    for (size_t kt = 0; kt < count; kt++) {
        _mm_prefetch((const char *)next + kt * 128, _MM_HINT_T1);
        _mm_prefetch((const char *)next + kt * 128 + 64, _MM_HINT_T1);
        _tile_loadd(4, x + kt * 2 * CK_PANEL_TILE, 64);
        _tile_loadd(6, weights + kt * CK_PANEL_TILE, 64);
        CK_AMX_DOT(0, 4, 6);
        _tile_loadd(7, weights + CK_PANEL_BUFFER / 2 + kt * CK_PANEL_TILE, 64);
        CK_AMX_DOT(1, 4, 7);
        _tile_loadd(5, x + (kt * 2 + 1) * CK_PANEL_TILE, 64);
        CK_AMX_DOT(2, 5, 6);
        CK_AMX_DOT(3, 5, 7);
    }
    _tile_stored(0, sums, 64);
    _tile_stored(1, sums + 256, 64);
    _tile_stored(2, sums + 512, 64);
    _tile_stored(3, sums + 768, 64);
}

/// One tile of x that has no neighbour.
static void CK_AMX(flat)(float *sums, const uint8_t *x, const uint8_t *weights, size_t count) {
    _tile_loadd(0, sums, 64);
    _tile_loadd(1, sums + 256, 64);
    for (size_t kt = 0; kt < count; kt++) {
        _tile_loadd(4, x + kt * CK_PANEL_TILE, 64);
        _tile_loadd(6, weights + kt * CK_PANEL_TILE, 64);
        CK_AMX_DOT(0, 4, 6);
        _tile_loadd(7, weights + CK_PANEL_BUFFER / 2 + kt * CK_PANEL_TILE, 64);
        CK_AMX_DOT(1, 4, 7);
    }
    _tile_stored(0, sums, 64);
    _tile_stored(1, sums + 256, 64);
}

static void CK_AMX(many)(const ck_panel_job *job, size_t first, size_t end, uint8_t *workspace) {
    enum { piece = CK_PANEL_PIECE / CK_PANEL_STEP };
    float *sums = (float *)(workspace + CK_PANEL_BUFFER);
    const uint8_t *data = (const uint8_t *)job->weights.data + CK_PANEL_HEADER;
    size_t row_tiles = (job->m + 15) / 16, unit_bytes = ck_panel_unit_bytes(job->weights.type);
    // Sums of a pair of panels: [row tile][panel of the pair][16][16].
    size_t pair_sums = row_tiles * 2 * 256;
    memset(sums, 0, (end - first + 1) / 2 * pair_sums * sizeof(float));
    CK_AMX(configure)(16);
    for (size_t unit = 0; unit < job->units; unit += piece) {
        size_t last = unit + piece < job->units ? unit + piece : job->units, count = 2 * (last - unit);
        for (size_t panel = first; panel < end; panel += 2) {
            const uint8_t *at = data + panel * job->panel_bytes, *ahead = at + 2 * job->panel_bytes + unit * unit_bytes;
            if (panel + 2 >= end) ahead = data + first * job->panel_bytes + last * unit_bytes;
            CK_AMX(unpack_piece)(job, workspace, at, ahead, unit, last);
            // The partner of an odd last panel computes with what lies there; nobody reads it.
            if (panel + 1 < end) CK_AMX(unpack_piece)(job, workspace + CK_PANEL_BUFFER / 2, at + job->panel_bytes, ahead + job->panel_bytes, unit, last);
            float *own = sums + (panel - first) / 2 * pair_sums;
            for (size_t t = 0; t < row_tiles; t += 2) {
                const uint8_t *x = job->tiles + ck_panel_tile_at(job, t, 2 * unit);
                if (t + 1 < row_tiles) CK_AMX(square)(own + t * 512, x, x + 2 * count * CK_PANEL_TILE + (panel - first) / 2 * count * 128, workspace, count);
                else CK_AMX(flat)(own + t * 512, x, workspace, count);
            }
        }
    }
    _tile_release();
    for (size_t panel = first; panel < end; panel++) {
        for (size_t t = 0; t < row_tiles; t++) {
            const float *tile = sums + (panel - first) / 2 * pair_sums + (t * 2 + (panel - first) % 2) * 256;
            CK_AMX(finish)(job, tile, panel, 16 * t, job->m - 16 * t < 16 ? job->m - 16 * t : 16);
        }
    }
}

#define CK_AMX_TABLE {.convert = CK_AMX(convert), .few = CK_AMX(few), .many = CK_AMX(many)}
