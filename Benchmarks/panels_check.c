// Checks of the panel kernels without Swift: every arithmetic of this machine against sums in double precision, bits against bits. With
// -DCK_EMULATE_AMX_FP16 also the halves' path on a processor that has only bfloat16 tiles. Prints a line per type and arithmetic.
// Build and run: Benchmarks/README.md.
#include "ck_panels.h"
#include "ck_widen.h"
#include "checking.h"

#include <math.h>

static float number(void) { return (float)((double)(bits() >> 11) * 0x1p-52 - 1); }

static void product(ck_pool *pool, ck_panel_arithmetic a, float *y, const float *x, size_t m, ck_panel_matrix w, ck_epilogue e) {
    void *scratch = room(ck_panels_scratch_bytes(pool, m, w.columns));
    ck_linear_panels(pool, a, y, w.rows, x, m, w, e, scratch);
    free(scratch);
}

static void check(ck_block_type type, size_t n, size_t k, float weight_scale) {
    enum { m = 300 };
    char where[128];
    snprintf(where, sizeof where, "type %d, [%zu, %zu], scale %g", type, n, k, (double)weight_scale);
    ck_pool *one = ck_pool_create(1, CK_AVX512), *two = ck_pool_create(2, CK_AVX512);
    ck_pool *others[] = {ck_pool_create(2, CK_SCALAR), ck_pool_create(1, CK_AVX2)};
    size_t row_bytes = ck_block_row_bytes(type, k);
    float *source = room(n * k * 4), *exact = room(n * k * 4), *x = room(m * k * 4), *y = room(m * n * 4), *z = room(m * n * 4);
    for (size_t i = 0; i < n * k; i++) source[i] = number() * weight_scale;
    uint8_t *blocks = room(n * row_bytes), *packed = room(ck_panels_bytes(type, n, k));
    if (ck_quantize_rows(one, type, blocks, source, n, k) != n) exit(3);
    ck_block_matrix b = {.type = type, .data = blocks, .rows = n, .columns = k};
    expect(ck_pack_panels(two, packed, b) == n, "packing", where);
    ck_panel_matrix w = {.type = type, .data = packed, .rows = n, .columns = k};
    double most = 0;
    for (size_t r = 0; r < n; r++) {
        ck_dequantize_row(type, exact + r * k, blocks + r * row_bytes, k);
        ck_unpack_panel_row(source, w, r);
        for (size_t i = 0; i < k; i++) {
            expect(source[i] == exact[r * k + i], "round trip", where);
            most = fmax(most, fabs((double)exact[r * k + i]));
        }
    }
    for (size_t i = 0; i < m * k; i++) x[i] = number() * (i / k % 7 == 0 ? 1e6f : i / k % 11 == 0 ? 1e-20f : i / k % 13 == 0 ? 0 : 1);
    ck_epilogue none = {0};
    ck_linear_blocks(one, z, n, x, m, b, none);
    for (size_t i = 0; i < 2; i++) {
        product(others[i], CK_PANEL_FP32, y, x, m, w, none);
        expect(memcmp(y, z, m * n * 4) == 0, "f32 bits of another set", where);
    }
    for (int a = 0; a <= CK_PANEL_INT8; a++) {
        if (!ck_has_panel_arithmetic(one, a)) continue;
        product(two, a, y, x, m, w, none);
        for (size_t i = 0; i < 2 && a == CK_PANEL_INT8; i++) {
            product(others[i], a, z, x, m, w, none);
            expect(memcmp(y, z, m * n * 4) == 0, "int8 bits of another set", where);
        }
        if (a == CK_PANEL_FP32) expect(memcmp(y, z, m * n * 4) == 0, "f32 bits of ck_linear_blocks", where);
        double worst = 0, squares = 0, reference = 0;
        for (size_t r = 0; r < m; r++) {
            double xmost = 0;
            for (size_t i = 0; i < k; i++) xmost = fmax(xmost, fabs((double)x[r * k + i]));
            for (size_t o = 0; o < n; o++) {
                double sum = 0, size = 0;
                double blockmost = 0;
                for (size_t i = 0; i < k; i++) {
                    double p = (double)x[r * k + i] * (double)exact[o * k + i];
                    sum += p;
                    // Whole numbers round x by parts of the largest of its block.
                    for (size_t l = i; a == CK_PANEL_INT8 && i % 32 == 0 && l < i + 32; l++) {
                        blockmost = fmax(l == i ? 0 : blockmost, fabs((double)x[r * k + l]));
                    }
                    double magnitude = a == CK_PANEL_INT8 ? blockmost : fabs((double)x[r * k + i]);
                    // Of Q4_K the parts are larger than the weight: a bound of them from its largest.
                    size += magnitude * (type == CK_BLOCK_Q4_K ? 3 * most : fabs((double)exact[o * k + i]));
                }
                double error = fabs((double)y[r * n + o] - sum);
                double bound = ((a == CK_PANEL_INT8 ? 1 : 3) * ck_panel_unit(a) + (double)(k + 8) * 0x1p-24) * size + (double)k * 0x1p-26 * xmost * most;
                expect(error <= bound, "bound", where);
                worst = fmax(worst, bound > 0 ? error / bound : 0);
                if (r % 7 && r % 11 && r % 13) squares += error * error, reference += sum * sum;
            }
        }
        printf("%-38s %-16s error %.2e of the result (root mean squares), %.3f of the bound\n", where, ck_panel_arithmetic_name(one, a), sqrt(squares / reference), worst);
        static const size_t counts[] = {1, 2, 3, 15, 16, 17, 31, 32, 33, 47, 48, 49, 70, 255, 256, 257};
        for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) {
            size_t first = bits() % (m - counts[c] + 1);
            product(c % 2 ? one : two, a, z, x + first * k, counts[c], w, none);
            expect(memcmp(z, y + first * n, counts[c] * n * 4) == 0, "bits of fewer rows", where);
        }
        // Several products with one x: five, which is more than one job of the pool takes.
        float *many = room(5 * 33 * n * 4);
        ck_panel_product products[5];
        for (size_t p = 0; p < 5; p++) products[p] = (ck_panel_product){.weights = w, .y = many + p * 33 * n, .y_stride = n};
        static const size_t rows[] = {1, 16, 33};
        for (size_t c = 0; c < 3; c++) {
            void *scratch = room(ck_panels_scratch_bytes(two, rows[c], k));
            ck_linear_panels_each(two, a, products, 5, x, rows[c], scratch);
            for (size_t p = 0; p < 5; p++) expect(memcmp(products[p].y, y, rows[c] * n * 4) == 0, "bits of several products", where);
            free(scratch);
        }
        free(many);
        // Epilogue, in place.
        float *bias = room(n * 4);
        for (size_t o = 0; o < n; o++) bias[o] = number();
        for (size_t i = 0; i < m * n; i++) z[i] = number();
        float before = z[n + 0], plain = y[n + 0];
        product(two, a, z, x, m, w, (ck_epilogue){.bias = bias, .residual = z, .relu = true});
        double expected = fmax(0, (double)plain + (double)bias[0] + (double)before);
        expect(fabs((double)z[n] - expected) <= 1e-5 * (fabs((double)plain) + 2), "epilogue", where);
        free(bias);
        // What is not finite shows, in its row alone.
        for (int special = 0; special < 3; special++) {
            float keep = x[5 * k + 3];
            x[5 * k + 3] = special == 0 ? NAN : special == 1 ? INFINITY : -INFINITY;
            product(two, a, z, x, 20, w, none);
            for (size_t o = 0; o < n; o++) expect(!isfinite(z[5 * n + o]) , "not finite", where);
            expect(memcmp(z, y, 5 * n * 4) == 0 && memcmp(z + 6 * n, y + 6 * n, 14 * n * 4) == 0, "others beside not finite", where);
            product(two, a, z, x + 5 * k, 1, w, none);
            for (size_t o = 0; o < n; o++) expect(!isfinite(z[o]), "not finite alone", where);
            x[5 * k + 3] = keep;
        }
        float *huge = room(k * 4);
        for (size_t i = 0; i < k; i++) huge[i] = i == 1 ? 1e30f : 0;
        product(two, a, z, huge, 1, w, none);
        for (size_t o = 0; o < n; o++) {
            double e = 1e30 * (double)exact[o * k + 1];
            expect(fabs((double)z[o] - e) <= 3.0001 * ck_panel_unit(a) * fabs(type == CK_BLOCK_Q4_K ? 3e30 * most : e) + 1e23 * most, "huge", where);
        }
        free(huge);
    }
    free(source); free(exact); free(x); free(y); free(z); free(blocks); free(packed);
    ck_pool_free(one); ck_pool_free(two); ck_pool_free(others[0]); ck_pool_free(others[1]);
}

int main(void) {
    static const ck_block_type types[] = {CK_BLOCK_Q4_0, CK_BLOCK_Q8_0, CK_BLOCK_Q4_K, CK_BLOCK_F16, CK_BLOCK_BF16};
    for (size_t t = 0; t < 5; t++) {
        bool big = types[t] == CK_BLOCK_Q4_K;
        check(types[t], 1, big ? 256 : 32, 1);
        check(types[t], 37, big ? 512 : 608, 0.02f);
        check(types[t], 300, big ? 768 : 576, 1e-5f);
        check(types[t], 64, big ? 1280 : 1120, 100);
        check(types[t], 1200, big ? 256 : 96, 1);
        expect(ck_panels_bytes(types[t], 16, 33) == 0 && ck_panels_bytes(types[t], SIZE_MAX, 256) == 0, "sizes", "limits");
        expect(ck_panels_bytes(types[t], 16, SIZE_MAX / 256 * 256) == 0 && ck_panels_bytes(types[t], 0, 256) == 0, "sizes", "limits");
    }
    printf("%d failures\n", failures);
    return failures != 0;
}
