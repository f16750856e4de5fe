// Part of blocks_set.h: a unit of a panel to floats, exactly the numbers of ck_unpack_panel_row. Sixteen outputs side by side in every operation.

typedef float CK_SET(outputs) __attribute__((vector_size(CK_PANEL_OUTPUTS * sizeof(float))));
typedef uint32_t CK_SET(pairs) __attribute__((vector_size(CK_PANEL_OUTPUTS * sizeof(uint32_t))));
typedef int32_t CK_SET(levels) __attribute__((vector_size(CK_PANEL_OUTPUTS * sizeof(int32_t))));

/// Sixteen halves times 2^undo.
CK_INLINE CK_SET(outputs) CK_SET(scales)(const uint8_t *halves, CK_SET(outputs) undo) {
    CK_SET(outputs) values;
    float widened[CK_PANEL_OUTPUTS];
    ck_widen_f16(widened, halves, CK_PANEL_OUTPUTS);
    memcpy(&values, widened, sizeof values);
    return values * undo;
}

/// 32 columns of nibbles: scale * (q - bias) - minimum. `bias` is a literal at each call.
CK_INLINE void CK_SET(panel_nibbles)(float *target, const uint8_t *nibbles, CK_SET(outputs) scale, const int32_t bias, CK_SET(outputs) minimum) {
    for (size_t g = 0; g < 4; g++, nibbles += 64, target += 8 * CK_PANEL) {
        CK_SET(pairs) line;
        memcpy(&line, nibbles, sizeof line);
        CK_UNROLL
        for (uint32_t k = 0; k < 8; k++) {
            CK_SET(outputs) q = __builtin_convertvector((CK_SET(levels))(line >> (k % 2 * 16 + k / 2 * 4) & 15u) - bias, CK_SET(outputs));
            CK_SET(outputs) value = bias == 0 ? scale * q - minimum : scale * q;
            memcpy(target + k * CK_PANEL, &value, sizeof value);
        }
    }
}

/// 2^undo for whole numbers; in two factors, because either alone may be out of a float's range.
CK_INLINE void CK_SET(powers)(const float *undo, CK_SET(outputs) *first, CK_SET(outputs) *second) {
    CK_SET(outputs) exponents;
    memcpy(&exponents, undo, sizeof exponents);
    CK_SET(levels) whole = __builtin_convertvector(exponents, CK_SET(levels)), half = whole >> 1;
    *first = (CK_SET(outputs))((half + 127) << 23);
    *second = (CK_SET(outputs))((whole - half + 127) << 23);
}

/// Columns of unit `unit` that exist, `length` of them: target[k][0 ..< CK_PANEL_OUTPUTS], in rows of CK_PANEL.
static void CK_SET(unpack_panel)(ck_block_type type, float *target, const uint8_t *panel, size_t unit, size_t length) {
    CK_SET(outputs) first, second, none = {0};
    CK_SET(powers)((const float *)(const void *)panel, &first, &second);
    panel += CK_PANEL_HEADER;
    const uint8_t *at = panel + unit * ck_panel_unit_bytes(type);
    for (size_t t = 0; t < length / 32; t++, target += 32 * CK_PANEL) {
        switch (type) {
        case CK_BLOCK_Q4_0:
            CK_SET(panel_nibbles)(target, at + 64 + t * 256, CK_SET(scales)(at + t * 32, first) * second, 8, none);
            break;
        case CK_BLOCK_Q4_K: {
            const uint8_t *super = panel + unit / 4 * CK_PANEL_SUPER_BYTES, *bytes = super + 64 + (unit % 4 * 2 + t) * 16;
            CK_SET(outputs) scale, minimum;
            for (size_t j = 0; j < CK_PANEL_OUTPUTS; j++) {
                scale[j] = (float)bytes[j];
                minimum[j] = (float)bytes[128 + j];
            }
            scale *= CK_SET(scales)(super, first) * second;
            minimum *= CK_SET(scales)(super + 32, first) * second;
            CK_SET(panel_nibbles)(target, super + 320 + unit % 4 * 512 + t * 256, scale, 0, minimum);
            break;
        }
        case CK_BLOCK_Q8_0: {
            CK_SET(outputs) scale = CK_SET(scales)(at + t * 32, first) * second;
            const int8_t *q = (const int8_t *)at + 64 + t * 512;
            for (size_t r = 0; r < 16; r++, q += 32) {
                float values[32];
                for (size_t i = 0; i < 32; i++) values[i] = (float)q[i];
                for (size_t p = 0; p < 2; p++) {
                    for (size_t j = 0; j < 16; j++) target[(2 * r + p) * CK_PANEL + j] = values[2 * j + p] * scale[j];
                }
            }
            break;
        }
        default:
            for (size_t r = 0; r < 16; r++) {
                float values[32];
                const uint8_t *line = at + t * CK_PANEL_TILE + r * 64;
                if (type == CK_BLOCK_F16) ck_widen_f16(values, line, 32);
                else ck_widen_bf16(values, line, 32);
                for (size_t p = 0; p < 2; p++) {
                    for (size_t j = 0; j < 16; j++) {
                        float value = values[2 * j + p] * (type == CK_BLOCK_BF16 ? 0x1p112f : 1.0f);
                        target[(2 * r + p) * CK_PANEL + j] = value * first[j] * second[j];
                    }
                }
            }
            break;
        }
    }
}

/// sums[0 ..< CK_PANEL_STREAMS * CK_PANEL_OUTPUTS] of one row continue their chains over `length` columns of two pairs of panels that lie
/// CK_PANEL_STEP rows of CK_PANEL apart: as many chains side by side as hide a multiply-add's latency.
static void CK_SET(accumulate_narrow)(float *sums, const float *x, const float *weights, size_t length) {
    enum { vectors = CK_PANEL / CK_SET_WIDTH };
    CK_SET(wide) chains[2][vectors];
    memcpy(chains, sums, sizeof chains);
    for (size_t k = 0; k < length; k++) {
        CK_SET(wide) value = x[k] - (CK_SET(wide)){0};
        CK_UNROLL
        for (size_t p = 0; p < 2; p++) {
            CK_UNROLL
            for (size_t v = 0; v < vectors; v++) {
                CK_SET(wide) weight;
                memcpy(&weight, weights + (p * CK_PANEL_STEP + k) * CK_PANEL + v * CK_SET_WIDTH, sizeof weight);
                chains[p][v] = __builtin_elementwise_fma(value, weight, chains[p][v]);
            }
        }
    }
    memcpy(sums, chains, sizeof chains);
}
