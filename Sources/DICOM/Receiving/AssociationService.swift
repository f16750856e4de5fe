import Glibc

/// One association from the first byte to the last, on a thread of its own: request → negotiation → messages → end.
///
/// Every wait has a total deadline. What one message is answered is in `StoreOperation`.
struct AssociationService {
    let configuration: StoreSCPConfiguration
    let spool: Spool
    let handler: any ReceivedObjectHandler
    let peerAddress: String
    /// Readable when the SCP is being stopped; waited for between messages, not inside one.
    let interrupt: Int32
    let slots: Slots

    /// Places for negotiated associations.
    struct Slots {
        var take: () -> Bool
        var give: () -> Void
    }

    /// A peer that is no peer of ours gets this long to say who it claims to be.
    private static let strangerDeadline = Duration.seconds(5)

    func run(on socket: borrowing PeerSocket) {
        let isKnownAddress = configuration.peers.isEmpty || configuration.peers.contains { $0.admits(peerAddress) }
        let deadline = isKnownAddress ? configuration.associationDeadline : min(Self.strangerDeadline, configuration.associationDeadline)
        let wait = Association.Wait(deadline: .now + deadline, interrupt: interrupt)
        var pdu: [UInt8] = []
        let request: AssociateRequest
        do throws(AssociateRequest.Refusal) {
            pdu = try readRequest(socket, wait)
            request = try AssociateRequest(pdu)
            try checkTitles(request)
        } catch {
            return refuse(error, pdu, on: socket)
        }
        guard slots.take() else {
            return refuse(.rejected(.localLimitExceeded, "as many associations as allowed are open"), pdu, on: socket)
        }
        let end = converse(request, pdu, on: socket, wait)
        // Before the goodbye, which may take a moment: the peer's next association finds the place free.
        slots.give()
        ended(end, request, on: socket)
    }

    /// Negotiation and messages. DCMTK is done with the socket when this returns.
    private func converse(
        _ request: AssociateRequest, _ pdu: [UInt8], on socket: borrowing PeerSocket, _ wait: Association.Wait
    ) -> Association.End {
        do throws(Association.End) {
            let association = try Association(
                socket: socket.descriptor, request: pdu, maximumPDUBytes: configuration.maximumPDUBytes, wait: wait)
            let contexts = try negotiate(request, association)
            event(.info, "association opened", request, ["dicom.contexts": String(contexts.count)])
            return try serve(association, request, contexts)
        } catch {
            return error
        }
    }

    // MARK: - Negotiation

    private func readRequest(_ socket: borrowing PeerSocket, _ wait: Association.Wait) throws(AssociateRequest.Refusal) -> [UInt8] {
        do throws(PeerSocket.Failure) {
            let header = try socket.read(6, wait)
            let length: Int
            do throws(AssociateRequest.Refusal) {
                length = try AssociateRequest.length(header: header)
            } catch {
                return header  // refused by AssociateRequest for the same reason
            }
            return header + (try socket.read(length - 6, wait))
        } catch {
            switch error {
            case .closed: throw .malformed("the connection was closed before the request was complete")
            case .deadline: throw .malformed("the request was not complete in time")
            case .interrupted: throw .rejected(.localLimitExceeded, "the service is being stopped")
            }
        }
    }

    private func checkTitles(_ request: AssociateRequest) throws(AssociateRequest.Refusal) {
        guard request.calledAETitle == configuration.aeTitle else {
            throw .rejected(.calledAETitleNotRecognized, "the called AE title is not ours")
        }
        if configuration.peers.isEmpty { return }
        let namesakes = configuration.peers.filter { $0.aeTitle == request.callingAETitle }
        guard !namesakes.isEmpty else {
            throw .rejected(.callingAETitleNotRecognized, "the calling AE title is not configured")
        }
        guard namesakes.contains(where: { $0.admits(peerAddress) }) else {
            throw .rejected(.callingAETitleNotRecognized, "the calling AE title is configured for another address")
        }
    }

    private func refuse(_ refusal: AssociateRequest.Refusal, _ pdu: [UInt8], on socket: borrowing PeerSocket) {
        let titles = AssociateRequest.titles(of: pdu)
        var rejected = RejectedAssociation(
            result: nil, reason: "", callingAETitle: titles.calling, calledAETitle: titles.called, peerAddress: peerAddress)
        switch refusal {
        case .rejected(let rejection, let reason):
            rejected.result = rejection
            rejected.reason = reason
            socket.reject(rejection)
        case .malformed(let reason):
            rejected.reason = reason
            socket.abort(source: 2, reason: 0)
        }
        configuration.onEvent(
            StoreSCPEvent(
                level: .warning, message: "association refused",
                metadata: [
                    "dicom.calling_ae": titles.calling, "dicom.called_ae": titles.called, "dicom.peer": peerAddress,
                    "dicom.reject": rejected.result?.description ?? "abort", "reason": rejected.reason,
                ]))
        handler.associationRejected(rejected)
    }

    /// Answers every context; a refused one has a place in the acknowledgement, too.
    private func negotiate(
        _ request: AssociateRequest, _ association: borrowing Association
    ) throws(Association.End) -> [UInt8: AcceptedContext] {
        var accepted: [UInt8: AcceptedContext] = [:]
        for context in request.contexts {
            let answer = AcceptedServices.answer(to: context)
            try association.answer(context.id, answer)
            if case .accepted(let transferSyntax) = answer {
                accepted[context.id] = AcceptedContext(
                    abstractSyntax: context.abstractSyntax, transferSyntax: transferSyntax)
            }
        }
        try association.acknowledge()
        return accepted
    }

    struct AcceptedContext {
        var abstractSyntax: String
        var transferSyntax: String
    }

    // MARK: - Messages

    /// Answers messages until the association ends, which is always thrown.
    private func serve(
        _ association: borrowing Association, _ request: AssociateRequest, _ contexts: [UInt8: AcceptedContext]
    ) throws(Association.End) -> Association.End {
        while true {
            let (command, contextID) = try nextCommand(association)
            guard let context = contexts[contextID] else {
                throw .failed("a message came on a presentation context that was not accepted")
            }
            if command.commandField == DIMSECommand.Field.cCancelRQ { continue }
            guard command.commandField & DIMSECommand.Field.responseBit == 0, command.messageID != nil else {
                throw .failed("a response, or a request without message ID, came in")
            }
            let answer: StoreOperation.Answer
            switch command.commandField {
            case DIMSECommand.Field.cStoreRQ where command.hasDataSet:
                let operation = StoreOperation(service: self, request: request, command: command, contextID: contextID, context: context)
                answer = try operation.run(association)
            case DIMSECommand.Field.cEchoRQ where context.abstractSyntax == AcceptedServices.verification:
                try drain(command, contextID, association)
                answer = StoreOperation.Answer(status: .success)
            case DIMSECommand.Field.cStoreRQ, DIMSECommand.Field.cEchoRQ:
                try drain(command, contextID, association)
                answer = StoreOperation.Answer(status: .sopClassNotSupported, comment: "not on this presentation context")
            default:
                try drain(command, contextID, association)
                answer = StoreOperation.Answer(status: .unrecognizedOperation)
            }
            try association.send(
                command: command.response(status: answer.status.rawValue, comment: answer.comment), on: contextID,
                Association.Wait(deadline: .now + configuration.idleDeadline, interrupt: nil))
        }
    }

    /// The next complete command set: all of it within the idle deadline, and at most 16 KiB.
    private func nextCommand(_ association: borrowing Association) throws(Association.End) -> (DIMSECommand, UInt8) {
        var wait = Association.Wait(deadline: .now + configuration.idleDeadline, interrupt: interrupt)
        var bytes: [UInt8] = []
        var contextID: UInt8?
        while true {
            let (part, isCommand, isLast, id) = try association.withNextPDV(wait) { pdv in
                (Array(pdv.bytes.prefix(DIMSECommand.maximumBytes + 1)), pdv.isCommand, pdv.isLast, pdv.presentationContextID)
            }
            guard isCommand, contextID == nil || contextID == id else {
                throw .failed("a data set, or another presentation context, came inside a command set")
            }
            contextID = id
            bytes += part
            guard bytes.count <= DIMSECommand.maximumBytes else { throw .failed("a command set is longer than 16 KiB") }
            wait.interrupt = nil
            guard isLast else { continue }
            do throws(DIMSECommand.Malformed) {
                return (try DIMSECommand(bytes), id)
            } catch {
                throw .failed(error.reason)
            }
        }
    }

    /// Reads a message's data set, if it has one.
    ///
    /// - Parameter take: told each part, in order.
    func drain(
        _ command: DIMSECommand, _ contextID: UInt8, _ association: borrowing Association,
        _ take: (UnsafeRawBufferPointer) -> Void = { _ in }
    ) throws(Association.End) {
        guard command.hasDataSet else { return }
        let wait = Association.Wait(deadline: .now + configuration.objectDeadline, interrupt: nil)
        while true {
            let (fits, isLast) = try association.withNextPDV(wait) { pdv in
                let fits = !pdv.isCommand && pdv.presentationContextID == contextID
                if fits { take(pdv.bytes) }
                return (fits, pdv.isLast)
            }
            guard fits else { throw .failed("a command set, or another presentation context, came inside a data set") }
            if isLast { return }
        }
    }

    // MARK: - The end

    private func ended(_ end: Association.End, _ request: AssociateRequest, on socket: borrowing PeerSocket) {
        switch end {
        case .released:
            // A-RELEASE-RP: DCMTK is done, and the last PDU is ours to send.
            socket.finish(sending: [0x06, 0, 0, 0, 0, 4, 0, 0, 0, 0])
            event(.info, "association released", request)
        case .abortedByPeer:
            event(.warning, "association aborted by the peer", request)
        case .closedByPeer:
            event(.warning, "connection closed by the peer without release", request)
        case .deadline:
            socket.abort(source: 0, reason: 0)
            event(.warning, "association aborted: the peer was too slow", request)
        case .interrupted:
            socket.abort(source: 0, reason: 0)
            event(.info, "association aborted: the service is being stopped", request)
        case .failed(let reason):
            socket.abort(source: 2, reason: 0)
            event(.warning, "association aborted: the peer broke the protocol", request, ["reason": reason])
        }
    }

    func event(
        _ level: StoreSCPEvent.Level, _ message: String, _ request: AssociateRequest, _ metadata: [String: String] = [:]
    ) {
        let peer = ["dicom.calling_ae": request.callingAETitle, "dicom.peer": peerAddress]
        configuration.onEvent(
            StoreSCPEvent(level: level, message: message, metadata: metadata.merging(peer) { own, _ in own }))
    }
}
