// Sizes of images and weights in tiles, and weights to tiles, once per model.
#include "ck_blocks.h"
#include "ck_widen.h"
#include "conv_kernels.h"

#include <math.h>

/// a * b + c, or false where it does not fit 63 bits.
static bool sized(size_t *result, size_t a, size_t b, size_t c) {
    return !__builtin_mul_overflow(a, b, result) && !__builtin_add_overflow(*result, c, result) && *result <= SIZE_MAX >> 1;
}

size_t ck_tile_images_bytes(ck_tile_arithmetic arithmetic, size_t n, ck_tile_images s) {
    size_t pixel, row, image, slack, bytes;
    if (s.height == 0 || s.width == 0 || s.channels == 0 || s.channels > SIZE_MAX - CK_TILE_CHANNELS || s.border > 1) return 0;
    // A tile with fewer than sixteen positions is read as if it had them, two pixels apart and over a 3x3's taps.
    if (!sized(&pixel, ck_tile_steps(s.channels), 64 * ck_tile_parts(arithmetic), 0) || !sized(&slack, pixel, 2 * CK_TILE_POSITIONS + 4, 0)) return 0;
    if (s.width > SIZE_MAX >> 1 || !sized(&row, s.width + s.border, pixel, 0)) return 0;
    if (s.height > SIZE_MAX >> 1 || !sized(&image, s.height + 2 * s.border, row, s.border * pixel)) return 0;
    return sized(&bytes, n, image, slack) ? bytes : 0;
}

size_t ck_tile_filters_bytes(ck_tile_arithmetic arithmetic, size_t filters, size_t kernel, size_t channels) {
    size_t bytes;
    if (filters == 0 || filters > SIZE_MAX - CK_TILE_PAIR || channels == 0 || channels > CK_MAXIMUM_CHANNELS) return 0;
    if (kernel != 1 && kernel != 3 && !(kernel == CK_STEM_KERNEL && channels == 1)) return 0;
    return sized(&bytes, ck_tile_pairs(filters), ck_tile_pair_bytes(arithmetic, kernel, channels), 0) ? bytes : 0;
}

/// Where weight (row, column, channel) of a filter lies among its 32-channel steps.
static size_t place(size_t kernel, size_t channels, size_t row, size_t column, size_t channel) {
    if (kernel == CK_STEM_KERNEL) return row / CK_STEM_ROWS * 32 + column * CK_STEM_ROWS + row % CK_STEM_ROWS;
    return (row * kernel + column) * ck_tile_steps(channels) * 32 + channel;
}

/// One weight as an element, and its rest in the pair's tile of rests.
static void put(ck_tile_arithmetic arithmetic, uint8_t *element, float weight) {
    if (arithmetic == CK_TILE_FP16) {
        ck_narrow_f16(element, &weight, 1);
        return;
    }
    ck_narrow_bf16(element, &weight, 1);
    if (arithmetic != CK_TILE_BF16X3) return;
    float rounded;
    ck_widen_bf16(&rounded, element, 1);
    float rest = weight - rounded;
    ck_narrow_bf16(element + 2 * CK_TILE_BYTES, &rest, 1);
}

void ck_pack_tile_filter(ck_tile_arithmetic arithmetic, void *packed, const float *weights, float bias, size_t filter, size_t kernel,
                         size_t channels) {
    uint8_t *pair = (uint8_t *)packed + filter / CK_TILE_PAIR * ck_tile_pair_bytes(arithmetic, kernel, channels);
    float *header = (float *)(void *)pair, largest = 0;
    size_t in_pair = filter % CK_TILE_PAIR;
    for (size_t i = 0; i < kernel * kernel * channels; i++) {
        if (isfinite(weights[i])) largest = fmaxf(largest, fabsf(weights[i]));
    }
    int exponent = 0;
    if (largest > 0) frexpf(largest, &exponent);
    // The scale is a normal number.
    exponent = exponent < -126 ? -126 : exponent > 127 ? 127 : exponent;
    header[in_pair] = ldexpf(1, exponent);
    header[CK_TILE_PAIR + in_pair] = bias;
    for (size_t row = 0; row < kernel; row++) {
        for (size_t column = 0; column < kernel; column++) {
            for (size_t channel = 0; channel < channels; channel++) {
                size_t at = place(kernel, channels, row, column, channel);
                float scaled = ldexpf(weights[(row * kernel + column) * channels + channel], -exponent);
                uint8_t *tile = pair + CK_TILE_HEADER + (at / 32 * 2 * ck_tile_parts(arithmetic) + in_pair / 16) * CK_TILE_BYTES;
                put(arithmetic, tile + at % 32 / 2 * 64 + in_pair % 16 * 4 + at % 2 * 2, scaled);
            }
        }
    }
}
