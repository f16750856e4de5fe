#include "Guard.hpp"
#include "include/cdcmtk_storescu.h"

#include <dcmtk/config/osconfig.h>

#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmnet/assoc.h>
#include <dcmtk/dcmnet/dcmlayer.h>
#include <dcmtk/dcmnet/dcmtrans.h>
#include <dcmtk/dcmnet/dimse.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include <arpa/inet.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using namespace cdcmtk;
using Clock = std::chrono::steady_clock;

/// Everything a storing peer has to say: acceptance, one response, release. More is an attack on DCMTK's recursive
/// parser of command sets (receiving.md, trap 2).
constexpr size_t maximumReceivedBytes = 16384;
/// For the release, once the response is here: it changes nothing any more.
constexpr auto releaseTime = std::chrono::seconds(2);

/// What the connection and the call share; outlives the connection, which DCMTK deletes when it likes.
struct Exchange {
    Clock::time_point deadline;
    size_t received = 0;
    bool isConnected = false;
    bool timedOut = false;
    bool exceeded = false;
};

/// DCMTK's TCP connection with one total deadline instead of time-outs that restart at every byte.
class DeadlineConnection final : public DcmTCPConnection {
public:
    DeadlineConnection(DcmNativeSocketType socket, Exchange &exchange) : DcmTCPConnection(socket), exchange(exchange) {}

    ssize_t read(void *buffer, size_t count) override {
        if (exchange.received + count > maximumReceivedBytes) {
            exchange.exceeded = true;
            return 0;
        }
        for (;;) {
            if (!isReady(POLLIN)) return 0;
            const ssize_t got = recv(getSocket(), buffer, count, MSG_DONTWAIT);
            if (got > 0) exchange.received += static_cast<size_t>(got);
            if (got >= 0 || !isRetry()) return std::max<ssize_t>(got, 0);
        }
    }

    ssize_t write(void *buffer, size_t count) override {
        size_t done = 0;
        while (done < count) {
            const ssize_t sent = send(getSocket(), static_cast<char *>(buffer) + done, count - done, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (sent > 0) done += static_cast<size_t>(sent);
            else if (!isRetry() || !isReady(POLLOUT)) return -1;
        }
        return static_cast<ssize_t>(count);
    }

    /// Asked before every read; the wait is in `read`, where its end is known.
    OFBool networkDataAvailable(int) override { return OFTrue; }

private:
    static bool isRetry() { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

    bool isReady(short events) {
        for (;;) {
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(exchange.deadline - Clock::now()).count();
            if (left <= 0) {
                exchange.timedOut = true;
                return false;
            }
            pollfd waiting{getSocket(), events, 0};
            const int count = poll(&waiting, 1, static_cast<int>(std::min<long long>(left, 60000)));
            if (count > 0) return true;
            if (count < 0 && errno != EINTR) return false;
        }
    }

    Exchange &exchange;
};

class DeadlineLayer final : public DcmTransportLayer {
public:
    explicit DeadlineLayer(Exchange &exchange) : exchange(exchange) {}
    DcmTransportConnection *createConnection(DcmNativeSocketType socket, OFBool) override {
        exchange.isConnected = true;
        return new DeadlineConnection(socket, exchange);
    }

private:
    Exchange &exchange;
};

/// What DCMTK allocates for one association, released in the order that it asks for.
struct Association {
    T_ASC_Network *network = nullptr;
    T_ASC_Parameters *parameters = nullptr;
    T_ASC_Association *association = nullptr;

    Association() = default;
    Association(const Association &) = delete;
    Association &operator=(const Association &) = delete;
    ~Association() {
        if (association != nullptr) ASC_destroyAssociation(&association);  // and with it its parameters
        else if (parameters != nullptr) ASC_destroyAssociationParameters(&parameters);
        if (network != nullptr) ASC_dropNetwork(&network);
    }
};

/// The first IPv4 address. DCMTK itself reads "name:port" with sscanf into 128 bytes, and knows no IPv6 there.
std::string addressOf(const char *host) {
    addrinfo hints{};
    hints.ai_family = AF_INET;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo *found = nullptr;
    const int code = getaddrinfo(host, nullptr, &hints, &found);
    if (code != 0) throw Failure(CDCMTK_UNREACHABLE, std::string("the host has no IPv4 address: ") + gai_strerror(code), code);
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, &freeaddrinfo);
    char text[INET_ADDRSTRLEN] = "";
    inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in *>(found->ai_addr)->sin_addr, text, sizeof text);
    return text;
}

void parse(const uint8_t *bytes, size_t count, DcmFileFormat &file) {
    DcmInputBufferStream stream;
    stream.setBuffer(bytes, static_cast<offile_off_t>(count));
    stream.setEos();
    file.transferInit();
    const OFCondition condition = file.read(stream);
    file.transferEnd();
    if (condition.bad()) throw Failure(CDCMTK_INVALID_INPUT, std::string("read the object: ") + condition.text());
    const E_TransferSyntax syntax = file.getDataset()->getOriginalXfer();
    if (syntax != EXS_LittleEndianExplicit && syntax != EXS_LittleEndianImplicit)
        throw Failure(CDCMTK_UNSUPPORTED, "only little-endian, uncompressed objects are sent");
}

[[noreturn]] void fail(const char *doing, const OFCondition &condition, const Exchange &exchange) {
    if (exchange.timedOut) throw Failure(CDCMTK_TIMED_OUT, std::string(doing) + ": the deadline passed");
    if (exchange.exceeded) throw Failure(CDCMTK_PEER_CLOSED, std::string(doing) + ": the peer sent more than a response");
    if (!exchange.isConnected) throw Failure(CDCMTK_UNREACHABLE, std::string(doing) + ": " + condition.text());
    throw Failure(CDCMTK_PEER_CLOSED, std::string(doing) + ": " + condition.text());
}

void copyUID(const DcmTagKey &tag, DcmDataset &dataSet, DIC_UI target) {
    OFString value;
    if (dataSet.findAndGetOFString(tag, value).bad() || value.empty() || value.length() >= sizeof(DIC_UI))
        throw Failure(CDCMTK_INVALID_INPUT, "the object has no SOP Class UID or SOP Instance UID");
    OFStandard::strlcpy(target, value.c_str(), sizeof(DIC_UI));
}

void requestAssociation(Association &held, Exchange &exchange, DeadlineLayer &layer, const char *sopClass,
                        const cdcmtk_store_destination &destination, cdcmtk_store_outcome &outcome) {
    const std::string address = addressOf(destination.host) + ":" + std::to_string(destination.port);
    const uint32_t connectMilliseconds = std::min(destination.connect_milliseconds, destination.total_milliseconds);
    const int connectSeconds = std::max(1, static_cast<int>(connectMilliseconds / 1000));
    // A variable of the process: a destination's wait may be bounded by the value of another that connects just now.
    dcmConnectionTimeout.set(connectSeconds);

    check("open the network", ASC_initializeNetwork(NET_REQUESTOR, 0, connectSeconds, &held.network));
    check("open the network", ASC_setTransportLayer(held.network, &layer, 0));
    check("prepare the association", ASC_createAssociationParameters(&held.parameters, ASC_DEFAULTMAXPDU));
    check("set the AE titles", ASC_setAPTitles(held.parameters, destination.calling_ae_title, destination.called_ae_title, nullptr));
    char self[256] = "";
    gethostname(self, sizeof self - 1);
    check("set the addresses", ASC_setPresentationAddresses(held.parameters, self, address.c_str()));
    const char *syntaxes[] = {UID_LittleEndianExplicitTransferSyntax, UID_LittleEndianImplicitTransferSyntax};
    check("propose the SOP class", ASC_addPresentationContext(held.parameters, 1, sopClass, syntaxes, 2));

    const int seconds = std::max(1, static_cast<int>(destination.total_milliseconds / 1000));
    const OFCondition condition =
        ASC_requestAssociation(held.network, held.parameters, &held.association, nullptr, nullptr, DUL_NOBLOCK, seconds);
    if (condition == DUL_ASSOCIATIONREJECTED) {
        T_ASC_RejectParameters rejection{};
        ASC_getRejectParameters(held.parameters, &rejection);
        outcome.reject_result = static_cast<uint8_t>(rejection.result);
        outcome.reject_source = static_cast<uint8_t>(rejection.source);
        outcome.reject_reason = static_cast<uint8_t>(rejection.reason & 0xFF);  // DCMTK keeps the source above
        throw Failure(CDCMTK_PEER_REFUSED, "the association was rejected");
    }
    if (condition.bad()) fail("request the association", condition, exchange);
}

}  // namespace

extern "C" cdcmtk_status cdcmtk_store_send(const cdcmtk_store_destination *destination, const uint8_t *bytes, size_t count,
                                           cdcmtk_store_outcome *outcome, cdcmtk_error *error) {
    return guarded(error, [&] {
        cdcmtk_initialize();
        *outcome = {};
        Exchange exchange{Clock::now() + std::chrono::milliseconds(destination->total_milliseconds)};

        DcmFileFormat file;
        parse(bytes, count, file);
        T_DIMSE_C_StoreRQ request{};
        copyUID(DCM_SOPClassUID, *file.getDataset(), request.AffectedSOPClassUID);
        copyUID(DCM_SOPInstanceUID, *file.getDataset(), request.AffectedSOPInstanceUID);

        DeadlineLayer layer(exchange);
        Association held;
        requestAssociation(held, exchange, layer, request.AffectedSOPClassUID, *destination, *outcome);
        const T_ASC_PresentationContextID context =
            ASC_findAcceptedPresentationContextID(held.association, request.AffectedSOPClassUID);
        if (context == 0) {
            outcome->no_presentation_context = 1;
            exchange.deadline = std::min(exchange.deadline, Clock::now() + releaseTime);
            static_cast<void>(ASC_releaseAssociation(held.association));  // the peer's answer changes nothing
            throw Failure(CDCMTK_PEER_REFUSED, request.AffectedSOPClassUID);
        }

        request.MessageID = held.association->nextMsgID++;
        request.DataSetType = DIMSE_DATASET_PRESENT;
        request.Priority = DIMSE_PRIORITY_MEDIUM;
        T_DIMSE_C_StoreRSP response{};
        DcmDataset *rawDetail = nullptr;
        const int seconds = std::max(1, static_cast<int>(destination->total_milliseconds / 1000));
        const OFCondition condition =
            DIMSE_storeUser(held.association, context, &request, nullptr, file.getDataset(), nullptr, nullptr,
                            DIMSE_NONBLOCKING, seconds, &response, &rawDetail);
        const std::unique_ptr<DcmDataset> detail(rawDetail);
        if (condition.bad()) fail("store the object", condition, exchange);
        outcome->responded = 1;
        outcome->dimse_status = response.DimseStatus;

        exchange.deadline = std::min(exchange.deadline, Clock::now() + releaseTime);
        static_cast<void>(ASC_releaseAssociation(held.association));  // the response is here; nothing hangs on it
    });
}
