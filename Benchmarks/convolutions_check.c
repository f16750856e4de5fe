// Checks of the convolutions in tiles without Swift: every arithmetic of this machine against sums in double precision, bits against bits. With
// -DCK_EMULATE_AMX_FP16 also halves on a processor that has only bfloat16 tiles. Build and run: Benchmarks/README.md.
#include "ck_tiles.h"
#include "ck_blocks.h"
#include "ck_widen.h"
#include "checking.h"

#include <math.h>

static float number(void) { return (float)((double)(bits() >> 11) * 0x1p-52 - 1); }

/// What an image keeps of a number.
static float rounded(ck_tile_arithmetic a, float value) {
    uint16_t element;
    float first, rest;
    if (a == CK_TILE_FP16) {
        ck_narrow_f16(&element, &value, 1);
        ck_widen_f16(&first, &element, 1);
        return first;
    }
    ck_narrow_bf16(&element, &value, 1);
    ck_widen_bf16(&first, &element, 1);
    if (a == CK_TILE_BF16) return first;
    rest = value - first;
    ck_narrow_bf16(&element, &rest, 1);
    ck_widen_bf16(&rest, &element, 1);
    return first + rest;
}

static size_t parts(ck_tile_arithmetic a) { return a == CK_TILE_BF16X3 ? 2 : 1; }
/// Elements of a pixel.
static size_t elements(ck_tile_arithmetic a, size_t channels) { return (channels + 31) / 32 * 32 * parts(a); }

/// Element (image, row, column, channel) of images; its rest is 32 further on.
static uint16_t *at(ck_tile_arithmetic a, ck_tile_images s, size_t image, size_t row, size_t column, size_t channel) {
    size_t pitch = s.width + s.border, pixels = (s.height + 2 * s.border) * pitch + s.border;
    return (uint16_t *)s.data + ((image * pixels) + (row + s.border) * pitch + column + s.border) * elements(a, s.channels) + channel / 32 * 32 * parts(a) + channel % 32;
}

static float number_at(ck_tile_arithmetic a, ck_tile_images s, size_t image, size_t row, size_t column, size_t channel) {
    const uint16_t *element = at(a, s, image, row, column, channel);
    float first, rest = 0;
    if (a == CK_TILE_FP16) ck_widen_f16(&first, element, 1);
    else ck_widen_bf16(&first, element, 1);
    if (parts(a) == 2) ck_widen_bf16(&rest, element + 32, 1);
    return first + rest;
}

static void put(ck_tile_arithmetic a, ck_tile_images s, size_t image, size_t row, size_t column, size_t channel, float value) {
    uint16_t *element = at(a, s, image, row, column, channel);
    float first;
    if (a == CK_TILE_FP16) ck_narrow_f16(element, &value, 1);
    else ck_narrow_bf16(element, &value, 1);
    if (parts(a) == 1) return;
    ck_widen_bf16(&first, element, 1);
    first = value - first;
    ck_narrow_bf16(element + 32, &first, 1);
}

/// Nothing in it, in neither part.
static bool is_zero(ck_tile_arithmetic a, const uint16_t *element) { return element[0] == 0 && (parts(a) == 1 || element[32] == 0); }

static ck_tile_images images(ck_tile_arithmetic a, size_t n, size_t height, size_t width, size_t channels, size_t border) {
    ck_tile_images s = {.height = height, .width = width, .channels = channels, .border = border};
    s.data = room(ck_tile_images_bytes(a, n, s));
    return s;
}

static size_t image_bytes(ck_tile_arithmetic a, ck_tile_images s) { return ck_tile_images_bytes(a, 2, s) - ck_tile_images_bytes(a, 1, s); }

static ck_tile_images image(ck_tile_arithmetic a, ck_tile_images s, size_t index) {
    s.data = (uint8_t *)s.data + index * image_bytes(a, s);
    return s;
}

/// Random numbers; zeros in border and padding.
static void fill(ck_tile_arithmetic a, ck_tile_images s, size_t n) {
    memset(s.data, 0, n * image_bytes(a, s));
    for (size_t i = 0; i < n; i++) {
        for (size_t p = 0; p < s.height * s.width; p++) {
            for (size_t c = 0; c < s.channels; c++) put(a, s, i, p / s.width, p % s.width, c, number());
        }
    }
}

/// Filters and what was packed of them, rounded as the arithmetic does.
typedef struct {
    ck_tile_filters packed;
    float *weights, *bias;
} layer;

static layer layer_of(ck_tile_arithmetic a, size_t filters, size_t kernel, size_t channels) {
    size_t count = kernel * kernel * channels, bytes = ck_tile_filters_bytes(a, filters, kernel, channels);
    layer l = {.weights = room(filters * count * 4), .bias = room(filters * 4)};
    void *packed = room(bytes);
    memset(packed, 0, bytes);
    l.packed = (ck_tile_filters){.data = packed, .filters = filters, .kernel = kernel, .channels = channels};
    for (size_t f = 0; f < filters; f++) {
        float *row = l.weights + f * count, size = f % 5 == 1 ? 1e-6f : f % 5 == 2 ? 1e3f : 1 / sqrtf((float)count);
        for (size_t i = 0; i < count; i++) row[i] = number() * size;
        l.bias[f] = number();
        ck_pack_tile_filter(a, packed, row, l.bias[f], f, kernel, channels);
    }
    return l;
}
static void free_layer(layer l) {
    free((void *)l.packed.data);
    free(l.weights);
    free(l.bias);
}

static void compare(ck_tile_arithmetic arithmetic, const char *what, const char *where, ck_tile_images a, ck_tile_images b, size_t n) {
    expect(memcmp(a.data, b.data, n * image_bytes(arithmetic, a)) == 0, what, where);
}

static void check_convolution(ck_tile_arithmetic a, size_t height, size_t width, size_t channels, size_t filters, size_t kernel, size_t stride) {
    enum { n = 3 };
    char where[128];
    snprintf(where, sizeof where, "%s, [%zu, %zu, %zu] -> %zu, kernel %zu, stride %zu", ck_tile_arithmetic_name(a), height, width, channels, filters, kernel, stride);
    ck_pool *one = ck_pool_create(1, CK_AVX512), *three = ck_pool_create(3, CK_AVX512);
    size_t out_height = (height - 1) / stride + 1, out_width = (width - 1) / stride + 1, padding = kernel / 2;
    ck_tile_images x = images(a, n, height, width, channels, padding), r = images(a, n, out_height, out_width, filters, 0);
    ck_tile_images y = images(a, n, out_height, out_width, filters, 0), z = images(a, n, out_height, out_width, filters, 0);
    ck_tile_images wide = images(a, n, out_height, out_width, filters, 1);
    float *floats = room(n * out_height * out_width * filters * 4);
    layer l = layer_of(a, filters, kernel, channels);
    fill(a, x, n);
    fill(a, r, n);
    ck_tile_epilogue e = {.residual = r.data, .relu = true};
    ck_convolve_tiles(three, a, n, y, x, stride, l.packed, e);
    ck_convolve_tiles(one, a, n, wide, x, stride, l.packed, (ck_tile_epilogue){.relu = true});
    ck_convolve_tiles(one, a, n, z, x, stride, l.packed, (ck_tile_epilogue){.floats = floats});
    double worst = 0, unit = ck_tile_unit(a);
    for (size_t i = 0; i < n; i++) {
        for (size_t p = 0; p < out_height * out_width; p++) {
            for (size_t f = 0; f < filters; f++) {
                double sum = (double)l.bias[f], size = fabs(sum);
                for (size_t k = 0; k < kernel * kernel; k++) {
                    size_t row = p / out_width * stride + k / kernel - padding, column = p % out_width * stride + k % kernel - padding;
                    if (row >= height || column >= width) continue;
                    for (size_t c = 0; c < channels; c++) {
                        double product = (double)number_at(a, x, i, row, column, c) * (double)l.weights[(f * kernel * kernel + k) * channels + c];
                        sum += product;
                        size += fabs(product);
                    }
                }
                // The images are exact, the weights are rounded, the sums are f32; with rests, the product of two is missing.
                double bound = (2 * unit + (double)(kernel * kernel * channels + 8) * 0x1p-24) * size;
                double plain = (double)floats[(i * out_height * out_width + p) * filters + f];
                expect(fabs(plain - sum) <= bound, "bound", where);
                worst = fmax(worst, fabs(plain - sum) / bound);
                double residual = (double)number_at(a, r, i, p / out_width, p % out_width, f);
                float exact = floats[(i * out_height * out_width + p) * filters + f] + (float)residual;
                expect(number_at(a, y, i, p / out_width, p % out_width, f) == rounded(a, exact > 0 ? exact : 0), "epilogue", where);
                exact = (float)plain;
                expect(number_at(a, wide, i, p / out_width, p % out_width, f) == rounded(a, exact > 0 ? exact : 0), "border", where);
            }
            for (size_t f = filters; f < (filters + 31) / 32 * 32; f++) expect(is_zero(a, at(a, y, i, p / out_width, p % out_width, f)), "padding", where);
        }
        // The border: the row above with the column before the first pixel, and the row below with what comes before and behind it.
        size_t pixel = elements(a, filters);
        const uint16_t *above = at(a, wide, i, 0, 0, 0) - (out_width + 2) * pixel, *below = at(a, wide, i, out_height - 1, out_width - 1, 0) + pixel;
        for (size_t e = 0; e < (out_width + 2) * pixel; e++) expect(above[e] == 0 && below[e] == 0, "border of zeros", where);
    }
    printf("%-64s %.3f of the bound\n", where, worst);
    // Alone, and in place.
    for (size_t i = 0; i < n; i++) {
        memcpy(z.data, image(a, r, i).data, image_bytes(a, r));
        ck_convolve_tiles(i % 2 ? one : three, a, 1, z, image(a, x, i), stride, l.packed, (ck_tile_epilogue){.residual = z.data, .relu = true});
        compare(a, "bits alone", where, image(a, y, i), z, 1);
    }
    // What is not finite shows wherever it is seen, and nowhere else.
    for (int special = 0; special < 3; special++) {
        size_t row = height / 2, column = width / 2;
        float keep = number_at(a, x, 1, row, column, channels - 1);
        put(a, x, 1, row, column, channels - 1, special == 0 ? NAN : special == 1 ? INFINITY : -INFINITY);
        ck_convolve_tiles(three, a, n, z, x, stride, l.packed, e);
        compare(a, "images beside", where, z, y, 1);
        compare(a, "images beside", where, image(a, z, 2), image(a, y, 2), 1);
        for (size_t p = 0; p < out_height * out_width; p++) {
            size_t top = p / out_width * stride - padding, left = p % out_width * stride - padding;
            bool seen = row - top < kernel && column - left < kernel;
            for (size_t f = 0; f < filters; f++) {
                float now = number_at(a, z, 1, p / out_width, p % out_width, f);
                expect(seen ? !isfinite(now) : now == number_at(a, y, 1, p / out_width, p % out_width, f), "not finite", where);
            }
        }
        put(a, x, 1, row, column, channels - 1, keep);
    }
    free(x.data); free(y.data); free(z.data); free(r.data); free(wide.data); free(floats);
    free_layer(l);
    ck_pool_free(one); ck_pool_free(three);
}

static void check_bottleneck(ck_tile_arithmetic a, size_t height, size_t width, size_t channels, size_t inner, size_t outer, size_t stride) {
    enum { n = 2 };
    char where[128];
    snprintf(where, sizeof where, "%s, bottleneck [%zu, %zu, %zu] -> %zu -> %zu, stride %zu", ck_tile_arithmetic_name(a), height, width, channels, inner, outer, stride);
    ck_pool *one = ck_pool_create(1, CK_AVX512), *three = ck_pool_create(3, CK_AVX512);
    size_t out_height = (height - 1) / stride + 1, out_width = (width - 1) / stride + 1, numbers = out_height * out_width * outer;
    layer layers[] = {layer_of(a, inner, 1, channels), layer_of(a, inner, 3, inner), layer_of(a, outer, 1, inner), layer_of(a, outer, 1, channels)};
    bool projects = stride > 1 || channels != outer;
    ck_tile_bottleneck block = {
        .narrow = layers[0].packed, .middle = layers[1].packed, .widen = layers[2].packed, .shortcut = projects ? &layers[3].packed : NULL, .stride = stride};
    ck_tile_images x = images(a, n, height, width, channels, 0), y = images(a, n, out_height, out_width, outer, 0), z = images(a, n, out_height, out_width, outer, 0);
    ck_tile_images narrow = images(a, n, height, width, inner, 1), middle = images(a, n, out_height, out_width, inner, 0);
    float *floats = room(n * numbers * 4), *single = room(numbers * 4);
    fill(a, x, n);
    ck_convolve_tiles(one, a, n, narrow, x, 1, block.narrow, (ck_tile_epilogue){.relu = true});
    ck_convolve_tiles(one, a, n, middle, narrow, stride, block.middle, (ck_tile_epilogue){.relu = true});
    if (projects) ck_convolve_tiles(one, a, n, z, x, stride, layers[3].packed, (ck_tile_epilogue){0});
    const void *residual = projects ? z.data : x.data;
    ck_convolve_tiles(one, a, n, z, middle, 1, block.widen, (ck_tile_epilogue){.residual = residual, .relu = true, .floats = floats});
    ck_convolve_tiles(one, a, n, z, middle, 1, block.widen, (ck_tile_epilogue){.residual = residual, .relu = true});
    void *scratch = room(ck_bottleneck_scratch_bytes(three, a, n, x, block));
    ck_bottleneck_tiles(three, a, n, y, x, block, NULL, scratch);
    compare(a, "bits of its convolutions", where, y, z, n);
    for (size_t i = 0; i < n; i++) {
        void *small = room(ck_bottleneck_scratch_bytes(one, a, 1, x, block));
        ck_bottleneck_tiles(one, a, 1, y, image(a, x, i), block, NULL, small);
        compare(a, "bits alone", where, y, image(a, z, i), 1);
        ck_bottleneck_tiles(one, a, 1, y, image(a, x, i), block, single, small);
        expect(memcmp(single, floats + i * numbers, numbers * 4) == 0, "floats", where);
        free(small);
    }
    printf("%s\n", where);
    free(x.data); free(y.data); free(z.data); free(narrow.data); free(middle.data); free(floats); free(single); free(scratch);
    for (size_t i = 0; i < 4; i++) free_layer(layers[i]);
    ck_pool_free(one); ck_pool_free(three);
}

static void check_stem(ck_tile_arithmetic a, size_t height, size_t width, size_t filters) {
    enum { n = 3 };
    char where[128];
    snprintf(where, sizeof where, "%s, stem [%zu, %zu] -> %zu", ck_tile_arithmetic_name(a), height, width, filters);
    ck_pool *one = ck_pool_create(1, CK_AVX512), *three = ck_pool_create(3, CK_AVX512);
    size_t h = (height + 1) / 2, w = (width + 1) / 2, out_height = (h + 1) / 2, out_width = (w + 1) / 2;
    float *planes = room(n * height * width * 4);
    double *under = room(n * h * w * 8), *unders = room(n * h * w * 8), worst = 0;
    for (size_t i = 0; i < n * height * width; i++) planes[i] = number() * 0.5f + 0.5f;
    layer l = layer_of(a, filters, 7, 1);
    ck_tile_images y = images(a, n, out_height, out_width, filters, 0), z = images(a, n, out_height, out_width, filters, 0);
    void *scratch = room(ck_stem_scratch_bytes(three, a, height, width, filters));
    ck_stem_tiles(three, a, n, y, planes, height, width, l.packed, scratch);
    for (size_t f = 0; f < filters; f++) {
        for (size_t p = 0; p < n * h * w; p++) {
            double sum = (double)l.bias[f], size = fabs(sum);
            for (size_t k = 0; k < 49; k++) {
                size_t row = p / w % h * 2 + k / 7 - 3, column = p % w * 2 + k % 7 - 3;
                if (row >= height || column >= width) continue;
                double product = (double)planes[p / (h * w) * height * width + row * width + column] * (double)l.weights[f * 49 + k];
                sum += product;
                size += fabs(product);
            }
            under[p] = fmax(0, sum);
            unders[p] = size;
        }
        for (size_t p = 0; p < n * out_height * out_width; p++) {
            size_t i = p / (out_height * out_width), row = p / out_width % out_height, column = p % out_width;
            double most = 0, size = 0;
            for (size_t k = 0; k < 9; k++) {
                size_t r = 2 * row + k / 3 - 1, c = 2 * column + k % 3 - 1;
                if (r >= h || c >= w) continue;
                most = fmax(most, under[(i * h + r) * w + c]);
                size = fmax(size, unders[(i * h + r) * w + c]);
            }
            double error = fabs((double)number_at(a, y, i, row, column, f) - most), bound = (4 * ck_tile_unit(a) + 0x1p-18) * size;
            expect(error <= bound, "bound", where);
            worst = fmax(worst, error / bound);
        }
    }
    printf("%-64s %.3f of the bound\n", where, worst);
    for (size_t i = 0; i < n; i++) {
        void *small = room(ck_stem_scratch_bytes(one, a, height, width, filters));
        ck_stem_tiles(one, a, 1, z, planes + i * height * width, height, width, l.packed, small);
        compare(a, "bits alone", where, image(a, y, i), z, 1);
        free(small);
    }
    for (int special = 0; special < 3; special++) {
        planes[height * width + height / 2 * width + width / 2] = special == 0 ? NAN : special == 1 ? INFINITY : -INFINITY;
        ck_stem_tiles(three, a, n, z, planes, height, width, l.packed, scratch);
        for (size_t f = 0; f < filters; f++) expect(!isfinite(number_at(a, z, 1, out_height / 2, out_width / 2, f)), "not finite", where);
        compare(a, "images beside", where, z, y, 1);
    }
    free(planes); free(under); free(unders); free(y.data); free(z.data); free(scratch);
    free_layer(l);
    ck_pool_free(one); ck_pool_free(three);
}

int main(void) {
    ck_pool *pool = ck_pool_create(1, CK_AVX512);
    for (int a = CK_TILE_BF16; a <= CK_TILE_BF16X3; a++) {
        if (!ck_has_tile_arithmetic(pool, a)) continue;
        static const size_t sides[][2] = {{1, 1}, {2, 3}, {5, 4}, {14, 14}, {16, 16}, {17, 31}, {31, 15}};
        static const size_t depths[][2] = {{4, 8}, {32, 33}, {100, 64}};
        for (size_t s = 0; s < sizeof sides / sizeof *sides; s++) {
            for (size_t d = 0; d < 3; d++) {
                for (size_t kernel = 1; kernel <= 3; kernel += 2) {
                    for (size_t stride = 1; stride <= 2; stride++) check_convolution(a, sides[s][0], sides[s][1], depths[d][0], depths[d][1], kernel, stride);
                }
            }
            check_bottleneck(a, sides[s][0], sides[s][1], 8, 4, 16, 1);
            check_bottleneck(a, sides[s][0], sides[s][1], 32, 40, 32, 1);
            check_bottleneck(a, sides[s][0], sides[s][1], 16, 8, 32, 2);
            check_stem(a, sides[s][0], sides[s][1], 8);
        }
        check_convolution(a, 7, 9, 512, 64, 3, 1);
        check_bottleneck(a, 61, 61, 64, 32, 128, 2);
        check_bottleneck(a, 61, 45, 256, 64, 256, 1);
        check_bottleneck(a, 9, 8, 256, 448, 1024, 2);
        check_bottleneck(a, 9, 8, 1024, 448, 1024, 1);
        check_stem(a, 64, 50, 40);
        check_stem(a, 61, 33, 64);
    }
    for (int a = CK_TILE_BF16; a <= CK_TILE_BF16X3; a++) {
        ck_tile_images huge = {.height = SIZE_MAX / 2, .width = SIZE_MAX / 2, .channels = 3}, small = {.height = 9, .width = 9, .channels = 9};
        expect(ck_tile_images_bytes(a, 1, huge) == 0 && ck_tile_images_bytes(a, SIZE_MAX, small) == 0, "sizes", "images");
        expect(ck_tile_images_bytes(a, 1, (ck_tile_images){.width = 1, .channels = 1}) == 0, "sizes", "nothing");
        expect(ck_tile_filters_bytes(a, SIZE_MAX, 3, 64) == 0 && ck_tile_filters_bytes(a, 8, 5, 64) == 0 && ck_tile_filters_bytes(a, 8, 7, 3) == 0, "sizes", "filters");
    }
    ck_pool_free(pool);
    printf("%d failures\n", failures);
    return failures != 0;
}
