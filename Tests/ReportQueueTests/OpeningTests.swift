import Foundation
import Glibc
import ReportQueue
import Testing

@Suite struct OpeningTests {
    @Test func `the writing connection is durable and checks its references`() throws {
        let scratch = try Scratch()
        #expect(try scratch.queue.writerPragma("synchronous") == "2")
        #expect(try scratch.queue.writerPragma("journal_mode") == "\"wal\"")
        #expect(try scratch.queue.writerPragma("foreign_keys") == "1")
        #expect(try scratch.queue.writerPragma("mmap_size") == "0")
        #expect(try scratch.queue.writerPragma("recursive_triggers") == "1")
        #expect(try scratch.queue.writerPragma("user_version") == "2")
    }

    @Test func `the files are readable to their owner only`() throws {
        let scratch = try Scratch()
        _ = try scratch.queue.recordInstance(received(sop: "1.2.3.4"))
        for name in ["radialog.db", "radialog.db-wal", "radialog.db-shm", "writer.lock"] {
            let mode = try FileManager.default.attributesOfItem(atPath: scratch.path + "/" + name)[.posixPermissions] as? Int
            #expect(mode == 0o600, "\(name)")
        }
    }

    @Test func `a file that others could read is closed to them at the next opening`() throws {
        let scratch = try Scratch()
        scratch.queue.close()
        try #require(chmod(scratch.path + "/radialog.db", 0o644) == 0)
        _ = try scratch.another()
        let mode = try FileManager.default.attributesOfItem(atPath: scratch.path + "/radialog.db")[.posixPermissions] as? Int
        #expect(mode == 0o600)
    }

    @Test func `what root makes belongs to the owner of the folder`() throws {
        let scratch = try Scratch()
        let folder = scratch.path + "/state"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        let owner: uid_t = geteuid() == 0 ? 12345 : geteuid()
        try #require(chown(folder, owner, getegid()) == 0)
        let queue = try Scratch.open(folder)
        _ = try queue.recordInstance(received(sop: "1.2.3.4"))
        for name in ["radialog.db", "radialog.db-wal", "radialog.db-shm", "writer.lock"] {
            var found = stat()
            #expect(stat(folder + "/" + name, &found) == 0 && found.st_uid == owner, "\(name)")
        }
    }

    @Test func `a database of a newer program is refused and left alone`() throws {
        let scratch = try Scratch()
        try scratch.raw("PRAGMA user_version = 99")
        scratch.queue.close()
        #expect {
            try scratch.another()
        } throws: {
            guard case .unusable(_, let found, _)? = $0 as? QueueError else { return false }
            return found.contains("schema version 99")
        }
    }

    @Test func `the database of another program is refused`() throws {
        let scratch = try Scratch()
        try scratch.raw("PRAGMA application_id = 7")
        scratch.queue.close()
        #expect {
            try scratch.another()
        } throws: {
            guard case .unusable(_, let found, _)? = $0 as? QueueError else { return false }
            return found.contains("not a radialogd database")
        }
    }

    @Test func `a file that is no database is refused`() throws {
        let scratch = try Scratch()
        scratch.queue.close()
        try Data(repeating: 0x41, count: 8192).write(to: URL(fileURLWithPath: scratch.path + "/radialog.db"))
        #expect(throws: QueueError.self) { try scratch.another() }
    }

    @Test func `a folder that does not exist is an error that names the path`() {
        #expect {
            try Scratch.open("/nonexistent/radialog")
        } throws: {
            guard case .storage(let doing, _)? = $0 as? QueueError else { return false }
            return doing.contains("/nonexistent/radialog")
        }
    }

    @Test func `a closed queue says so`() throws {
        let scratch = try Scratch()
        scratch.queue.close()
        #expect(throws: QueueError.closed) { try scratch.queue.recordInstance(received(sop: "1.2.3.4")) }
        #expect(throws: QueueError.closed) { try scratch.queue.studies() }
    }

    @Test func `what one opening wrote the next one reads`() throws {
        let scratch = try Scratch()
        _ = try scratch.queue.recordInstance(received(sop: "1.2.3.4"))
        scratch.queue.close()
        let again = try scratch.another()
        #expect(try again.study("1.2.3").instances == 1)
        #expect(try again.verifyAudit().isIntact)
    }

    @Test func `a writer that another process holds up is told to retry`() throws {
        let scratch = try Scratch()
        let holder = open(scratch.path + "/writer.lock", O_RDWR | O_CLOEXEC)
        try #require(holder >= 0)
        try #require(flock(holder, LOCK_EX) == 0)
        defer { close(holder) }
        var options = ReportQueue.Options()
        options.patience = .milliseconds(5)
        #expect {
            try ReportQueue(stateDirectory: scratch.path, options: options)
        } throws: {
            guard let error = $0 as? QueueError, case .busy = error else { return false }
            return error.consequence == .retry
        }
        // A reader never waits for the lock.
        #expect(try scratch.queue.studies().isEmpty)
    }
}
