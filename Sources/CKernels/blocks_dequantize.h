// Part of blocks_set.h: what the bytes of each block mean. Loops of fixed length over bytes, which the compiler turns into vectors.

CK_INLINE float CK_SET(half)(const uint8_t *bytes) {
    float value;
    ck_widen_f16(&value, bytes, 1);
    return value;
}

/// 32 numbers scale * (low or high four bits) + offset: byte i holds element i and element i + 16.
CK_INLINE void CK_SET(nibbles)(float *restrict target, const uint8_t *restrict q, float scale, float offset) {
    for (size_t i = 0; i < 16; i++) target[i] = scale * (float)(q[i] & 15) + offset;
    for (size_t i = 0; i < 16; i++) target[16 + i] = scale * (float)(q[i] >> 4) + offset;
}

/// The same with a fifth bit for each: bit i of four bytes.
CK_INLINE void CK_SET(five_bits)(float *restrict target, const uint8_t *restrict high, const uint8_t *restrict q, float scale, float offset) {
    uint32_t bits = high[0] | (uint32_t)high[1] << 8 | (uint32_t)high[2] << 16 | (uint32_t)high[3] << 24;
    for (uint32_t i = 0; i < 16; i++) target[i] = scale * (float)((q[i] & 15u) | (bits >> i & 1u) << 4) + offset;
    for (uint32_t i = 0; i < 16; i++) target[16 + i] = scale * (float)(q[i] >> 4 | (bits >> (i + 16) & 1u) << 4) + offset;
}

/// Scale and minimum of sub-block j of Q4_K and Q5_K: six bits each. The first four of both lie in the lower six bits of bytes
/// 0-3 and 4-7; the other four have their lower four bits in bytes 8-11 and their upper two at the top of the first eight.
CK_INLINE void CK_SET(six_bits)(const uint8_t *packed, size_t j, float *scale, float *minimum) {
    uint32_t s, m;
    if (j < 4) {
        s = packed[j] & 63u;
        m = packed[j + 4] & 63u;
    } else {
        s = (packed[j + 4] & 15u) | (uint32_t)(packed[j - 4] >> 6) << 4;
        m = (uint32_t)(packed[j + 4] >> 4) | (uint32_t)(packed[j] >> 6) << 4;
    }
    *scale = (float)s;
    *minimum = (float)m;
}

CK_INLINE void CK_SET(dequantize_q4_k)(float *restrict target, const uint8_t *restrict block) {
    float d = CK_SET(half)(block), dmin = CK_SET(half)(block + 2);
    for (size_t j = 0; j < 8; j++) {
        float scale, minimum;
        CK_SET(six_bits)(block + 4, j, &scale, &minimum);
        scale *= d;
        minimum *= dmin;
        // 32 bytes hold two sub-blocks: the even one in the lower bits.
        const uint8_t *q = block + 16 + j / 2 * 32;
        float *out = target + j * 32;
        if (j % 2 == 0) {
            for (size_t i = 0; i < 32; i++) out[i] = scale * (float)(q[i] & 15) - minimum;
        } else {
            for (size_t i = 0; i < 32; i++) out[i] = scale * (float)(q[i] >> 4) - minimum;
        }
    }
}

CK_INLINE void CK_SET(dequantize_q5_k)(float *restrict target, const uint8_t *restrict block) {
    float d = CK_SET(half)(block), dmin = CK_SET(half)(block + 2);
    const uint8_t *high = block + 16;
    for (uint32_t j = 0; j < 8; j++) {
        float scale, minimum;
        CK_SET(six_bits)(block + 4, j, &scale, &minimum);
        scale *= d;
        minimum *= dmin;
        const uint8_t *q = block + 48 + j / 2 * 32;
        float *out = target + j * 32;
        uint32_t shift = j % 2 * 4;
        // Bit j of the 32 high bytes belongs to sub-block j.
        for (size_t i = 0; i < 32; i++) {
            out[i] = scale * (float)(((uint32_t)q[i] >> shift & 15u) | ((uint32_t)high[i] >> j & 1u) << 4) - minimum;
        }
    }
}

CK_INLINE void CK_SET(dequantize_q6_k)(float *restrict target, const uint8_t *restrict block) {
    const uint8_t *low = block, *high = block + 128, *scales = block + 192;
    float d = CK_SET(half)(block + 208);
    for (uint32_t j = 0; j < 8; j++) {
        // 64 low and 32 high bytes for 128 numbers: groups of 32 go lower bits, next 32 bytes' lower bits, then the upper bits of both.
        const uint8_t *q = low + j / 4 * 64 + j % 2 * 32, *h = high + j / 4 * 32;
        uint32_t shift = j % 4 / 2 * 4, high_shift = j % 4 * 2;
        for (uint32_t part = 0; part < 2; part++) {
            float scale = d * (float)(int8_t)scales[2 * j + part];
            float *out = target + j * 32 + part * 16;
            for (size_t i = 0; i < 16; i++) {
                uint32_t bits = ((uint32_t)q[part * 16 + i] >> shift & 15u) | ((uint32_t)h[part * 16 + i] >> high_shift & 3u) << 4;
                out[i] = scale * (float)((int32_t)bits - 32);
            }
        }
    }
}

static void CK_SET(dequantize)(ck_block_type type, float *restrict target, const uint8_t *restrict source, size_t blocks) {
    switch (type) {
    case CK_BLOCK_F32:
        memcpy(target, source, blocks * sizeof(float));
        break;
    case CK_BLOCK_F16:
        ck_widen_f16(target, source, blocks);
        break;
    case CK_BLOCK_BF16:
        ck_widen_bf16(target, source, blocks);
        break;
    case CK_BLOCK_Q4_0:
        for (size_t b = 0; b < blocks; b++, source += 18, target += 32) {
            float d = CK_SET(half)(source);
            // As d * q - 8 * d would be -0 for some and, with an infinite d, NaN where the format says infinity.
            for (size_t i = 0; i < 16; i++) target[i] = d * (float)((source[2 + i] & 15) - 8);
            for (size_t i = 0; i < 16; i++) target[16 + i] = d * (float)((source[2 + i] >> 4) - 8);
        }
        break;
    case CK_BLOCK_Q4_1:
        for (size_t b = 0; b < blocks; b++, source += 20, target += 32) {
            CK_SET(nibbles)(target, source + 4, CK_SET(half)(source), CK_SET(half)(source + 2));
        }
        break;
    case CK_BLOCK_Q5_0:
        for (size_t b = 0; b < blocks; b++, source += 22, target += 32) {
            float d = CK_SET(half)(source);
            CK_SET(five_bits)(target, source + 2, source + 6, 1, -16);
            for (size_t i = 0; i < 32; i++) target[i] *= d;
        }
        break;
    case CK_BLOCK_Q5_1:
        for (size_t b = 0; b < blocks; b++, source += 24, target += 32) {
            CK_SET(five_bits)(target, source + 4, source + 8, CK_SET(half)(source), CK_SET(half)(source + 2));
        }
        break;
    case CK_BLOCK_Q8_0:
        for (size_t b = 0; b < blocks; b++, source += 34, target += 32) {
            float d = CK_SET(half)(source);
            for (size_t i = 0; i < 32; i++) target[i] = d * (float)(int8_t)source[2 + i];
        }
        break;
    case CK_BLOCK_Q4_K:
        for (size_t b = 0; b < blocks; b++, source += 144, target += 256) CK_SET(dequantize_q4_k)(target, source);
        break;
    case CK_BLOCK_Q5_K:
        for (size_t b = 0; b < blocks; b++, source += 176, target += 256) CK_SET(dequantize_q5_k)(target, source);
        break;
    case CK_BLOCK_Q6_K:
        for (size_t b = 0; b < blocks; b++, source += 210, target += 256) CK_SET(dequantize_q6_k)(target, source);
        break;
    }
}
