#include "cjpeg.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

/* libjpeg reports errors by a call that must not return: ours keeps the text and jumps back to the one function below. */
typedef struct {
    struct jpeg_error_mgr manager; /* first, so that cinfo->err can be cast back */
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

/* `*stream` is libjpeg's malloc, freed by the caller whatever is returned. It is written through a pointer because a local
   changed between setjmp and longjmp is indeterminate. */
static cjpeg_status encode(const uint8_t *pixels, size_t width, size_t height, int quality, unsigned char **stream,
                           unsigned long *length, cjpeg_error *error) {
    struct jpeg_compress_struct info;
    error_handler handler;
    memset(&info, 0, sizeof info);
    install(&handler);
    info.err = &handler.manager;
    if (setjmp(handler.escape)) {
        jpeg_destroy_compress(&info);
        return report(error, CJPEG_FAILED, "encoding", handler.text);
    }
    jpeg_create_compress(&info);
    jpeg_mem_dest(&info, stream, length);
    info.image_width = (JDIMENSION)width;
    info.image_height = (JDIMENSION)height;
    info.input_components = 1;
    info.in_color_space = JCS_GRAYSCALE;
    jpeg_set_defaults(&info);
    info.dct_method = JDCT_ISLOW;
    jpeg_set_quality(&info, quality, TRUE);
    jpeg_start_compress(&info, TRUE);
    while (info.next_scanline < info.image_height) {
        JSAMPROW row = (JSAMPROW)(uintptr_t)(pixels + (size_t)info.next_scanline * width);
        jpeg_write_scanlines(&info, &row, 1);
    }
    jpeg_finish_compress(&info);
    jpeg_destroy_compress(&info);
    return CJPEG_OK;
}

static cjpeg_status decode(const unsigned char *stream, unsigned long length, size_t width, size_t height, uint8_t *result,
                           cjpeg_error *error) {
    struct jpeg_decompress_struct info;
    error_handler handler;
    memset(&info, 0, sizeof info);
    install(&handler);
    info.err = &handler.manager;
    if (setjmp(handler.escape)) {
        jpeg_destroy_decompress(&info);
        return report(error, CJPEG_FAILED, "decoding", handler.text);
    }
    jpeg_create_decompress(&info);
    jpeg_mem_src(&info, stream, length);
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

cjpeg_status cjpeg_round_trip(const uint8_t *pixels, size_t width, size_t height, int quality, uint8_t *result,
                              cjpeg_error *error) {
    if (width == 0 || height == 0 || width > JPEG_MAX_DIMENSION || height > JPEG_MAX_DIMENSION)
        return report(error, CJPEG_BAD_SIZE, "encoding", "a side is empty or longer than a JPEG can have");
    unsigned char *stream = NULL;
    unsigned long length = 0;
    cjpeg_status status = encode(pixels, width, height, quality, &stream, &length, error);
    if (status == CJPEG_OK) {
        if (stream == NULL)
            status = report(error, CJPEG_OUT_OF_MEMORY, "encoding", "no memory for the stream");
        else
            status = decode(stream, length, width, height, result, error);
    }
    free(stream);
    return status;
}
