#include "Guard.hpp"

#include "include/cdcmtk_charset.h"

#include <algorithm>
#include <cstdlib>

#include <iconv.h>
#include <zlib.h>

namespace {

using cdcmtk::Failure;

/// malloc'ed bytes that free themselves unless they are given away.
class Buffer {
  public:
    Buffer() = default;
    Buffer(const Buffer &) = delete;
    Buffer &operator=(const Buffer &) = delete;
    ~Buffer() { std::free(held.bytes); }

    void resize(size_t count) {
        // At least one byte: malloc(0) may return NULL.
        void *larger = std::realloc(held.bytes, std::max<size_t>(count, 1));
        if (larger == nullptr) throw std::bad_alloc();
        held = {static_cast<uint8_t *>(larger), count};
    }

    uint8_t *bytes() { return held.bytes; }
    size_t count() const { return held.count; }

    cdcmtk_bytes give() {
        const cdcmtk_bytes given = held;
        held = {nullptr, 0};
        return given;
    }

  private:
    cdcmtk_bytes held = {nullptr, 0};
};

}  // namespace

extern "C" cdcmtk_status cdcmtk_text_to_utf8(const char *encoding, const uint8_t *text, size_t count,
                                             cdcmtk_bytes *out, cdcmtk_error *error) {
    return cdcmtk::guarded(error, [&] {
        struct Conversion {
            iconv_t handle;
            explicit Conversion(const char *encoding) : handle(iconv_open("UTF-8", encoding)) {
                if (handle == reinterpret_cast<iconv_t>(-1)) {
                    throw Failure(CDCMTK_UNSUPPORTED, std::string("iconv has no encoding ") + encoding);
                }
            }
            ~Conversion() { iconv_close(handle); }
        } conversion(encoding);
        // No character of one byte needs more than three in UTF-8, none of more bytes more than four.
        Buffer buffer;
        buffer.resize(count * 4);
        char *input = const_cast<char *>(reinterpret_cast<const char *>(text));
        char *output = reinterpret_cast<char *>(buffer.bytes());
        size_t inputLeft = count;
        size_t outputLeft = buffer.count();
        // A result above zero counts characters that were converted in a way that cannot be undone.
        if (iconv(conversion.handle, &input, &inputLeft, &output, &outputLeft) != 0 || inputLeft != 0) {
            throw Failure(CDCMTK_INVALID_INPUT, "a text has bytes that its character set does not know");
        }
        buffer.resize(buffer.count() - outputLeft);
        *out = buffer.give();
    });
}

extern "C" cdcmtk_status cdcmtk_inflate(const uint8_t *deflated, size_t count, size_t limit, cdcmtk_bytes *out,
                                        cdcmtk_error *error) {
    return cdcmtk::guarded(error, [&] {
        struct Stream : z_stream {
            Stream() : z_stream{} {
                // Negative: raw deflate data without a zlib header.
                if (inflateInit2(this, -MAX_WBITS) != Z_OK) throw std::bad_alloc();
            }
            ~Stream() { inflateEnd(this); }
        } stream;
        constexpr size_t step = 1 << 20;
        Buffer buffer;
        size_t consumed = 0;
        size_t produced = 0;
        int result = Z_OK;
        while (result != Z_STREAM_END) {
            if (stream.avail_in == 0) {
                stream.next_in = const_cast<Bytef *>(deflated + consumed);
                stream.avail_in = static_cast<uInt>(std::min(count - consumed, step));
                consumed += stream.avail_in;
            }
            if (produced == buffer.count()) {
                if (produced >= limit) throw Failure(CDCMTK_LIMIT_EXCEEDED, "the inflated data set is too large");
                buffer.resize(std::min(limit, std::max(produced * 2, step)));
            }
            const size_t room = std::min(buffer.count() - produced, step);
            stream.next_out = buffer.bytes() + produced;
            stream.avail_out = static_cast<uInt>(room);
            const uInt before = stream.avail_in;
            result = inflate(&stream, Z_NO_FLUSH);
            const size_t made = room - stream.avail_out;
            produced += made;
            const bool stuck = made == 0 && before == stream.avail_in && consumed == count;
            if ((result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) || stuck) {
                throw Failure(CDCMTK_INVALID_INPUT, "the deflated data set is cut or damaged");
            }
        }
        buffer.resize(produced);
        *out = buffer.give();
    });
}

extern "C" void cdcmtk_bytes_free(cdcmtk_bytes bytes) { std::free(bytes.bytes); }
