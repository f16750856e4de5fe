#include "Guard.hpp"

#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmdata/dcdatutl.h>
#include <dcmtk/dcmdata/dcdict.h>
#include <dcmtk/dcmdata/dcuid.h>
#include <dcmtk/dcmnet/assoc.h>
#include <dcmtk/dcmnet/cond.h>
#include <dcmtk/dcmnet/dul.h>
#include <dcmtk/ofstd/ofcond.h>
#include <dcmtk/oflog/oflog.h>

#include <mutex>

namespace cdcmtk {

namespace {

cdcmtk_status statusOf(const OFCondition &condition) {
    if (condition == DUL_PEERREQUESTEDRELEASE) return CDCMTK_PEER_RELEASED;
    if (condition == DUL_PEERABORTEDASSOCIATION) return CDCMTK_PEER_ABORTED;
    if (condition == DUL_NETWORKCLOSED) return CDCMTK_PEER_CLOSED;
    if (condition == DUL_ASSOCIATIONREJECTED) return CDCMTK_PEER_REFUSED;
    if (condition == DUL_REQUESTASSOCIATIONFAILED) return CDCMTK_UNREACHABLE;
    if (condition == DUL_READTIMEOUT) return CDCMTK_TIMED_OUT;
    if (condition == EC_MemoryExhausted) return CDCMTK_OUT_OF_MEMORY;
    return CDCMTK_LIBRARY_ERROR;
}

}  // namespace

Failure failure(const char *doing, const OFCondition &condition) {
    const int32_t detail = static_cast<int32_t>(condition.module()) << 16 | condition.code();
    return Failure(statusOf(condition), std::string(doing) + ": " + condition.text(), detail);
}

void check(const char *doing, const OFCondition &condition) {
    if (condition.bad()) throw failure(doing, condition);
}

}  // namespace cdcmtk

extern "C" void cdcmtk_initialize(void) {
    static std::once_flag once;
    std::call_once(once, [] {
        // DCMTK logs attribute values; the daemon's log must hold no patient data.
        OFLog::configure(OFLogger::OFF_LOG_LEVEL);
        // Reverse look-ups would let a peer's name server delay us; the peer is known by its address.
        dcmDisableGethostbyaddr.set(OFTrue);
        // Loads the dictionary while there is one thread.
        static_cast<void>(dcmDataDict.isDictionaryLoaded());
        // The first network fills DCMTK's table of states, and ignores SIGPIPE, without a lock: do it here.
        T_ASC_Network *network = nullptr;
        if (ASC_initializeNetwork(NET_REQUESTOR, 0, 30, &network).good()) ASC_dropNetwork(&network);
    });
}
