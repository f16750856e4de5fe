// Products in fp32 beside OpenBLAS, in turns: layers of LLaMA-7B for a row and for many, convolutions of ResNet-50 as the products they are.
//
//     products [threads=2] [repetitions=7] [set=2: 1 AVX2, 2 AVX-512 where the processor has it]
//
// Best milliseconds of each, ours and theirs, and how far ours is ahead. OpenBLAS reads weights row by row, as it gets them; ours are packed before,
// as they are when a bundle is loaded. For convolutions OpenBLAS gets the unrolled image, and no bias, residual and ReLU: less than a convolution is.
#include "ck_gemm.h"
#include "silicon.h"

#include <cblas.h>
#include <stdio.h>

void openblas_set_num_threads(int threads);

static float *numbers(size_t count) {
    float *x = malloc(count * sizeof *x);
    if (x == NULL) exit(2);
    for (size_t i = 0; i < count; i++) x[i] = (float)(rand() % 2001 - 1000) / 1000;
    return x;
}

typedef struct {
    const char *name;
    /// Of the image; a plain product is a 1x1 over a line of m pixels.
    ck_convolution shape;
} product;

static const product products[] = {
    {"7B, 1 row", {1, 1, 4096, 4096, 1, 1, 0}},
    {"7B, 16 rows", {1, 16, 4096, 4096, 1, 1, 0}},
    {"7B, 256 rows", {1, 256, 4096, 4096, 1, 1, 0}},
    {"7B down, 256 rows", {1, 256, 11008, 4096, 1, 1, 0}},
    {"1x1 64 to 256 at 112", {112, 112, 64, 256, 1, 1, 0}},
    {"3x3 64 at 112", {112, 112, 64, 64, 3, 1, 1}},
    {"1x1 512 to 128 at 56", {56, 56, 512, 128, 1, 1, 0}},
    {"3x3 128 at 56", {56, 56, 128, 128, 3, 1, 1}},
    {"1x1 256 to 1024 at 28", {28, 28, 256, 1024, 1, 1, 0}},
    {"3x3 256 at 28", {28, 28, 256, 256, 3, 1, 1}},
    {"1x1 2048 to 512 at 14", {14, 14, 2048, 512, 1, 1, 0}},
    {"3x3 512 at 14", {14, 14, 512, 512, 3, 1, 1}},
};

static void multiply(ck_convolution s, size_t rows, size_t depth, const float *x, const float *weights, float *y) {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)s.filters, (int)depth, 1, x, (int)depth, weights, (int)depth, 0, y, (int)s.filters);
}

int main(int count, char **arguments) {
    int threads = count > 1 ? atoi(arguments[1]) : 2, repetitions = count > 2 ? atoi(arguments[2]) : 7;
    ck_pool *pool = ck_pool_create(threads, count > 3 ? (ck_instruction_set)atoi(arguments[3]) : CK_AVX512);
    if (pool == NULL) return 2;
    openblas_set_num_threads(threads);
    for (size_t p = 0; p < sizeof products / sizeof *products; p++) {
        ck_convolution s = products[p].shape;
        size_t rows = ck_convolved(s.height, s.kernel, s.stride, s.padding) * ck_convolved(s.width, s.kernel, s.stride, s.padding);
        size_t depth = s.kernel * s.kernel * s.channels;
        float *x = numbers(rows * depth), *weights = numbers(s.filters * depth), *bias = numbers(s.filters), *residual = numbers(rows * s.filters);
        float *y = numbers(rows * s.filters), *packed = calloc(ck_packed_count(s.filters, depth), sizeof *packed);
        if (packed == NULL) return 2;
        ck_pack_rows(packed, weights, 0, s.filters, s.filters, depth);
        bool image = s.height > 1;
        ck_epilogue epilogue = {.bias = image ? bias : NULL, .residual = image ? residual : NULL, .relu = image};
        double ours = 1e9, theirs = 1e9;
        for (int r = 0; r < repetitions; r++) {
            // OpenBLAS's threads spin for a while after each product: they sleep before ours begins. A first product wakes whoever slept.
            nanosleep(&(struct timespec){.tv_nsec = 100 * 1000 * 1000}, NULL);
            ck_convolve(pool, y, x, s, packed, epilogue);
            double begin = now();
            ck_convolve(pool, y, x, s, packed, epilogue);
            double between = now();
            multiply(s, rows, depth, x, weights, y);
            double again = now();
            multiply(s, rows, depth, x, weights, y);
            double end = now();
            if (between - begin < ours) ours = between - begin;
            if (end - again < theirs) theirs = end - again;
        }
        double operations = 2e-9 * (double)(rows * s.filters * depth);
        printf("%-22s ours %8.3f ms %6.1f GFLOP/s, OpenBLAS %8.3f ms %6.1f GFLOP/s, ahead %.2f\n", products[p].name, ours * 1e3, operations / ours,
               theirs * 1e3, operations / theirs, theirs / ours);
        free(x), free(weights), free(bias), free(residual), free(y), free(packed);
    }
    ck_pool_free(pool);
}
