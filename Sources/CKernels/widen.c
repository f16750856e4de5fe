#include "ck_widen.h"

#include <stdint.h>
#include <string.h>

static uint16_t load16(const unsigned char *bytes) {
    uint16_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

/* Branch-free, so that the compiler vectorises it without F16C. The exponent is moved by multiplying with 2^112, which also
   normalises subnormals; infinities and NaN get their exponent back by OR. */
void ck_widen_f16(float *restrict target, const void *restrict source, size_t count) {
    const unsigned char *bytes = source;
    for (size_t i = 0; i < count; i++) {
        uint32_t half = load16(bytes + 2 * i);
        uint32_t magnitude = (half & 0x7FFFu) << 13;
        float scaled;
        memcpy(&scaled, &magnitude, sizeof scaled);
        scaled *= 0x1p112f;
        uint32_t wide;
        memcpy(&wide, &scaled, sizeof wide);
        uint32_t special = (half & 0x7C00u) == 0x7C00u ? 0xFFFFFFFFu : 0u;
        wide = (wide & ~special) | ((magnitude | 0x7F800000u) & special);
        wide |= (half & 0x8000u) << 16;
        memcpy(&target[i], &wide, sizeof wide);
    }
}

void ck_widen_bf16(float *restrict target, const void *restrict source, size_t count) {
    const unsigned char *bytes = source;
    for (size_t i = 0; i < count; i++) {
        uint32_t wide = (uint32_t)load16(bytes + 2 * i) << 16;
        memcpy(&target[i], &wide, sizeof wide);
    }
}
