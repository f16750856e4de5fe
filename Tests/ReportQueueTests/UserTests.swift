import ReportQueue
import Testing

@Suite struct UserTests {
    private func add(_ scratch: Scratch, name: String = "reader", person: String = "Doe^Jane", password: String = "long enough") throws {
        try scratch.queue.addUser(name: name, role: .radiologist, personName: person, organization: "Test Hospital", password: password, by: "test")
    }

    private let rejected = QueueError.authentication(.rejected)

    @Test func `the right password proves who it is, and both answers are audited`() throws {
        let scratch = try Scratch()
        try add(scratch)
        let user = try scratch.queue.authenticate(user: "reader", password: "long enough")
        #expect(user.name == "reader" && user.role == .radiologist && user.personName == "Doe^Jane" && user.organization == "Test Hospital")
        #expect(throws: rejected) { try scratch.queue.authenticate(user: "reader", password: "wrong") }
        let rows = try scratch.queue.auditRecords(limit: 2)
        #expect(rows.map(\.code) == ["110114", "110114"] && rows.map(\.outcome) == [4, 0] && rows.map(\.actor) == ["reader", "reader"])
    }

    @Test func `unknown, disabled and wrong look the same, and an unknown name is not written down`() throws {
        let scratch = try Scratch()
        try add(scratch)
        try scratch.queue.setUser("reader", disabled: true, by: "test")
        #expect(throws: rejected) { try scratch.queue.authenticate(user: "reader", password: "long enough") }
        #expect(throws: rejected) { try scratch.queue.authenticate(user: "my-password", password: "x") }
        #expect(try scratch.queue.auditRecords(limit: 1).first?.actor == "unknown")
        #expect(throws: rejected) { try scratch.queue.authenticate(user: "reader", password: String(repeating: "x", count: 1 << 20)) }
    }

    @Test func `ten wrong passwords lock the account even against the right one`() throws {
        let scratch = try Scratch()
        try add(scratch)
        for _ in 1...10 { #expect(throws: rejected) { try scratch.queue.authenticate(user: "reader", password: "wrong") } }
        #expect {
            try scratch.queue.authenticate(user: "reader", password: "long enough")
        } throws: {
            guard case .authentication(.lockedOut(let seconds))? = $0 as? QueueError else { return false }
            return (1...900).contains(seconds)
        }
        #expect(try scratch.queue.users().first?.isLockedOut == true)
        try scratch.raw("UPDATE account SET locked_until = 1")  // as if the time were over
        _ = try scratch.queue.authenticate(user: "reader", password: "long enough")
    }

    @Test func `a right password forgives the wrong ones before it, a new password ends a lock`() throws {
        let scratch = try Scratch()
        try add(scratch)
        for _ in 1...2 {
            for _ in 1...9 { #expect(throws: rejected) { try scratch.queue.authenticate(user: "reader", password: "wrong") } }
            _ = try scratch.queue.authenticate(user: "reader", password: "long enough")
        }
        for _ in 1...10 { #expect(throws: rejected) { try scratch.queue.authenticate(user: "reader", password: "wrong") } }
        try scratch.queue.setPassword("a new password", of: "reader", by: "admin")
        _ = try scratch.queue.authenticate(user: "reader", password: "a new password")
        #expect(throws: rejected) { try scratch.queue.authenticate(user: "reader", password: "long enough") }
    }

    @Test func `a password typed in another Unicode form is the same password`() throws {
        let scratch = try Scratch()
        try add(scratch, password: "pass\u{00E9}word")
        _ = try scratch.queue.authenticate(user: "reader", password: "passe\u{0301}word")
    }

    @Test func `no password and no hash of one equals another's`() throws {
        let scratch = try Scratch()
        try add(scratch, name: "one", password: "the same password")
        try add(scratch, name: "two", password: "the same password")
        // Fails where two rows share a salt or a hash.
        try scratch.raw("CREATE TEMP TABLE t (a BLOB UNIQUE, b BLOB UNIQUE); INSERT INTO t SELECT salt, password_hash FROM account")
    }

    @Test func `the standard cost is one that scrypt takes, and a queue with another cost checks its passwords`() throws {
        let scratch = try Scratch()
        try add(scratch)
        let queue = try ReportQueue(stateDirectory: scratch.path)
        try queue.addUser(name: "real", role: .admin, personName: "Doe^J", organization: "", password: "long enough", by: "test")
        _ = try queue.authenticate(user: "reader", password: "long enough")
    }

    @Test(arguments: ["", "UPPER", "with space", "a|b", "päul", String(repeating: "a", count: 33)])
    func `an unfit user name is refused`(name: String) throws {
        let scratch = try Scratch()
        #expect(throws: QueueError.self) { try add(scratch, name: name) }
        #expect(try scratch.queue.users().isEmpty)
    }

    @Test(arguments: ["", " ", "A\\B", "A=B", "A^B^C^D^E^F", "A\nB", String(repeating: "A", count: 65)])
    func `an unfit person name is refused`(person: String) throws {
        let scratch = try Scratch()
        #expect(throws: QueueError.self) { try add(scratch, person: person) }
    }

    @Test(arguments: ["", "short", String(repeating: "x", count: 1025)])
    func `an unfit password is refused`(password: String) throws {
        let scratch = try Scratch()
        #expect(throws: QueueError.self) { try add(scratch, password: password) }
    }

    @Test func `a name is taken once`() throws {
        let scratch = try Scratch()
        try add(scratch)
        #expect(throws: QueueError.conflict(.state(what: "user reader", found: "there already"))) { try add(scratch) }
        #expect(throws: QueueError.notFound(what: "user nobody")) { try scratch.queue.setPassword("long enough", of: "nobody", by: "test") }
    }
}
