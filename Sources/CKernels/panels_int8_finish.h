// Part of panels_int8.h and panels_int8_amx.c: from sums to outputs.

typedef float CK_INT8(outputs) __attribute__((vector_size(CK_PANEL_OUTPUTS * sizeof(float))));
typedef int32_t CK_INT8(levels) __attribute__((vector_size(CK_PANEL_OUTPUTS * sizeof(int32_t))));

/// Sums of one panel, rows first ..< first + rows, to y.
CK_INLINE void CK_INT8(finish)(const ck_panel_job *job, const float *sums, size_t panel, size_t first, size_t rows) {
    size_t output = panel * CK_PANEL_OUTPUTS, left = job->weights.rows - output, bytes = (left < CK_PANEL_OUTPUTS ? left : CK_PANEL_OUTPUTS) * sizeof(float);
    const ck_epilogue *e = &job->epilogue;
    CK_INT8(outputs) undo, bias = {0}, residual = {0};
    memcpy(&undo, (const uint8_t *)job->weights.data + panel * job->panel_bytes, sizeof undo);
    if (e->bias != NULL) memcpy(&bias, e->bias + output, bytes);
    for (size_t row = first; row < first + rows; row++, sums += CK_PANEL_OUTPUTS) {
        // 2^undo in two factors, because either alone may be out of a float's range.
        CK_INT8(levels) exponent = __builtin_convertvector(undo + job->exponents[row], CK_INT8(levels)), half = exponent >> 1;
        CK_INT8(outputs) sum;
        memcpy(&sum, sums, sizeof sum);
        sum = sum * (CK_INT8(outputs))((half + 127) << 23) * (CK_INT8(outputs))((exponent - half + 127) << 23) + bias;
        size_t at = row * job->y_stride + output;
        if (e->residual != NULL) {
            memcpy(&residual, e->residual + at, bytes);
            sum += residual;
        }
        // Only what is below zero: NaN stays.
        if (e->relu) sum = (CK_INT8(outputs))((CK_INT8(levels))sum & ~(sum < 0));
        memcpy(job->y + at, &sum, bytes);
    }
}
