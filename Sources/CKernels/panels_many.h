// Part of panels_amx.h: many rows, bound by the tiles. While the tile products of one pair of panels run, the vector units unpack the next pair.

/// Two panels over a piece of columns, on their way into a buffer: [panel][tile][CK_PANEL_TILE]. A quarter of a tile is four of its rows.
typedef struct {
    const uint8_t *panels[2], *ahead[2];
    uint8_t *buffer;
    size_t first, tiles;
    size_t quarter, quarters;
} CK_AMX(unpacking);

/// The next `count` quarters, or what is left; what will be unpacked after this pair comes to the second-level cache.
CK_INLINE void CK_AMX(unpack_quarters)(const ck_block_type type, CK_AMX(unpacking) *u, size_t count) {
    const size_t bytes = ck_panel_unit_bytes(type) / 8;
    size_t end = u->quarters - u->quarter < count ? u->quarters : u->quarter + count;
    for (; u->quarter < end; u->quarter++) {
        size_t panel = u->quarter >= 4 * u->tiles, in_panel = u->quarter - panel * 4 * u->tiles, tile = in_panel / 4;
        CK_UNROLL
        for (size_t line = 0; line < bytes; line += 64) _mm_prefetch((const char *)u->ahead[panel] + in_panel * bytes + line, _MM_HINT_T1);
        CK_AMX(unpack)(type, u->buffer + panel * CK_PANEL_BUFFER / 4 + tile * CK_PANEL_TILE, u->panels[panel], u->first + tile / 2, tile % 2, in_panel % 4, 1);
    }
}

/// Two tiles of x by two of weights over `count` tiles of columns: each tile that is loaded is used twice. x and the sums are loaded past the
/// first-level cache, which keeps the weights. `lines` for each step of the next piece of x at `next` come to the second-level cache.
CK_INLINE void CK_AMX(square)(const ck_block_type type, float *sums, const uint8_t *x, const uint8_t *next, size_t lines, const uint8_t *weights, size_t count,
                              CK_AMX(unpacking) *unpacking, size_t quarters) {
    _tile_stream_loadd(0, sums, 64);
    _tile_stream_loadd(1, sums + 256, 64);
    _tile_stream_loadd(2, sums + 512, 64);
    _tile_stream_loadd(3, sums + 768, 64);
    for (size_t kt = 0; kt < count; kt++) {
        for (size_t line = 0; line < lines; line++) _mm_prefetch((const char *)next + (kt * lines + line) * 64, _MM_HINT_T1);
        _tile_stream_loadd(4, x + kt * 2 * CK_PANEL_TILE, 64);
        _tile_loadd(6, weights + kt * CK_PANEL_TILE, 64);
        CK_AMX_DOT(0, 4, 6);
        _tile_loadd(7, weights + CK_PANEL_BUFFER / 4 + kt * CK_PANEL_TILE, 64);
        CK_AMX_DOT(1, 4, 7);
        _tile_stream_loadd(5, x + (kt * 2 + 1) * CK_PANEL_TILE, 64);
        CK_AMX_DOT(2, 5, 6);
        CK_AMX_DOT(3, 5, 7);
        CK_AMX(unpack_quarters)(type, unpacking, quarters);
    }
    _tile_stored(0, sums, 64);
    _tile_stored(1, sums + 256, 64);
    _tile_stored(2, sums + 512, 64);
    _tile_stored(3, sums + 768, 64);
}

/// One tile of x that has no neighbour.
CK_INLINE void CK_AMX(flat)(const ck_block_type type, float *sums, const uint8_t *x, const uint8_t *weights, size_t count,
                            CK_AMX(unpacking) *unpacking, size_t quarters) {
    _tile_stream_loadd(0, sums, 64);
    _tile_stream_loadd(1, sums + 256, 64);
    for (size_t kt = 0; kt < count; kt++) {
        _tile_stream_loadd(4, x + kt * CK_PANEL_TILE, 64);
        _tile_loadd(6, weights + kt * CK_PANEL_TILE, 64);
        CK_AMX_DOT(0, 4, 6);
        _tile_loadd(7, weights + CK_PANEL_BUFFER / 4 + kt * CK_PANEL_TILE, 64);
        CK_AMX_DOT(1, 4, 7);
        CK_AMX(unpack_quarters)(type, unpacking, quarters);
    }
    _tile_stored(0, sums, 64);
    _tile_stored(1, sums + 256, 64);
}

/// The piece of columns from unit `unit` on of panels `panel` and `panel + 1`. The partner of an odd last panel is that panel again; nobody reads it.
static CK_AMX(unpacking) CK_AMX(begin_unpacking)(const ck_panel_job *job, size_t panel, size_t end, size_t unit, uint8_t *buffer) {
    const uint8_t *data = (const uint8_t *)job->weights.data + CK_PANEL_HEADER;
    size_t left = job->units - unit, units = left < CK_PANEL_PIECE / CK_PANEL_STEP ? left : CK_PANEL_PIECE / CK_PANEL_STEP;
    CK_AMX(unpacking) u = {.buffer = buffer, .first = unit, .tiles = 2 * units, .quarters = 16 * units};
    for (size_t p = 0; p < 2; p++) {
        u.panels[p] = data + (panel + p < end ? panel + p : panel) * job->panel_bytes;
        u.ahead[p] = u.panels[p] + 2 * job->panel_bytes + unit * ck_panel_unit_bytes(job->weights.type);
    }
    return u;
}

CK_INLINE void CK_AMX(many_of)(const ck_block_type type, const ck_panel_job *job, size_t first, size_t end, uint8_t *workspace) {
    float *sums = (float *)(workspace + CK_PANEL_BUFFER);
    size_t row_tiles = (job->m + 15) / 16, pairs = (end - first + 1) / 2, squares = (row_tiles + 1) / 2;
    // Sums of a pair of panels: [row tile][panel of the pair][16][16].
    size_t pair_sums = row_tiles * 2 * 256;
    memset(sums, 0, pairs * pair_sums * sizeof(float));
    CK_AMX(configure)(16);
    CK_AMX(unpacking) next = CK_AMX(begin_unpacking)(job, first, end, 0, workspace);
    CK_AMX(unpack_quarters)(type, &next, next.quarters);
    // A pair of panels has eight quarters for each step of a square.
    const size_t quarters = (8 + squares - 1) / squares;
    // Two tiles of x are 32 lines; each pair of panels fetches its share of those of the next piece.
    const size_t lines = (32 + pairs - 1) / pairs;
    for (size_t unit = 0; unit < job->units; unit += CK_PANEL_PIECE / CK_PANEL_STEP) {
        for (size_t pair = 0; pair < pairs; pair++) {
            const CK_AMX(unpacking) own = next;
            // After the last pair comes the first one's next piece.
            bool last = pair + 1 == pairs;
            size_t next_unit = last ? unit + CK_PANEL_PIECE / CK_PANEL_STEP : unit;
            uint8_t *buffer = workspace + (own.buffer == workspace ? CK_PANEL_BUFFER / 2 : 0);
            if (next_unit < job->units) next = CK_AMX(begin_unpacking)(job, last ? first : first + 2 * (pair + 1), end, next_unit, buffer);
            float *pair_at = sums + pair * pair_sums;
            for (size_t t = 0; t < row_tiles; t += 2) {
                const uint8_t *x = job->tiles + ck_panel_tile_at(job, t, 2 * unit);
                const uint8_t *ahead = x + 2 * own.tiles * CK_PANEL_TILE + pair * own.tiles * lines * 64;
                if (t + 1 < row_tiles) CK_AMX(square)(type, pair_at + t * 512, x, ahead, lines, own.buffer, own.tiles, &next, quarters);
                else CK_AMX(flat)(type, pair_at + t * 512, x, own.buffer, own.tiles, &next, quarters);
            }
            // A short piece has fewer steps than the next one needs.
            CK_AMX(unpack_quarters)(type, &next, next.quarters);
        }
    }
    _tile_release();
    // Row after row, so that y is written in long pieces.
    for (size_t row = 0; row < job->m; row++) {
        for (size_t panel = first; panel < end; panel++) {
            size_t tile = (panel - first) / 2 * row_tiles * 2 + row / 16 * 2 + (panel - first) % 2;
            CK_AMX(finish)(job, sums + tile * 256 + row % 16 * 16, panel, row, 1);
        }
    }
}

static void CK_AMX(many)(const ck_panel_job *job, size_t first, size_t end, uint8_t *workspace) {
    CK_AMX_TYPES(many_of, job, first, end, workspace)
}
