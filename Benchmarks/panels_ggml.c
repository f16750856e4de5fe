// The products of LLaMA-7B's layers with packed panels and with ggml, in turns in one process, beside the read bandwidth of the same turns.
//
//     panels_ggml TYPE ROWS LAYERS [repetitions=15] [arithmetic=3] [set=1]
//
// TYPE: 2 Q4_0, 8 Q8_0, 12 Q4_K. Two threads each. Weights lie where llama.cpp would put them: repacked where ggml has a repacked form. Both
// round x in every product, as a model does. Arithmetic and set as in panels.c. Build: README.md.
#include "ck_panels.h"
#include "ggml-alloc.h"
#include "ggml-backend.h"
#include "ggml-cpu.h"
#include "silicon.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { PRODUCTS = 7, MOST_LAYERS = 32, REPETITIONS = 64 };

/// Rows and columns of a layer's weights: queries, keys, values, output, gate, up, down.
static const size_t shapes[PRODUCTS][2] = {{4096, 4096}, {4096, 4096}, {4096, 4096}, {4096, 4096}, {11008, 4096}, {11008, 4096}, {4096, 11008}};

/// Where llama.cpp puts weights of this type: a repacking buffer, if there is one that takes them.
static ggml_backend_buffer_type_t buffer_of(ggml_backend_t backend, ck_block_type type) {
    ggml_backend_dev_t device = ggml_backend_get_device(backend);
    ggml_backend_dev_get_extra_bufts_t extra = (ggml_backend_dev_get_extra_bufts_t)ggml_backend_reg_get_proc_address(
        ggml_backend_dev_backend_reg(device), "ggml_backend_dev_get_extra_bufts");
    ggml_backend_buffer_type_t *types = extra == NULL ? NULL : extra(device);
    // On x86 Q8_0 has no repacked form.
    return types != NULL && types[0] != NULL && type != CK_BLOCK_Q8_0 ? types[0] : ggml_backend_cpu_buffer_type();
}

int main(int count, char **arguments) {
    if (count < 4) return puts("panels_ggml TYPE ROWS LAYERS [repetitions] [arithmetic] [set]"), 2;
    ck_block_type type = atoi(arguments[1]);
    size_t m = (size_t)atoi(arguments[2]), layers = (size_t)atoi(arguments[3]), repetitions = count > 4 ? (size_t)atoi(arguments[4]) : 15;
    ck_panel_arithmetic arithmetic = count > 5 ? atoi(arguments[5]) : CK_PANEL_INT8;
    ck_pool *pool = ck_pool_create(2, count > 6 ? atoi(arguments[6]) : CK_AVX2);
    ggml_backend_t backend = ggml_backend_cpu_init();
    if (pool == NULL || backend == NULL || m < 1 || layers < 1 || layers > MOST_LAYERS || repetitions < 1 || repetitions > REPETITIONS) return 2;
    ggml_backend_cpu_set_n_threads(backend, 2);

    ck_panel_matrix panels[MOST_LAYERS * PRODUCTS];
    struct ggml_tensor *tensors[MOST_LAYERS * PRODUCTS];
    size_t matrices = layers * PRODUCTS, bytes = 0;
    struct ggml_context *weights = ggml_init((struct ggml_init_params){.mem_size = 1 << 20, .no_alloc = true});
    for (size_t i = 0; i < matrices; i++) {
        const size_t *shape = shapes[i % PRODUCTS];
        panels[i] = (ck_panel_matrix){.type = type, .data = (void *)bytes, .rows = shape[0], .columns = shape[1]};
        bytes += ck_panels_bytes(type, shape[0], shape[1]);
        tensors[i] = ggml_new_tensor_2d(weights, (enum ggml_type)type, (int64_t)shape[1], (int64_t)shape[0]);
    }
    uint8_t *packed = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    float *row = malloc(16 * 11008 * sizeof *row);
    if (packed == NULL || row == NULL || ggml_backend_alloc_ctx_tensors_from_buft(weights, buffer_of(backend, type)) == NULL) return 2;
    for (size_t i = 0; i < 16 * 11008; i++) row[i] = (float)(i * 2246822519u % 1999) * 2e-5f - 0.02f;
    for (size_t i = 0; i < matrices; i++) {
        // Sixteen rows of random numbers, again and again.
        size_t n = panels[i].rows, k = panels[i].columns, row_bytes = ck_block_row_bytes(type, k);
        uint8_t *blocks = malloc(n * row_bytes), *target = packed + (size_t)panels[i].data;
        if (blocks == NULL) return 2;
        ck_quantize_rows(pool, type, blocks, row, 16, k);
        for (size_t r = 16; r < n; r++) memcpy(blocks + r * row_bytes, blocks + r % 16 * row_bytes, row_bytes);
        ggml_backend_tensor_set(tensors[i], blocks, 0, n * row_bytes);
        if (ck_pack_panels(pool, target, (ck_block_matrix){.type = type, .data = blocks, .rows = n, .columns = k}) != n) return 3;
        panels[i].data = target;
        free(blocks);
    }

    float *x = aligned_alloc(64, m * 11008 * sizeof *x), *y = aligned_alloc(64, m * 11008 * sizeof *y), *z = malloc(m * 4096 * sizeof *z);
    void *scratch = aligned_alloc(64, (ck_panels_scratch_bytes(pool, m, 11008) + 63) / 64 * 64);
    if (x == NULL || y == NULL || z == NULL || scratch == NULL) return 2;
    for (size_t i = 0; i < m * 11008; i++) x[i] = (float)(i * 2654435761u % 2001) * 1e-3f - 1;
    struct ggml_context *context = ggml_init((struct ggml_init_params){.mem_size = 4 << 20, .no_alloc = true});
    struct ggml_cgraph *graph = ggml_new_graph(context);
    struct ggml_tensor *inputs[2], *first = NULL;
    for (size_t i = 0; i < 2; i++) {
        inputs[i] = ggml_new_tensor_2d(context, GGML_TYPE_F32, i == 0 ? 4096 : 11008, (int64_t)m);
        // Outputs keep their memory from one computation to the next.
        ggml_set_input(inputs[i]);
        ggml_set_output(inputs[i]);
    }
    for (size_t i = 0; i < matrices; i++) {
        struct ggml_tensor *product = ggml_mul_mat(context, tensors[i], inputs[panels[i].columns != 4096]);
        if (i == 0) ggml_set_output(first = product);
        ggml_build_forward_expand(graph, product);
    }
    if (!ggml_gallocr_alloc_graph(ggml_gallocr_new(ggml_backend_get_default_buffer_type(backend)), graph)) return 2;
    for (size_t i = 0; i < 2; i++) ggml_backend_tensor_set(inputs[i], x, 0, ggml_nbytes(inputs[i]));

    double ours[REPETITIONS], theirs[REPETITIONS], ratios[REPETITIONS], reads[REPETITIONS];
    for (size_t r = 0; r <= repetitions; r++) {
        double begin = now();
        for (size_t i = matrices; i-- > 0;) ck_linear_panels(pool, arithmetic, y, panels[i].rows, x, m, panels[i], (ck_epilogue){0}, scratch);
        double middle = now();
        ggml_backend_graph_compute(backend, graph);
        double end = now();
        double rate = read_rate(pool, packed, bytes);
        if (r == 0) continue; // the first touches memory
        ours[r - 1] = middle - begin;
        theirs[r - 1] = end - middle;
        ratios[r - 1] = theirs[r - 1] / ours[r - 1];
        reads[r - 1] = (double)bytes / rate * 1e-9;
    }
    ggml_backend_tensor_get(first, z, 0, m * 4096 * sizeof *z);
    double error = 0, size = 0;
    for (size_t i = 0; i < m * 4096; i++) {
        error += ((double)y[i] - (double)z[i]) * ((double)y[i] - (double)z[i]);
        size += (double)z[i] * (double)z[i];
    }
    qsort(ours, repetitions, sizeof *ours, ascending);
    qsort(theirs, repetitions, sizeof *theirs, ascending);
    qsort(ratios, repetitions, sizeof *ratios, ascending);
    qsort(reads, repetitions, sizeof *reads, ascending);
    size_t middle = repetitions / 2;
    printf("type %d, %zu rows, %s: ms a layer, best %.2f, ggml %.2f: %.2fx; turn by turn %.2fx (%.2f ... %.2f); %.1f GB/s, %.0f %% of the bandwidth (medians %.0f %%); apart %.1e\n",
           type, m, ck_panel_arithmetic_name(pool, arithmetic), ours[0] / (double)layers * 1e3, theirs[0] / (double)layers * 1e3, theirs[0] / ours[0],
           ratios[middle], ratios[0], ratios[repetitions - 1], (double)bytes / ours[0] * 1e-9, reads[0] / ours[0] * 100, reads[middle] / ours[middle] * 100,
           sqrt(error / size));
    ck_pool_free(pool);
}
