import Foundation
import Glibc
import ReportModel
import ReportQueue
import Testing

/// SIGKILL at moments of chance. The child is this test program again, told by an environment variable to write until it dies.
@Suite struct CrashTests {
    private static let childVariable = "RADIALOG_QUEUE_CRASH_CHILD"

    @Test(.enabled(if: ProcessInfo.processInfo.environment[childVariable] != nil, "runs only as the child of the test below"))
    func writesUntilKilled() throws {
        let arguments = try #require(ProcessInfo.processInfo.environment[Self.childVariable]).split(separator: " ").map(String.init)
        let queue = try Scratch.open(arguments[0])
        _ = try queue.rescueExpiredLeases(alsoOwnedBy: "child", maxAttempts: .max, backoff: .zero)
        // A line is written after the call returned, as a C-STORE response is.
        func acknowledge(_ line: String) {
            let text = Array((line + "\n").utf8)
            #expect(write(3, text, text.count) == text.count)
        }
        for number in 0... {
            let study = "1.\(arguments[1]).\(number)"
            _ = try queue.recordInstance(received(study: study, sop: study + ".4", patient: study))
            acknowledge("stored \(study)")
            _ = try queue.closeQuietStudies(quietPeriod: .zero)
            guard let job = try queue.claimJob(owner: "child", lease: .seconds(600)) else { continue }
            let claimed = job.study.studyInstanceUID
            _ = try queue.finish(job, draft: draftReport(), keyImage: claimed + ".4", destinations: [both])
            acknowledge("drafted \(claimed)")
            if let delivery = try queue.claimDelivery(destination: "RIS", owner: "child", lease: .seconds(600)) {
                try queue.complete(delivery)
                acknowledge("delivered \(delivery.report.study.studyInstanceUID)")
            }
        }
    }

    @Test func `a process killed at any moment loses nothing it acknowledged and leaves no study stuck`() throws {
        let scratch = try Scratch()
        scratch.queue.close()
        var acknowledged: [String] = []
        for round in 0..<12 {
            acknowledged += try killedChild(scratch.path, round: round, afterLines: Int.random(in: 1...25))
            let queue = try scratch.another()
            let problems = try queue.integrityProblems()
            #expect(problems == [])
            #expect(try queue.verifyAudit().isIntact)
            for line in acknowledged {
                let words = line.split(separator: " ").map(String.init)
                let study = try queue.study(words[1])
                #expect(study.instances == 1, "\(line)")
                if words[0] != "stored" { #expect(study.state == .drafted, "\(line)") }
                if words[0] == "delivered" { #expect(try queue.deliveries(study: words[1]).map(\.state) == [.delivered], "\(line)") }
            }
        }
        #expect(acknowledged.count >= 12)

        // Whatever was in hand at a death is found again and done.
        let queue = try scratch.another()
        _ = try queue.rescueExpiredLeases(alsoOwnedBy: "child", maxAttempts: .max, backoff: .zero)
        _ = try queue.closeQuietStudies(quietPeriod: .zero)
        while let job = try queue.claimJob(owner: "after", lease: .seconds(600)) {
            _ = try queue.finish(job, draft: draftReport(), keyImage: job.study.studyInstanceUID + ".4", destinations: [both])
        }
        while let delivery = try queue.claimDelivery(destination: "RIS", owner: "after", lease: .seconds(600)) { try queue.complete(delivery) }
        let statistics = try queue.statistics()
        #expect(statistics.studies == ["drafted": statistics.instances])
        #expect(statistics.deliveries.map(\.delivered) == [statistics.instances])
        #expect(try queue.verifyAudit().isIntact)
    }

    /// Starts a child, kills it after it acknowledged so many things, and returns all it acknowledged before it died.
    private func killedChild(_ path: String, round: Int, afterLines lines: Int) throws -> [String] {
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        defer { close(ends[0]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[1], 3)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        let arguments = ["/proc/self/exe", "--testing-library", "swift-testing", "--filter", "writesUntilKilled"]
        let environment = ProcessInfo.processInfo.environment.map { "\($0)=\($1)" } + ["\(Self.childVariable)=\(path) \(round)"]
        var argumentPointers = arguments.map { strdup($0) } + [nil]
        var environmentPointers = environment.map { strdup($0) } + [nil]
        defer { (argumentPointers + environmentPointers).forEach { free($0) } }
        // The path of this program, not of the helper that posix_spawn may run first.
        let program = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        var child: pid_t = 0
        let failure = posix_spawn(&child, program, &actions, nil, &argumentPointers, &environmentPointers)
        close(ends[1])
        try #require(failure == 0, "posix_spawn: \(String(cString: strerror(failure)))")

        var text: [UInt8] = []
        var isKilled = false
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = read(ends[0], &buffer, buffer.count)
            guard count > 0 else { break }
            text += buffer[..<count]
            if !isKilled, text.count(where: { $0 == UInt8(ascii: "\n") }) >= lines {
                kill(child, SIGKILL)
                isKilled = true
            }
        }
        var status: Int32 = 0
        waitpid(child, &status, 0)
        #expect(isKilled && status & 0x7F == SIGKILL, "the child ended by itself")
        return String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init)
    }
}
