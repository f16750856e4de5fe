#include "cjpeg.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

/* libjpeg reports errors by a call that must not return: ours keeps the text and jumps back into encode or decode. */
typedef struct {
    struct jpeg_error_mgr manager; /* first, so that info->err can be cast back */
    jmp_buf escape;
    char text[JMSG_LENGTH_MAX];
} error_handler;

static void fail(j_common_ptr info) {
    error_handler *handler = (error_handler *)info->err;
    handler->manager.format_message(info, handler->text);
    longjmp(handler->escape, 1);
}

static void be_silent(j_common_ptr info) { (void)info; }

static void install(error_handler *handler) {
    jpeg_std_error(&handler->manager);
    handler->manager.error_exit = fail;
    handler->manager.output_message = be_silent;
    handler->text[0] = '\0';
}

static cjpeg_status report(cjpeg_error *error, cjpeg_status status, const char *step, const char *text) {
    snprintf(error->text, sizeof error->text, "%s: %s", step, text);
    return status;
}

static cjpeg_status report_handled(cjpeg_error *error, const error_handler *handler, const char *step) {
    const int memory = handler->manager.msg_code == JERR_OUT_OF_MEMORY;
    return report(error, memory ? CJPEG_OUT_OF_MEMORY : CJPEG_FAILED, step, handler->text);
}

/* The encoded stream. jpeg_mem_dest leaves its caller with a freed pointer when it fails half way; this one always has one owner,
   cjpeg_round_trip, in whose frame it lies (so that longjmp does not touch it). */
typedef struct {
    struct jpeg_destination_mgr manager; /* first, so that info->dest can be cast back */
    unsigned char *bytes;
    size_t capacity;
    size_t length;
} memory_stream;

static void begin_stream(j_compress_ptr info) {
    memory_stream *stream = (memory_stream *)info->dest;
    stream->manager.next_output_byte = stream->bytes;
    stream->manager.free_in_buffer = stream->capacity;
}

/* Called when the whole buffer is full, whatever free_in_buffer says. */
static boolean grow_stream(j_compress_ptr info) {
    memory_stream *stream = (memory_stream *)info->dest;
    const size_t full = stream->capacity;
    unsigned char *larger = realloc(stream->bytes, full * 2);
    if (larger == NULL) ERREXIT1(info, JERR_OUT_OF_MEMORY, 0);
    stream->bytes = larger;
    stream->capacity = full * 2;
    stream->manager.next_output_byte = larger + full;
    stream->manager.free_in_buffer = full;
    return TRUE;
}

static void end_stream(j_compress_ptr info) {
    memory_stream *stream = (memory_stream *)info->dest;
    stream->length = stream->capacity - stream->manager.free_in_buffer;
}

static cjpeg_status encode(const uint8_t *pixels, size_t width, size_t height, int quality, memory_stream *stream, cjpeg_error *error) {
    struct jpeg_compress_struct info;
    error_handler handler;
    memset(&info, 0, sizeof info);
    install(&handler);
    info.err = &handler.manager;
    if (setjmp(handler.escape)) {
        jpeg_destroy_compress(&info);
        return report_handled(error, &handler, "encoding");
    }
    jpeg_create_compress(&info);
    info.dest = &stream->manager;
    info.image_width = (JDIMENSION)width;
    info.image_height = (JDIMENSION)height;
    info.input_components = 1;
    info.in_color_space = JCS_GRAYSCALE;
    jpeg_set_defaults(&info);
    info.dct_method = JDCT_ISLOW;
    jpeg_set_quality(&info, quality, TRUE);
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < info.image_height) {
        /* libjpeg does not write to the rows it reads; its type predates const. */
        JSAMPROW row = (JSAMPROW)(uintptr_t)(pixels + (size_t)info.next_scanline * width);
        jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    return CJPEG_OK;
}

static cjpeg_status decode(const memory_stream *stream, size_t width, size_t height, uint8_t *result, cjpeg_error *error) {
    struct jpeg_decompress_struct info;
    error_handler handler;
    memset(&info, 0, sizeof info);
    install(&handler);
    info.err = &handler.manager;
    if (setjmp(handler.escape)) {
        jpeg_destroy_decompress(&info);
        return report_handled(error, &handler, "decoding");
    }
    jpeg_create_decompress(&info);
    jpeg_mem_src(&info, stream->bytes, stream->length);
    jpeg_read_header(&info, TRUE);
    info.out_color_space = JCS_GRAYSCALE;
    info.dct_method = JDCT_ISLOW;
    jpeg_start_decompress(&info);
    if (info.output_width != width || info.output_height != height || info.output_components != 1) {
        jpeg_destroy_decompress(&info);
        return report(error, CJPEG_FAILED, "decoding", "the image came back in another size");
    }
    while (info.output_scanline < info.output_height) {
        JSAMPROW row = result + (size_t)info.output_scanline * width;
        jpeg_read_scanlines(&info, &row, 1);
    }
    jpeg_finish_decompress(&info);
    jpeg_destroy_decompress(&info);
    return CJPEG_OK;
}

cjpeg_status cjpeg_round_trip(const uint8_t *pixels, size_t width, size_t height, int quality, uint8_t *result, cjpeg_error *error) {
    if (width == 0 || height == 0 || width > JPEG_MAX_DIMENSION || height > JPEG_MAX_DIMENSION)
        return report(error, CJPEG_BAD_SIZE, "encoding", "a side is empty or longer than a JPEG can have");
    memory_stream stream = {
        .manager = {.init_destination = begin_stream, .empty_output_buffer = grow_stream, .term_destination = end_stream},
        .capacity = width * height / 2 + 65536, /* films take less at quality 95 */
    };
    stream.bytes = malloc(stream.capacity);
    if (stream.bytes == NULL) return report(error, CJPEG_OUT_OF_MEMORY, "encoding", "no memory for the stream");
    cjpeg_status status = encode(pixels, width, height, quality, &stream, error);
    if (status == CJPEG_OK) status = decode(&stream, width, height, result, error);
    free(stream.bytes);
    return status;
}
