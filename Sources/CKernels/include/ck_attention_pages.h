#ifndef CK_ATTENTION_PAGES_H
#define CK_ATTENTION_PAGES_H

#include "ck_pool.h"

#pragma clang assume_nonnull begin

// Causal attention of many sequences at once against keys and values in pages of 64 positions.
//
// What a row of the result is (attention_set.h): numbers of the cache widen exactly to f32; a score is one chain of fused multiply-adds over the
// head in ascending order, then times 1 / sqrt(head_size); the softmax goes through the pages in ascending order with a running maximum, and
// an output is one chain over the positions. All of it follows from the row's query and the positions it sees: not from rows and sequences
// computed beside it, chunks of a prompt, the number of threads, or the instruction set.

enum { CK_PAGE_POSITIONS = 64 };

/// What a page holds of a key or value.
typedef enum {
    CK_KV_F32 = 0,
    /// Rounded to nearest even. Beyond 65504 it is an infinity, which shows in every row that sees it.
    CK_KV_F16 = 1,
    /// Signed bytes -127 ... 127 with one f32 scale per position, head, and key or value: the largest magnitude / 127.
    CK_KV_Q8 = 2,
} ck_kv_type;

typedef struct {
    ck_kv_type type;
    /// head_size: even, 2 ... 256.
    size_t layers, key_value_heads, head_size;
} ck_kv_shape;

/// Bytes of a page: keys and values of 64 positions for every layer. A multiple of 64; 0 where the shape is none or the size does not
/// fit 63 bits. The order inside is private to this process's build: a page is not a file format.
size_t ck_kv_page_bytes(ck_kv_shape shape);

/// New keys and values of one sequence: positions first ..< first + rows.
typedef struct {
    /// Page i holds positions 64 i ..< 64 (i + 1); each ck_kv_page_bytes, aligned to 64. Only those of the positions are touched.
    void *_Nonnull const *_Nonnull pages;
    size_t first, rows;
    /// [rows, key_value_heads, head_size] after rotation; rows lie `stride` floats apart.
    const float *keys, *values;
} ck_kv_rows;

/// Writes them to their pages, in one layer. Other positions of a page keep what they hold; no need to clear a page that is used again.
/// What is not finite shows later in the rows that see it. No two of `sequences` may write the same page. No heap.
void ck_kv_store(ck_pool *pool, ck_kv_shape shape, size_t layer, const ck_kv_rows *sequences, size_t count, size_t stride);

/// Query rows of one sequence; row r stands at position first + r and sees positions 0 ... first + r, which must have been stored.
typedef struct {
    /// [rows, heads, head_size] both; `out` overlaps nothing else.
    float *out;
    /// After rotation.
    const float *queries;
    size_t rows, first;
    /// As in ck_kv_rows. Sequences may share pages (a common beginning). What positions beyond the last row's hold never shows.
    const void *_Nonnull const *_Nonnull pages;
} ck_attention_sequence;

/// Bytes that ck_attend_sequences needs beside its operands, whatever the sequences; 0 as in ck_kv_page_bytes.
size_t ck_attend_scratch_bytes(const ck_pool *pool, ck_kv_shape shape);

/// out = softmax(q . k / sqrt(head_size)) . v in one layer. heads % key_value_heads == 0; query head h reads key head h / (heads / key_value_heads).
/// A query, key or value that is not finite gives what is not finite in every row that sees it, never a finite number that hides it.
/// `scratch`: ck_attend_scratch_bytes, aligned to 64, used by this call alone. No heap.
void ck_attend_sequences(ck_pool *pool, ck_kv_shape shape, size_t layer, size_t heads, const ck_attention_sequence *sequences,
                         size_t count, void *scratch);

#pragma clang assume_nonnull end

#endif
