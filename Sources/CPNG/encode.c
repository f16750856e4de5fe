#include "cpng.h"

#include <stdio.h>
#include <string.h>

#include <png.h>

_Static_assert(PNG_LIBPNG_VER >= 10626, "PNG_IMAGE_PNG_SIZE_MAX came with libpng 1.6.26");

/* libpng's simplified interface: its functions catch their own longjmp and leave a message in the png_image. */
static png_image describe(size_t width, size_t height) {
    png_image image;
    memset(&image, 0, sizeof image);
    image.version = PNG_IMAGE_VERSION;
    image.width = (png_uint_32)width;
    image.height = (png_uint_32)height;
    image.format = PNG_FORMAT_RGB;
    return image;
}

static int fits(size_t width, size_t height) {
    return width > 0 && height > 0 && width <= CPNG_LARGEST_SIDE && height <= CPNG_LARGEST_SIDE;
}

size_t cpng_largest_length(size_t width, size_t height) {
    if (!fits(width, height)) return 0;
    const png_image image = describe(width, height);
    return PNG_IMAGE_PNG_SIZE_MAX(image);
}

cpng_status cpng_encode_rgb(const uint8_t *pixels, size_t width, size_t height, uint8_t *target, size_t capacity, size_t *length,
                            cpng_error *error) {
    if (!fits(width, height)) {
        snprintf(error->text, sizeof error->text, "a side is empty or longer than %d", CPNG_LARGEST_SIDE);
        return CPNG_BAD_SIZE;
    }
    png_image image = describe(width, height);
    png_alloc_size_t bytes = capacity;
    /* A row stride of 0 means that rows follow each other; the last argument is the colour map, which RGB has none of. */
    if (!png_image_write_to_memory(&image, target, &bytes, 0, pixels, 0, NULL)) {
        snprintf(error->text, sizeof error->text, "%s", image.message[0] != '\0' ? image.message : "the buffer is too small");
        png_image_free(&image);
        return CPNG_FAILED;
    }
    *length = bytes;
    return CPNG_OK;
}
