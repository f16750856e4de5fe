// Checks of attention over pages without Swift: against its definition in plain C (bits), against double precision (errors), and against itself:
// whole, in chunks, token by token, beside others, on every instruction set and number of threads. Build and run: Benchmarks/README.md.
#include "ck_attention_pages.h"
#include "ck_blocks.h"
#include "ck_widen.h"
#include "checking.h"

#include <math.h>

#pragma STDC FP_CONTRACT OFF

/// About normal, as keys and values are.
static float number(void) {
    double sum = 0;
    for (int i = 0; i < 4; i++) sum += (double)(bits() >> 11) * 0x1p-53 - 0.5;
    return (float)(sum * 1.7);
}

// MARK: The definition

static float exponential(float x) {
    x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
    const float round = 12582912.0f;
    float n = fmaf(x, 1.44269504088896341f, round) - round;
    float r = fmaf(n, 2.12194440e-4f, fmaf(n, -0.693359375f, x));
    float p = 1.9875691500e-4f;
    p = fmaf(p, r, 1.3981999507e-3f);
    p = fmaf(p, r, 8.3334519073e-3f);
    p = fmaf(p, r, 4.1665795894e-2f);
    p = fmaf(p, r, 1.6666665459e-1f);
    p = fmaf(p, r, 5.0000001201e-1f);
    p = fmaf(p, r * r, r + 1.0f);
    return p * (float)ldexp(1, n == n ? (int)n : 0);
}

/// Keys or values of one position and head as a page has them: numbers and their scale.
static float rounded(ck_kv_type type, float *target, const float *source, size_t count) {
    float largest = 0;
    uint16_t half;
    for (size_t i = 0; i < count; i++) largest = fmaxf(largest, fabsf(source[i]));
    float scale = type == CK_KV_Q8 ? largest / 127 : 1;
    for (size_t i = 0; i < count; i++) {
        target[i] = type == CK_KV_Q8 ? (scale > 0 ? nearbyintf(source[i] * (1 / scale)) : 0) : source[i];
        if (type != CK_KV_F16) continue;
        ck_narrow_f16(&half, &source[i], 1);
        ck_widen_f16(&target[i], &half, 1);
    }
    return scale;
}

typedef struct {
    ck_kv_shape shape;
    size_t heads, positions;
    /// [positions, key_value_heads, head_size], and what pages make of them with [positions, key_value_heads] scales.
    float *keys, *values, *page_keys, *page_values, *key_scales, *value_scales;
    /// [positions, heads, head_size]
    float *queries, *out;
} example;

static void define(const example *e, float *out, const float *query, size_t head, size_t position) {
    size_t d = e->shape.head_size, kv = e->shape.key_value_heads, group = head / (e->heads / kv);
    float largest = -INFINITY, lanes[16] = {0}, sums[256] = {0};
    for (size_t begin = 0; begin <= position; begin += 64) {
        float scores[64], most = largest;
        size_t count = position + 1 - begin < 64 ? position + 1 - begin : 64;
        for (size_t p = 0; p < count; p++) {
            size_t at = (begin + p) * kv + group;
            float chain = 0, scale = 1.0f / sqrtf((float)d);
            for (size_t i = 0; i < d; i++) chain = fmaf(query[i], e->page_keys[at * d + i], chain);
            if (e->shape.type == CK_KV_Q8) scale *= e->key_scales[at];
            scores[p] = chain * scale;
            most = scores[p] > most ? scores[p] : most;
        }
        float shrink = exponential(largest - most);
        for (size_t i = 0; i < 16; i++) lanes[i] *= shrink;
        for (size_t i = 0; i < d; i++) sums[i] *= shrink;
        largest = most;
        for (size_t p = 0; p < count; p++) {
            size_t at = (begin + p) * kv + group;
            float weight = exponential(scores[p] - most);
            lanes[p % 16] += weight;
            if (e->shape.type == CK_KV_Q8) weight *= e->value_scales[at];
            for (size_t i = 0; i < d; i++) sums[i] = fmaf(weight, e->page_values[at * d + i], sums[i]);
        }
    }
    for (size_t width = 8; width > 0; width /= 2) {
        for (size_t i = 0; i < width; i++) lanes[i] += lanes[i + width];
    }
    float inverse = 1.0f / lanes[0];
    for (size_t i = 0; i < d; i++) out[i] = sums[i] * inverse;
}

/// The same of unrounded keys and values, without pages, in double precision.
static void exact(const example *e, double *out, const float *query, size_t head, size_t position) {
    size_t d = e->shape.head_size, kv = e->shape.key_value_heads, group = head / (e->heads / kv);
    double *scores = room((position + 1) * sizeof(double)), largest = -INFINITY, sum = 0;
    for (size_t p = 0; p <= position; p++) {
        scores[p] = 0;
        for (size_t i = 0; i < d; i++) scores[p] += (double)query[i] * (double)e->keys[(p * kv + group) * d + i];
        scores[p] /= sqrt((double)d);
        largest = fmax(largest, scores[p]);
    }
    for (size_t p = 0; p <= position; p++) sum += scores[p] = exp(scores[p] - largest);
    for (size_t i = 0; i < d; i++) {
        out[i] = 0;
        for (size_t p = 0; p <= position; p++) out[i] += scores[p] / sum * (double)e->values[(p * kv + group) * d + i];
    }
    free(scores);
}

// MARK: Runs

typedef struct {
    void **pages;
    size_t count;
} book;

static book book_of(ck_kv_shape shape, size_t positions) {
    book b = {.count = (positions + 63) / 64};
    b.pages = room((b.count + 1) * sizeof(void *));
    for (size_t i = 0; i < b.count; i++) b.pages[i] = room(ck_kv_page_bytes(shape));
    return b;
}
static void close_book(book b) {
    for (size_t i = 0; i < b.count; i++) free(b.pages[i]);
    free(b.pages);
}

static ck_kv_rows stored(const example *e, book b, size_t first, size_t rows) {
    size_t row = e->shape.key_value_heads * e->shape.head_size;
    return (ck_kv_rows){(void *const *)b.pages, first, rows, e->keys + first * row, e->values + first * row};
}
static ck_attention_sequence asked(const example *e, book b, float *out, size_t first, size_t rows) {
    size_t row = e->heads * e->shape.head_size;
    return (ck_attention_sequence){out + first * row, e->queries + first * row, rows, first, (const void *const *)b.pages};
}

static void attend(ck_pool *pool, const example *e, const ck_attention_sequence *s, size_t count) {
    void *scratch = room(ck_attend_scratch_bytes(pool, e->shape));
    ck_attend_sequences(pool, e->shape, e->shape.layers - 1, e->heads, s, count, scratch);
    free(scratch);
}

/// Positions first ..< first + rows, stored and attended.
static void step(ck_pool *pool, const example *e, book b, float *out, size_t first, size_t rows) {
    ck_kv_rows r = stored(e, b, first, rows);
    ck_attention_sequence s = asked(e, b, out, first, rows);
    ck_kv_store(pool, e->shape, e->shape.layers - 1, &r, 1, e->shape.key_value_heads * e->shape.head_size);
    attend(pool, e, &s, 1);
}

static example example_of(ck_kv_shape shape, size_t heads, size_t positions) {
    size_t numbers = positions * shape.key_value_heads * shape.head_size, asked = positions * heads * shape.head_size;
    example e = {.shape = shape, .heads = heads, .positions = positions};
    e.keys = room(numbers * 4), e.values = room(numbers * 4), e.page_keys = room(numbers * 4), e.page_values = room(numbers * 4);
    e.key_scales = room(numbers * 4), e.value_scales = room(numbers * 4), e.queries = room(asked * 4), e.out = room(asked * 4);
    for (size_t i = 0; i < numbers; i++) e.keys[i] = number() * 2, e.values[i] = number();
    for (size_t i = 0; i < asked; i++) e.queries[i] = number() * 2;
    // A position whose keys and values are nothing, and one too small for a scale.
    for (size_t i = 0; i < shape.key_value_heads * shape.head_size && positions > 3; i++) {
        e.keys[i] = e.values[i] = 0;
        e.values[2 * shape.key_value_heads * shape.head_size + i] *= 1e-40f;
    }
    for (size_t at = 0; at < positions * shape.key_value_heads; at++) {
        size_t d = shape.head_size;
        e.key_scales[at] = rounded(shape.type, e.page_keys + at * d, e.keys + at * d, d);
        e.value_scales[at] = rounded(shape.type, e.page_values + at * d, e.values + at * d, d);
        if (shape.type == CK_KV_Q8 && e.value_scales[at] < 0x1p-126f) {
            e.value_scales[at] = 0;
            memset(e.page_values + at * d, 0, d * 4);
        }
    }
    return e;
}
static void forget(example e) {
    free(e.keys), free(e.values), free(e.page_keys), free(e.page_values), free(e.key_scales), free(e.value_scales), free(e.queries), free(e.out);
}

static const char *names[] = {"f32", "f16", "q8"};

static void check(ck_kv_shape shape, size_t heads, size_t positions) {
    char where[128];
    snprintf(where, sizeof where, "%-3s head size %3zu, heads %zu / %zu, %zu positions", names[shape.type], shape.head_size, heads, shape.key_value_heads, positions);
    example e = example_of(shape, heads, positions);
    size_t d = shape.head_size, row = heads * d, bytes = positions * row * 4;
    ck_pool *pools[] = {ck_pool_create(2, CK_AVX512), ck_pool_create(1, CK_AVX512), ck_pool_create(3, CK_AVX2), ck_pool_create(2, CK_SCALAR)};

    float *defined = room(bytes), *out = room(bytes);
    double squares = 0, reference = 0, worst = 0;
    for (size_t p = 0; p < positions; p++) {
        for (size_t h = 0; h < heads; h++) {
            double sums[256];
            define(&e, defined + p * row + h * d, e.queries + p * row + h * d, h, p);
            exact(&e, sums, e.queries + p * row + h * d, h, p);
            for (size_t i = 0; i < d; i++) {
                double error = fabs((double)defined[p * row + h * d + i] - sums[i]);
                worst = fmax(worst, error);
                squares += error * error;
                reference += sums[i] * sums[i];
            }
        }
    }
    double relative = sqrt(squares / reference);
    printf("%s: error %.1e of the result (root mean squares), %.1e at most\n", where, relative, worst);
    expect(relative < (shape.type == CK_KV_F32 ? 2e-6 : shape.type == CK_KV_F16 ? 1e-3 : 2e-2), "error", where);

    // Whole, on every set.
    for (size_t i = 0; i < 4; i++) {
        book b = book_of(shape, positions);
        memset(out, 0xFF, bytes);
        step(pools[i], &e, b, out, 0, positions);
        expect(memcmp(out, defined, bytes) == 0, "bits of the definition", where);
        if (i == 0) {
            // Rows again, from pages that hold more than they see.
            for (int again = 0; again < 20; again++) {
                size_t first = bits() % positions, rows = 1 + bits() % (positions - first);
                memset(out, 0xFF, bytes);
                ck_attention_sequence s = asked(&e, b, out, first, rows);
                attend(pools[i], &e, &s, 1);
                expect(memcmp(out + first * row, defined + first * row, rows * row * 4) == 0, "bits of a few rows", where);
            }
        }
        close_book(b);
    }
    // In chunks, and token by token.
    for (size_t i = 0; i < 4; i++) {
        book b = book_of(shape, positions);
        memset(out, 0xFF, bytes);
        for (size_t first = 0; first < positions;) {
            size_t rows = i % 2 ? 1 : 1 + bits() % 100;
            if (rows > positions - first) rows = positions - first;
            step(pools[i], &e, b, out, first, rows);
            first += rows;
        }
        expect(memcmp(out, defined, bytes) == 0, i % 2 ? "bits token by token" : "bits in chunks", where);
        close_book(b);
    }
    // Many sequences, each somewhere else, with the first page shared; stored in one call.
    for (size_t i = 0; i < 4; i++) {
        enum { many = 7 };
        book books[many];
        ck_attention_sequence s[many];
        ck_kv_rows r[many];
        float *outs[many];
        for (size_t j = 0; j < many; j++) {
            books[j] = book_of(shape, positions);
            outs[j] = room(bytes);
            memset(outs[j], 0xFF, bytes);
            size_t first = bits() % positions, rows = j == 3 ? 0 : 1 + bits() % (positions - first);
            if (j % 2) rows = rows < 1 ? rows : 1;
            r[j] = stored(&e, books[j], 0, positions);
            s[j] = asked(&e, books[j], outs[j], first, rows);
        }
        ck_kv_store(pools[i], shape, shape.layers - 1, r, many, shape.key_value_heads * d);
        void *own = books[1].pages[0];
        books[1].pages[0] = books[0].pages[0];
        attend(pools[i], &e, s, many);
        books[1].pages[0] = own;
        for (size_t j = 0; j < many; j++) {
            expect(memcmp(outs[j] + s[j].first * row, defined + s[j].first * row, s[j].rows * row * 4) == 0, "bits beside others", where);
            for (size_t n = 0; n < positions * row; n++) {
                if (n < s[j].first * row || n >= (s[j].first + s[j].rows) * row) expect(isnan(outs[j][n]), "others' rows", where);
            }
            close_book(books[j]);
            free(outs[j]);
        }
    }
    // What is not finite shows, in the rows that see it.
    for (int special = 0; special < 9; special++) {
        float value = special % 3 == 0 ? NAN : special % 3 == 1 ? INFINITY : -INFINITY;
        size_t at = bits() % positions, head = bits() % shape.key_value_heads, i = bits() % d;
        float *place = special < 3 ? &e.queries[at * row + head * (heads / shape.key_value_heads) * d + i]
                                   : (special < 6 ? e.keys : e.values) + (at * shape.key_value_heads + head) * d + i;
        float keep = *place;
        *place = value;
        for (size_t p = 0; p < 4; p++) {
            book b = book_of(shape, positions);
            step(pools[p], &e, b, out, 0, positions);
            for (size_t n = 0; n < positions * row; n++) {
                size_t h = n / d % heads, of = h / (heads / shape.key_value_heads), r = n / row;
                bool touched = special < 3 ? r == at && h == head * (heads / shape.key_value_heads) : r >= at && of == head;
                // Of a value only its own column, but for the scale that all of a head share.
                if (special >= 6 && shape.type != CK_KV_Q8) touched = touched && n % d == i;
                expect(touched ? !isfinite(out[n]) : memcmp(&out[n], &defined[n], 4) == 0, touched ? "hidden" : "beside what is not finite", where);
            }
            if (positions > 1) {
                memset(out, 0, bytes);
                ck_attention_sequence s = asked(&e, b, out, positions - 1, 1);
                attend(pools[p], &e, &s, 1);
                size_t n = (positions - 1) * row + head * (heads / shape.key_value_heads) * d + i;
                if (special >= 3) expect(!isfinite(out[n]), "hidden from one row", where);
            }
            close_book(b);
        }
        *place = keep;
    }
    free(defined);
    free(out);
    for (size_t i = 0; i < 4; i++) ck_pool_free(pools[i]);
    forget(e);
}

int main(void) {
    static const size_t sizes[] = {2, 16, 20, 64, 96, 128, 256};
    for (ck_kv_type type = CK_KV_F32; type <= CK_KV_Q8; type++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            check((ck_kv_shape){type, 2, 2, sizes[i]}, 2, 1 + bits() % 90);
            check((ck_kv_shape){type, 3, 2, sizes[i]}, 6, 130 + bits() % 100);
            check((ck_kv_shape){type, 1, 1, sizes[i]}, 5, 64);
        }
        // Nine heads: streamed by four, and one that is left.
        check((ck_kv_shape){type, 2, 9, 80}, 9, 75);
        check((ck_kv_shape){type, 1, 1, 128}, 1, 1);
        check((ck_kv_shape){type, 1, 2, 128}, 2, 512);
        expect(ck_kv_page_bytes((ck_kv_shape){type, 1, 1, 3}) == 0 && ck_kv_page_bytes((ck_kv_shape){type, 1, 1, 258}) == 0, "sizes", "limits");
        expect(ck_kv_page_bytes((ck_kv_shape){type, SIZE_MAX, 2, 2}) == 0 && ck_kv_page_bytes((ck_kv_shape){type, SIZE_MAX / 1024, 1, 128}) == 0, "sizes", "limits");
        expect(ck_kv_page_bytes((ck_kv_shape){type, 32, 32, 128}) % 64 == 0, "sizes", "limits");
        printf("%s: %zu bytes a position in LLaMA-7B's shape\n", names[type], ck_kv_page_bytes((ck_kv_shape){type, 32, 32, 128}) / 64);
    }
    printf("%d failures\n", failures);
    return failures != 0;
}
