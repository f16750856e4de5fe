import Foundation
import RaDialogPipeline
import Synchronization
import Testing

struct PhraseMemoryTests {
    @Test func `guesses are what followed the same four tokens, or else the same two`() {
        let memory = PhraseMemory()
        memory.learn([5, 6, 7, 8], behind: [0, 1, 2, 3, 4])
        #expect(memory.guesses(behind: [1, 2, 3, 4], atMost: 3) == [5, 6, 7])
        #expect(memory.guesses(behind: [1, 2, 3, 4], atMost: 9) == [5, 6, 7, 8])
        #expect(memory.guesses(behind: [9, 9, 3, 4], atMost: 2) == [5, 6])
        #expect(memory.guesses(behind: [3, 4], atMost: 1) == [5])
        for end in [[], [4], [4, 3], [2, 3, 4, 9]] as [[Int32]] { #expect(memory.guesses(behind: end, atMost: 3).isEmpty) }
        #expect(memory.guesses(behind: [1, 2, 3, 4], atMost: 0).isEmpty)
        // Four tokens tell apart what two do not.
        memory.learn([6, 7, 9, 6, 7, 9], behind: [])
        #expect(memory.guesses(behind: [4, 5, 6, 7], atMost: 1) == [8])
        #expect(memory.guesses(behind: [6, 7], atMost: 1) == [9])
    }

    @Test func `what followed most often is guessed`() {
        let memory = PhraseMemory()
        for token: Int32 in [1, 1, 2, 3, 1] { memory.learn([token], behind: [8, 9]) }
        #expect(memory.guesses(behind: [8, 9], atMost: 1) == [1])
        for token: Int32 in [2, 2, 2, 2, 2, 2] { memory.learn([token], behind: [8, 9]) }
        #expect(memory.guesses(behind: [8, 9], atMost: 1) == [2])
    }

    @Test func `what is old and did not come again is forgotten`() {
        let memory = PhraseMemory(capacity: 100)
        memory.learn([7], behind: [500, 501])
        memory.learn([8], behind: [600, 601])
        for start: Int32 in stride(from: 1000, to: 2000, by: 20) {
            memory.learn(Array(start..<start + 20), behind: [])
            memory.learn([8], behind: [600, 601])
        }
        #expect(memory.guesses(behind: [500, 501], atMost: 1).isEmpty)
        #expect(memory.guesses(behind: [600, 601], atMost: 1) == [8])
        #expect(memory.guesses(behind: [1990, 1991], atMost: 2) == [1992, 1993])
    }

    @Test func `a text that is known is written in fewer steps; known or not, and whatever is remembered, it is the same text`() throws {
        let toy = try ToyLanguageModel(context: 200)
        let (model, pool) = (try toy.model(), try KernelPool(threads: 1))
        func write(_ memory: PhraseMemory?) throws -> (tokens: [Int32], asked: Int) {
            let conversation = Conversation(model, scheduler: ComputeScheduler(model, pool: pool), phrases: memory)
            try conversation.read([.tokens([1, 5, 6])])
            var asked = 0
            let tokens = try conversation.write(limit: 60, end: -1, check: { asked += 1 }).tokens
            return (tokens, asked)
        }
        let (tokens, asked) = try write(nil)
        let memory = PhraseMemory()
        #expect(try write(memory) == (tokens, asked), "nothing is known yet")
        let again = try write(memory)
        #expect(again.tokens == tokens && again.asked < asked * 3 / 4, "\(again.asked) of \(asked)")
        // What other texts would have it say.
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<5 {
            let lies = PhraseMemory()
            lies.learn((0..<20_000).map { _ in Int32.random(in: 0..<41, using: &generator) }, behind: [])
            #expect(try write(lies).tokens == tokens)
        }
    }

    @Test func `texts that learn from each other while they are written are those written alone`() throws {
        let toy = try ToyLanguageModel(context: 120)
        let (model, pool) = (try toy.model(), try KernelPool(threads: 2))
        @Sendable func write(_ index: Int, _ scheduler: ComputeScheduler, _ memory: PhraseMemory?) throws -> [Int32] {
            let conversation = Conversation(model, scheduler: scheduler, phrases: memory)
            try conversation.read([.tokens([1, 5, Int32(6 + index % 3)])])
            return try conversation.write(limit: 50, end: 2).tokens
        }
        let alone = try (0..<3).map { try write($0, ComputeScheduler(model, pool: pool), nil) }
        let (scheduler, memory, group) = (ComputeScheduler(model, pool: pool), PhraseMemory(), DispatchGroup())
        let found = Mutex<[Int: [Int32]]>([:])
        for index in 0..<12 {
            group.enter()
            let thread = Thread {
                #expect(throws: Never.self) {
                    let tokens = try write(index, scheduler, memory)
                    found.withLock { $0[index] = tokens }
                }
                group.leave()
            }
            thread.stackSize = 8 << 20
            thread.start()
        }
        group.wait()
        found.withLock { found in for index in 0..<12 { #expect(found[index] == alone[index % 3], "text \(index)") } }
    }
}
