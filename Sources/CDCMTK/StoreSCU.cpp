#include "Guard.hpp"
#include "include/cdcmtk_storescu.h"
extern "C" cdcmtk_status cdcmtk_store_send(const cdcmtk_store_destination *, const uint8_t *, size_t, cdcmtk_store_outcome *, cdcmtk_error *error) {
    return cdcmtk::failed(error, CDCMTK_UNSUPPORTED, "not written yet");
}
