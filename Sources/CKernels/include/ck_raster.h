/// Passes over whole images: 8-bit pictures and 32-bit stored values. All integer or exact; no globals; any thread.
#ifndef CK_RASTER_H
#define CK_RASTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__clang__)
#pragma clang assume_nonnull begin
#endif

/// Smallest and largest of `count` values; count >= 1.
void ck_min_max_i32(const int32_t *values, size_t count, int32_t *smallest, int32_t *largest);

/// The same of bytes.
void ck_min_max_u8(const uint8_t *values, size_t count, uint8_t *smallest, uint8_t *largest);

/// target[i] = table[clamp(source[i] - first, 0, entries - 1)]; entries >= 1. No overlap.
void ck_look_up_u8(uint8_t *target, const int32_t *source, size_t count, int32_t first, const uint8_t *table, size_t entries);

/// The same with a table of 16-bit entries, for a modality LUT.
void ck_look_up_u16(int32_t *target, const int32_t *source, size_t count, int32_t first, const uint16_t *table, size_t entries);

/// target[i] = table[source[i]]; `target` may be `source`.
void ck_map_u8(uint8_t *target, const uint8_t *source, size_t count, const uint8_t table[_Nonnull 256]);

/// histogram[v] = how often v stands in `values`.
void ck_histogram_u8(const uint8_t *values, size_t count, uint64_t histogram[_Nonnull 256]);

/// Interleaved RGB to luma, ITU-R 601 in 16-bit fixed point as Pillow's convert("L"): (19595 R + 38470 G + 7471 B + 32768) >> 16.
void ck_luma_i32(int32_t *target, const int32_t *rgb, size_t pixels);

/// Bilinear resize with antialiasing on 8-bit integers, bit for bit as Pillow's Image.resize(BILINEAR) in mode "L": a triangle filter
/// widened by the reduction factor, horizontal pass first, coefficients in fixed point with 22 bits, each pass rounded to 8 bit; a
/// pass that changes nothing is left out. Row-major; all sides >= 1 and <= 1 << 24; `target` and `source` do not overlap.
/// Pillow 13 runs the vertical pass first for pictures more than about twice as high as wide; the models were trained before that.
/// Returns false where memory for the coefficients or the picture between the passes is lacking; `target` is then unspecified.
bool ck_resize_u8(uint8_t *target, size_t target_rows, size_t target_columns,
                  const uint8_t *source, size_t source_rows, size_t source_columns);

#if defined(__clang__)
#pragma clang assume_nonnull end
#endif

#endif
