// Part of panels_amx.h: up to sixteen rows, bound by memory or by unpacking, and up to 32, where two tiles of rows share what was unpacked.

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
    CK_AMX(unpack)(type, ring + step % 4 * CK_PANEL_TILE, panels[step / 2], unit, step % 2, 0, 4);

/// The tile of that step, times the rows' tile `x` (register 4 or 5), into the stream's sums.
#define CK_AMX_USE(step, sums, x)                                                                                        \
    _tile_loadd(x + 2, ring + step % 4 * CK_PANEL_TILE, 64);                                                             \
    CK_AMX_DOT(sums, x, x + 2);

/// Where each of `count` streams reads, `length` panels apart from `panel` on (a stream beyond the end reads the last one, for nobody), and sums of zero.
CK_INLINE void CK_AMX(begin_streams)(const ck_panel_job *job, const uint8_t **panels, size_t count, size_t panel, size_t length, size_t end) {
    for (size_t s = 0; s < count; s++, panel += length) {
        panels[s] = (const uint8_t *)job->weights.data + (panel < end ? panel : end - 1) * job->panel_bytes + CK_PANEL_HEADER;
    }
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
}

CK_INLINE void CK_AMX(store_sums)(float *sums) {
    _tile_stored(0, sums, 64);
    _tile_stored(1, sums + 256, 64);
    _tile_stored(2, sums + 512, 64);
    _tile_stored(3, sums + 768, 64);
}

CK_INLINE void CK_AMX(one_tile_of)(const ck_block_type type, const ck_panel_job *job, size_t first, size_t end, uint8_t *ring) {
    const size_t unit_bytes = ck_panel_unit_bytes(type);
    const uint8_t *x = job->tiles;
    float *sums = (float *)(ring + 4 * CK_PANEL_TILE);
    // Each stream goes through panels that follow each other, so that what is prefetched behind a panel is the next one.
    size_t length = (end - first + CK_PANEL_STREAMS - 1) / CK_PANEL_STREAMS;
    CK_AMX(configure)((uint8_t)job->m);
    for (size_t p = 0; p < length; p++) {
        const uint8_t *panels[CK_PANEL_STREAMS];
        CK_AMX(begin_streams)(job, panels, CK_PANEL_STREAMS, first + p, length, end);
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
        CK_AMX(store_sums)(sums);
        for (size_t s = 0; s < CK_PANEL_STREAMS && first + s * length + p < end; s++) {
            CK_AMX(finish)(job, sums + s * 256, first + s * length + p, 0, job->m);
        }
    }
    _tile_release();
}

/// The tile of step 0 ... 3 of a unit (32 columns of a panel after the other's), to its place in the ring; and its use, with both tiles of rows.
#define CK_AMX_WRITE_PAIR(step)                                                                                          \
    CK_AMX(unpack)(type, ring + step * CK_PANEL_TILE, panels[step % 2], unit, step / 2, 0, 4);

#define CK_AMX_USE_PAIR(step)                                                                                            \
    _tile_loadd(6 + step % 2, ring + step * CK_PANEL_TILE, 64);                                                          \
    CK_AMX_DOT(step % 2, 4, 6 + step % 2);                                                                               \
    CK_AMX_DOT(2 + step % 2, 5, 6 + step % 2);

#define CK_AMX_LOAD_PAIR(unit, t)                                                                                        \
    _tile_stream_loadd(4, x + ((unit) * 2 + t) * 2 * CK_PANEL_TILE, 64);                                                 \
    _tile_stream_loadd(5, x + (((unit) * 2 + t) * 2 + 1) * CK_PANEL_TILE, 64);

/// Two panels at a time for seventeen to 32 rows. x streams past the first-level cache; the sums stay in their registers to the last column.
CK_INLINE void CK_AMX(two_tiles_of)(const ck_block_type type, const ck_panel_job *job, size_t first, size_t end, uint8_t *ring) {
    const size_t unit_bytes = ck_panel_unit_bytes(type);
    const uint8_t *x = job->tiles;
    float *sums = (float *)(ring + 4 * CK_PANEL_TILE);
    size_t length = (end - first + 1) / 2;
    CK_AMX(configure)(16);
    for (size_t p = 0; p < length; p++) {
        const uint8_t *panels[2];
        CK_AMX(begin_streams)(job, panels, 2, first + p, length, end);
        // Three steps from writing to use, as above.
        for (size_t unit = 0; unit < job->units; unit++) {
            CK_AMX_FETCH(0)
            CK_AMX_WRITE_PAIR(0)
            if (unit > 0) {
                CK_AMX_USE_PAIR(1)
            }
            CK_AMX_FETCH(1)
            CK_AMX_WRITE_PAIR(1)
            if (unit > 0) {
                CK_AMX_LOAD_PAIR(unit - 1, 1)
                CK_AMX_USE_PAIR(2)
            }
            CK_AMX_WRITE_PAIR(2)
            if (unit > 0) {
                CK_AMX_USE_PAIR(3)
            }
            CK_AMX_WRITE_PAIR(3)
            CK_AMX_LOAD_PAIR(unit, 0)
            CK_AMX_USE_PAIR(0)
        }
        CK_AMX_USE_PAIR(1)
        CK_AMX_LOAD_PAIR(job->units - 1, 1)
        CK_AMX_USE_PAIR(2)
        CK_AMX_USE_PAIR(3)
        CK_AMX(store_sums)(sums);
        for (size_t s = 0; s < 2 && first + s * length + p < end; s++) {
            CK_AMX(finish)(job, sums + s * 256, first + s * length + p, 0, 16);
            CK_AMX(finish)(job, sums + (2 + s) * 256, first + s * length + p, 16, job->m - 16);
        }
    }
    _tile_release();
}

static void CK_AMX(few)(const ck_panel_job *job, size_t first, size_t end, uint8_t *workspace) {
    if (job->m <= CK_PANEL_ROWS) {
        CK_AMX_TYPES(one_tile_of, job, first, end, workspace)
    } else {
        CK_AMX_TYPES(two_tiles_of, job, first, end, workspace)
    }
}
