#include "Guard.hpp"

#include "include/cdcmtk_association.h"

#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmnet/assoc.h>
#include <dcmtk/dcmnet/cond.h>
#include <dcmtk/dcmnet/dcmlayer.h>
#include <dcmtk/dcmnet/dcmtrans.h>
#include <dcmtk/dcmnet/dul.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

namespace {

using cdcmtk::check;
using cdcmtk::Failure;

/// How the last wait of a connection ended.
enum class Ended { byData, byPeer, byDeadline, byInterrupt };

/// What the connection and its association share. Outlives the connection, which DCMTK deletes when it likes.
struct Wire {
    /// The request, read before DCMTK came into play; it is handed out first.
    std::vector<uint8_t> request;
    size_t requestUsed = 0;
    cdcmtk_wait wait = {0, -1};
    Ended ended = Ended::byData;
};

int64_t now() {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

/// DCMTK's TCP connection with total deadlines instead of time-outs that restart at every byte, with whole writes, and
/// without SIGPIPE.
class BoundedConnection final : public DcmTransportConnection {
  public:
    BoundedConnection(DcmNativeSocketType socket, Wire &wire) : DcmTransportConnection(socket), wire(wire) {}
    ~BoundedConnection() override { closeTransportConnection(); }

    OFCondition serverSideHandshake() override { return EC_Normal; }
    OFCondition clientSideHandshake() override { return EC_Normal; }
    OFCondition renegotiate(const char *) override { return EC_Normal; }

    ssize_t read(void *buffer, size_t count) override {
        if (wire.requestUsed < wire.request.size()) {
            count = std::min(count, wire.request.size() - wire.requestUsed);
            std::memcpy(buffer, wire.request.data() + wire.requestUsed, count);
            wire.requestUsed += count;
            return static_cast<ssize_t>(count);
        }
        for (;;) {
            if (!ready(POLLIN, true)) return 0;
            const ssize_t got = ::recv(getSocket(), buffer, count, MSG_DONTWAIT);
            if (got > 0) return got;
            if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) continue;
            wire.ended = Ended::byPeer;
            return 0;
        }
    }

    ssize_t write(void *buffer, size_t count) override {
        const char *bytes = static_cast<const char *>(buffer);
        size_t done = 0;
        while (done < count) {
            const ssize_t sent = ::send(getSocket(), bytes + done, count - done, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (sent > 0) {
                done += static_cast<size_t>(sent);
            } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
                // An answer that is under way is finished: no interrupt here, only the deadline.
                if (!ready(POLLOUT, false)) return 0;
            } else if (errno != EINTR) {
                wire.ended = Ended::byPeer;
                return 0;
            }
        }
        return static_cast<ssize_t>(count);
    }

    void close() override { closeTransportConnection(); }

    void closeTransportConnection() override {
        if (getSocket() >= 0) ::close(getSocket());
        setSocket(-1);
    }

    unsigned long getPeerCertificateLength() override { return 0; }
    unsigned long getPeerCertificate(void *, unsigned long) override { return 0; }
    /// Asked before every read; the wait is in `read`, where its end is known.
    OFBool networkDataAvailable(int) override { return OFTrue; }
    OFBool isTransparentConnection() override { return OFTrue; }
    OFString &dumpConnectionParameters(OFString &text) override { return text; }

  private:
    /// Waits until the socket is ready; false when the deadline or the interrupt came first.
    bool ready(short events, bool interruptible) {
        for (;;) {
            const int64_t left = wire.wait.deadline - now();
            if (left <= 0) {
                wire.ended = Ended::byDeadline;
                return false;
            }
            const int milliseconds = static_cast<int>(std::min<int64_t>(left / 1'000'000 + 1, 60'000));
            pollfd descriptors[2] = {{getSocket(), events, 0}, {wire.wait.interrupt, POLLIN, 0}};
            const bool watches = interruptible && wire.wait.interrupt >= 0;
            const int count = ::poll(descriptors, watches ? 2 : 1, milliseconds);
            if (count < 0 && errno != EINTR) {
                wire.ended = Ended::byPeer;
                return false;
            }
            if (count <= 0) continue;
            if (watches && descriptors[1].revents != 0) {
                wire.ended = Ended::byInterrupt;
                return false;
            }
            if (descriptors[0].revents != 0) return true;
        }
    }

    Wire &wire;
};

/// Makes the connections of one association's network.
class BoundedLayer final : public DcmTransportLayer {
  public:
    explicit BoundedLayer(Wire &wire) : wire(wire) {}
    DcmTransportConnection *createConnection(DcmNativeSocketType socket, OFBool) override {
        auto *connection = new BoundedConnection(socket, wire);
        ownsSocket = true;
        return connection;
    }

    /// Whether a connection took the socket over; before that DCMTK leaves it open when something fails.
    bool ownsSocket = false;

  private:
    Wire &wire;
};

/// DCMTK takes a connected socket only through a variable of the process. Held while that variable is set; nothing
/// below blocks meanwhile, because the request is in memory.
std::mutex externalSocketMutex;

class ExternalSocket {
  public:
    explicit ExternalSocket(int descriptor) : lock(externalSocketMutex) { dcmExternalSocketHandle.set(descriptor); }
    ~ExternalSocket() { dcmExternalSocketHandle.set(-1); }

  private:
    std::lock_guard<std::mutex> lock;
};

}  // namespace

struct cdcmtk_association {
    Wire wire;
    BoundedLayer layer{wire};
    T_ASC_Network *network = nullptr;
    T_ASC_Association *association = nullptr;

    ~cdcmtk_association() {
        if (association != nullptr) ASC_destroyAssociation(&association);
        if (network != nullptr) ASC_dropNetwork(&network);
    }

    /// A condition of DCMTK after input or output: what ended the wait is better known here than there.
    [[noreturn]] void fail(const char *doing, const OFCondition &condition) const {
        // DCMTK calls a closed connection an abort by the peer.
        if (wire.ended == Ended::byDeadline) {
            throw Failure(CDCMTK_TIMED_OUT, std::string(doing) + ": the deadline passed");
        }
        if (wire.ended == Ended::byInterrupt) {
            throw Failure(CDCMTK_INTERRUPTED, std::string(doing) + ": interrupted");
        }
        if (wire.ended == Ended::byPeer) {
            throw Failure(CDCMTK_PEER_CLOSED, std::string(doing) + ": the peer closed the connection");
        }
        throw cdcmtk::failure(doing, condition);
    }
};

extern "C" cdcmtk_status cdcmtk_association_receive(int32_t socket_descriptor, const uint8_t *request,
                                                    size_t request_count, uint32_t maximum_pdu, cdcmtk_wait wait,
                                                    cdcmtk_association **out, cdcmtk_error *error) {
    return cdcmtk::guarded(error, [&] {
        cdcmtk_initialize();
        // Outside this range DCMTK returns before it has set what it is asked to fill.
        if (maximum_pdu < ASC_MINIMUMPDUSIZE || maximum_pdu > ASC_MAXIMUMPDUSIZE) {
            throw Failure(CDCMTK_LIMIT_EXCEEDED, "the maximum PDU length is outside 4096...131072");
        }
        auto made = std::make_unique<cdcmtk_association>();
        made->wire.request.assign(request, request + request_count);
        made->wire.wait = wait;
        // DCMTK closes its descriptor on most paths, not on all: it gets a copy, and the caller keeps one to close.
        const int copy = ::fcntl(socket_descriptor, F_DUPFD_CLOEXEC, 3);
        if (copy < 0) throw cdcmtk::systemFailure("fcntl(F_DUPFD_CLOEXEC)");
        OFCondition condition;
        {
            // With a socket given, DCMTK opens no listening socket of its own.
            const ExternalSocket external(copy);
            condition = ASC_initializeNetwork(NET_ACCEPTOR, 0, 30, &made->network);
            if (condition.good()) condition = ASC_setTransportLayer(made->network, &made->layer, 0);
            if (condition.good()) {
                condition = ASC_receiveAssociation(made->network, &made->association, static_cast<long>(maximum_pdu),
                                                   nullptr, nullptr, OFFalse, DUL_NOBLOCK, 1);
            }
        }
        if (!made->layer.ownsSocket) ::close(copy);
        if (condition.bad()) made->fail("reading the association request", condition);
        *out = made.release();
    });
}

extern "C" cdcmtk_status cdcmtk_association_accept_context(cdcmtk_association *association, uint8_t id,
                                                           const char *transfer_syntax, cdcmtk_error *error) {
    return cdcmtk::guarded(error, [&] {
        check("accepting a presentation context",
              ASC_acceptPresentationContext(association->association->params, id, transfer_syntax));
    });
}

extern "C" cdcmtk_status cdcmtk_association_refuse_context(cdcmtk_association *association, uint8_t id, uint8_t result,
                                                           cdcmtk_error *error) {
    return cdcmtk::guarded(error, [&] {
        check("refusing a presentation context",
              ASC_refusePresentationContext(association->association->params, id,
                                            static_cast<T_ASC_P_ResultReason>(result)));
    });
}

extern "C" cdcmtk_status cdcmtk_association_acknowledge(cdcmtk_association *association, cdcmtk_error *error) {
    return cdcmtk::guarded(error, [&] {
        const OFCondition condition = ASC_acknowledgeAssociation(association->association, nullptr, nullptr);
        if (condition.bad()) association->fail("acknowledging the association", condition);
    });
}

extern "C" cdcmtk_status cdcmtk_association_next_pdv(cdcmtk_association *association, cdcmtk_wait wait, cdcmtk_pdv *out,
                                                     cdcmtk_error *error) {
    return cdcmtk::guarded(error, [&] {
        DUL_ASSOCIATIONKEY **key = &association->association->DULassociation;
        DUL_PDV pdv{};
        OFCondition condition = DUL_NextPDV(key, &pdv);
        if (condition.bad()) {
            association->wire.wait = wait;
            association->wire.ended = Ended::byData;
            condition = DUL_ReadPDVs(key, nullptr, DUL_BLOCK, 0);
            if (condition != DUL_PDATAPDUARRIVED) association->fail("waiting for a message", condition);
            condition = DUL_NextPDV(key, &pdv);
            if (condition.bad()) association->fail("taking a PDV apart", condition);
        }
        *out = cdcmtk_pdv{pdv.presentationContextID,
                          static_cast<uint8_t>(pdv.pdvType == DUL_COMMANDPDV),
                          static_cast<uint8_t>(pdv.lastPDV),
                          static_cast<const uint8_t *>(pdv.data),
                          static_cast<size_t>(pdv.fragmentLength)};
    });
}

extern "C" cdcmtk_status cdcmtk_association_send_command(cdcmtk_association *association, uint8_t id,
                                                         const uint8_t *bytes, size_t count, cdcmtk_wait wait,
                                                         cdcmtk_error *error) {
    return cdcmtk::guarded(error, [&] {
        association->wire.wait = wait;
        association->wire.ended = Ended::byData;
        std::vector<uint8_t> copy(bytes, bytes + count);  // DCMTK takes a pointer to non-const
        DUL_PDV pdv{};
        pdv.fragmentLength = count;
        pdv.presentationContextID = id;
        pdv.pdvType = DUL_COMMANDPDV;
        pdv.lastPDV = OFTrue;
        pdv.data = copy.data();
        DUL_PDVLIST list{};
        list.count = 1;
        list.pdv = &pdv;
        const OFCondition condition = DUL_WritePDVs(&association->association->DULassociation, &list);
        if (condition.bad()) association->fail("sending a response", condition);
    });
}

extern "C" void cdcmtk_association_free(cdcmtk_association *association) { delete association; }
