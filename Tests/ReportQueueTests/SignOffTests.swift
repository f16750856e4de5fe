import Foundation
import ReportModel
import ReportQueue
import Testing

@Suite struct SignOffTests {
    @Test func `signing a draft makes a final version that names it`() throws {
        let scratch = try Scratch()
        try scratch.drafted(destinations: [drafts, both])
        #expect(try scratch.sign(destinations: [drafts, both, signedOnly]) == 2)
        let draft = try scratch.queue.outgoingReport(study: "1.2.3", version: .draft)
        let final = try scratch.queue.outgoingReport(study: "1.2.3", version: .final)
        #expect(draft.status == .preliminary && draft.signature == nil && draft.predecessorUID == nil)
        #expect(final.status == .final && final.version == 2 && final.predecessorUID == draft.documentUID)
        #expect(final.signature?.userName == "reader" && final.signature?.personName == "Family^reader")
        #expect(final.signature?.textSHA256 == SHA256Text.of(draft.text))
        #expect(final.createdAt == final.signature?.signedAt)
        #expect(final.documentSeriesUID == draft.documentSeriesUID && final.documentUID != draft.documentUID)
        #expect(final.messageControlID != draft.messageControlID)
        #expect(final.provenance == draft.provenance && final.images == draft.images && final.study == draft.study)
        #expect(Set(try scratch.queue.deliveries().map { "\($0.version) \($0.destination)" }) == ["1 PACS", "1 RIS", "2 RIS", "2 EPR"])
        let study = try scratch.queue.study("1.2.3")
        #expect(study.state == .signed && study.report?.status == .final && study.report?.signedBy == "reader")
    }

    @Test func `the same version is the same value every time, in every opening`() throws {
        let scratch = try Scratch()
        try scratch.drafted()
        try scratch.sign(text: "Edited.")
        for version in [1, 2] {
            let first = try scratch.queue.outgoingReport(study: "1.2.3", version: .number(version))
            #expect(try scratch.another().outgoingReport(study: "1.2.3", version: .number(version)) == first)
        }
    }

    @Test func `an edited text is signed as edited, under its own digest`() throws {
        let scratch = try Scratch()
        try scratch.drafted()
        try scratch.sign(text: "Edited by a human.")
        let final = try scratch.queue.outgoingReport(study: "1.2.3", version: .final)
        #expect(final.text == "Edited by a human." && final.signature?.textSHA256 == SHA256Text.of("Edited by a human."))
        #expect(try scratch.queue.study("1.2.3").draft?.text == "No focal consolidation.", "the machine's text stays known")
    }

    @Test func `a correction is a new version that names the signed one`() throws {
        let scratch = try Scratch()
        try scratch.drafted()
        try scratch.sign()
        #expect(throws: QueueError.conflict(.alreadySigned(by: "reader", version: 2))) { try scratch.sign() }
        #expect(try scratch.sign(by: "second", text: "Corrected.", destinations: [signedOnly]) == 3)
        #expect(try scratch.sign(text: "Corrected again.") == 4)
        let corrected = try scratch.queue.outgoingReport(study: "1.2.3", version: .number(3))
        let final = try scratch.queue.outgoingReport(study: "1.2.3", version: .number(2))
        #expect(corrected.status == .corrected && corrected.predecessorUID == final.documentUID && corrected.signature?.userName == "second")
        #expect(final.text == "No focal consolidation.", "the signed version stays")
    }

    @Test func `a second reader cannot sign a report that is already signed`() throws {
        let scratch = try Scratch()
        try scratch.drafted()
        let second = try scratch.user("second")
        try scratch.sign(by: "first", version: 1)
        #expect(throws: QueueError.conflict(.alreadySigned(by: "first", version: 2))) {
            try scratch.queue.sign(
                study: "1.2.3", by: second, text: "Mine.", shownTextSHA256: SHA256Text.of("Mine."), expectedVersion: 1, destinations: [])
        }
        #expect(try scratch.queue.outgoingReport(study: "1.2.3", version: .final).signature?.userName == "first")
        #expect(try scratch.queue.auditRecords(limit: 1).first?.type == "signing-refused")
    }

    @Test func `of two who sign at once exactly one succeeds`() async throws {
        let scratch = try Scratch()
        try scratch.drafted()
        let users = try (1...6).map { try scratch.user("reader\($0)") }
        let text = "No focal consolidation."
        let results = await withTaskGroup(of: Result<Int, QueueError>.self) { group in
            for user in users {
                group.addTask {
                    // Each as its own program would: its own connections to the same file.
                    do throws(QueueError) {
                        return .success(
                            try Scratch.open(scratch.path).sign(
                                study: "1.2.3", by: user, text: nil, shownTextSHA256: SHA256Text.of(text), expectedVersion: 1, destinations: []))
                    } catch { return .failure(error) }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        let winner = try #require(try scratch.queue.study("1.2.3").report?.signedBy)
        #expect(results.filter { $0 == .success(2) }.count == 1)
        #expect(results.filter { $0 == .failure(.conflict(.alreadySigned(by: winner, version: 2))) }.count == 5)
    }

    @Test func `a new draft between display and signature is a conflict`() throws {
        let scratch = try Scratch()
        try scratch.drafted(text: "old")
        _ = try scratch.queue.recordInstance(received(sop: "late", patient: "1.2.3"))
        _ = try scratch.queue.closeQuietStudies(quietPeriod: .zero)
        let job = try #require(try scratch.queue.claimJob(owner: "w", lease: .seconds(60)))
        _ = try scratch.queue.finish(job, draft: draftReport("new"), keyImage: "late", destinations: [])
        #expect(throws: QueueError.conflict(.newerVersion(shown: 1, current: 2))) { try scratch.sign(version: 1) }
    }

    @Test func `a digest of another text than the one to be signed is a conflict`() throws {
        let scratch = try Scratch()
        try scratch.drafted()
        let reader = try scratch.user("reader")
        for (text, shown) in [(nil, "Something else."), ("Edited.", "No focal consolidation.")] as [(String?, String)] {
            #expect(throws: QueueError.conflict(.shownTextDiffers)) {
                try scratch.queue.sign(
                    study: "1.2.3", by: reader, text: text, shownTextSHA256: SHA256Text.of(shown), expectedVersion: 1, destinations: [])
            }
        }
        #expect(try scratch.queue.study("1.2.3").state == .drafted)
    }

    @Test(arguments: ["", " \n\t", "a\u{0}b", "a\u{1B}[2J", String(repeating: "x", count: 70_000)])
    func `an empty or unfit text is refused`(text: String) throws {
        let scratch = try Scratch()
        try scratch.drafted()
        #expect {
            try scratch.sign(text: text)
        } throws: {
            guard case .invalid? = $0 as? QueueError else { return false }
            return true
        }
    }

    @Test func `an empty draft cannot be signed as it stands`() throws {
        let scratch = try Scratch()
        try scratch.drafted(text: "")
        #expect(throws: QueueError.invalid(what: "the text", found: "is empty")) { try scratch.sign() }
    }

    @Test(arguments: [UserRole.service, .admin])
    func `only a radiologist signs or rejects`(role: UserRole) throws {
        let scratch = try Scratch()
        try scratch.drafted()
        let user = try scratch.user("other", role)
        #expect(throws: QueueError.notPermitted(userName: "other", what: "sign a report")) { try scratch.sign(by: "other") }
        #expect(throws: QueueError.notPermitted(userName: "other", what: "reject a draft")) {
            try scratch.queue.reject(study: "1.2.3", by: user, reason: "no")
        }
        let rows = try scratch.queue.auditRecords(limit: 1)
        #expect(rows.first?.type == "rejecting-refused" && rows.first?.outcome == 4)
        #expect(try scratch.queue.study("1.2.3").state == .drafted)
    }

    @Test func `a proof of identity ends with time, password and account`() throws {
        let scratch = try Scratch()
        try scratch.drafted()
        let sha = SHA256Text.of("No focal consolidation.")
        func sign(_ user: AuthenticatedUser) throws {
            _ = try scratch.queue.sign(study: "1.2.3", by: user, text: nil, shownTextSHA256: sha, expectedVersion: 1, destinations: [])
        }
        let old = try scratch.user("reader").aged(by: 301_000)
        #expect(throws: QueueError.authentication(.expired)) { try sign(old) }
        let beforeChange = try scratch.user("reader")
        try scratch.queue.setPassword("another password", of: "reader", by: "test")
        #expect(throws: QueueError.authentication(.expired)) { try sign(beforeChange) }
        let beforeDisabling = try scratch.queue.authenticate(user: "reader", password: "another password")
        try scratch.queue.setUser("reader", disabled: true, by: "test")
        #expect(throws: QueueError.authentication(.expired)) { try sign(beforeDisabling) }
    }

    @Test func `a rejected draft is not sent, not signed and not rejected again`() throws {
        let scratch = try Scratch()
        try scratch.drafted(destinations: [drafts])
        let reader = try scratch.user("reader")
        #expect(throws: QueueError.self) { try scratch.queue.reject(study: "1.2.3", by: reader, reason: " ") }
        try scratch.queue.reject(study: "1.2.3", by: reader, reason: "wrong side")
        let study = try scratch.queue.study("1.2.3")
        #expect(study.state == .rejected && study.report?.rejectedBy == "reader" && study.report?.reason == "wrong side")
        #expect(try scratch.queue.claimDelivery(destination: "PACS", owner: "s", lease: .seconds(60)) == nil)
        #expect(throws: QueueError.conflict(.alreadyRejected(by: "reader"))) { try scratch.sign() }
        #expect(throws: QueueError.conflict(.alreadyRejected(by: "reader"))) {
            try scratch.queue.reject(study: "1.2.3", by: reader, reason: "again")
        }
    }

    @Test func `a signed report can be neither rejected nor withdrawn`() throws {
        let scratch = try Scratch()
        try scratch.drafted()
        try scratch.sign()
        let signed = QueueError.conflict(.alreadySigned(by: "reader", version: 2))
        #expect(throws: signed) { try scratch.queue.reject(study: "1.2.3", by: try scratch.user("reader"), reason: "no") }
        #expect(throws: signed) { try scratch.queue.withdraw(study: "1.2.3", by: "test", reason: "order cancelled") }
    }

    @Test func `a withdrawn draft is neither sent nor signed`() throws {
        let scratch = try Scratch()
        try scratch.drafted(destinations: [drafts])
        try scratch.queue.withdraw(study: "1.2.3", by: "test", reason: "order cancelled")
        #expect(try scratch.queue.study("1.2.3").state == .withdrawn)
        #expect(try scratch.queue.deliveries().map(\.state) == [.dead])
        #expect(throws: QueueError.conflict(.withdrawn)) { try scratch.sign() }
    }

    @Test func `a study without a draft cannot be signed`() throws {
        let scratch = try Scratch()
        try scratch.queue.finish(try scratch.claimed(), noDraft: .lateralOnly, detail: "")
        #expect(throws: QueueError.conflict(.noReport)) { try scratch.sign(text: "Mine.", version: 1) }
        #expect(throws: QueueError.notFound(what: "study 9.9")) { try scratch.queue.markOpened("9.9", by: "reader") }
    }
}
