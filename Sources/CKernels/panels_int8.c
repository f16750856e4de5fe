// Which instructions multiply panels with whole numbers.
#include "kernels.h"
#include "panels_int8_kernels.h"

const ck_panel_kernels *ck_int8_kernels_of(const ck_pool *pool) {
#if defined(__x86_64__)
    bool vnni = true;
#if defined(CK_WITHOUT_VNNI)
    vnni = false;
#endif
    __builtin_cpu_init();
    if (vnni && ck_pool_set(pool) == CK_AVX512 && __builtin_cpu_supports("avx512vnni")) {
        return ck_processor_has_int8_tiles() ? &ck_int8_amx_kernels : &ck_int8_avx512vnni_kernels;
    }
    if (vnni && ck_pool_set(pool) >= CK_AVX2 && __builtin_cpu_supports("avxvnni")) return &ck_int8_avxvnni_kernels;
    if (ck_pool_set(pool) >= CK_AVX2 && __builtin_cpu_supports("f16c")) return &ck_int8_avx2_kernels;
#else
    (void)pool;
#endif
    return &ck_int8_scalar_kernels;
}
