import Foundation
import RaDialogPipeline
import Synchronization
import Testing

/// Conversations that share the processor. Toy models: what matters is who computes when, and that it never shows.
struct SchedulingTests {
    private static func prompt(_ index: Int) -> [Int32] { [1, 5] + (0..<(index * 7 % 40)).map { Int32(($0 * 3 + index) % 41) } + [Int32((6 + index) % 41)] }

    /// Runs `body` for every index on a thread of its own, and waits for all of them.
    private func together(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) {
        let group = DispatchGroup()
        for index in 0..<count {
            group.enter()
            let thread = Thread {
                #expect(throws: Never.self) { try body(index) }
                group.leave()
            }
            thread.stackSize = 8 << 20
            thread.start()
        }
        group.wait()
    }

    /// Runs `body` for 0..<count on threads that ask for the turn one behind the other. The turn is somebody else's until all wait and `last` has run.
    private func queued(_ count: Int, at scheduler: ComputeScheduler, last: () -> Void = {}, _ body: @escaping @Sendable (Int) -> Void) {
        let group = DispatchGroup()
        scheduler.alone(.routine, check: {}) {
            for index in 0..<count {
                group.enter()
                Thread.detachNewThread {
                    body(index)
                    group.leave()
                }
                while scheduler.waitingCount <= index { sched_yield() }
            }
            last()
        }
        group.wait()
    }

    @Test(arguments: [1, 2])
    func `texts written at the same time are those written alone`(threads: Int) throws {
        let toy = try ToyLanguageModel(context: 200)
        let (model, pool) = (try toy.model(), try KernelPool(threads: threads))
        @Sendable func write(_ index: Int, _ scheduler: ComputeScheduler, head: PromptHead? = nil) throws -> [Int32] {
            let conversation = Conversation(model, scheduler: scheduler, head: head)
            let urgency = Urgency.allCases[index % 4]
            try conversation.read([.tokens(Self.prompt(index))], urgency: urgency)
            var tokens = try conversation.write(limit: 20 + index, end: 2, urgency: urgency).tokens
            try conversation.read([.tokens([9, 8])], urgency: .dialogue)
            tokens += try conversation.write(limit: 5, end: 2, urgency: .dialogue).tokens
            return tokens
        }
        let alone = try (0..<12).map { try write($0, ComputeScheduler(model, pool: pool)) }
        #expect(Set(alone).count == 12)
        let (shared, head) = (ComputeScheduler(model, pool: pool), PromptHead(tokens: [1, 5]))
        let found = Mutex<[Int: [Int32]]>([:])
        together(12) { index in
            let tokens = try write(index, shared, head: head)
            found.withLock { $0[index] = tokens }
        }
        found.withLock { found in for index in 0..<12 { #expect(found[index] == alone[index], "conversation \(index)") } }
        #expect(shared.waitingCount == 0)
    }

    @Test func `logits do not depend on the batch, bit for bit`() throws {
        let toy = try ToyLanguageModel(context: 120)
        let (model, pool) = (try toy.model(), try KernelPool(threads: 2))
        for seed in 0..<5 {
            var batch: [LanguageModel.BatchedRows] = []
            var expected: [[Float]] = []
            var tokens: [Int32] = []
            for index in 0..<(2 + seed) {
                let (read, next) = (Self.prompt(index + seed), Self.prompt(index * 5 + seed))
                let caches = [KeyValueCache(toy.manifest), KeyValueCache(toy.manifest)]
                for cache in caches { _ = try model.read(pool, model.embed(read), cache: cache) }
                expected.append(try model.read(pool, model.embed(next), cache: caches[0]).array)
                batch.append(.init(cache: caches[1], count: next.count))
                tokens += next
            }
            let rows = model.embed(tokens)
            try model.advance(pool, rows.pointer, batch) {}
            var last = -1
            let logits = model.logits(pool, rows, batch.map { part in
                last += part.count
                return last
            })
            for (index, wanted) in expected.enumerated() { #expect(sameBits(Array(UnsafeBufferPointer(start: logits.row(index), count: logits.columns)), wanted)) }
        }
    }

    @Test func `the most urgent goes first, then who came first`() throws {
        let toy = try ToyLanguageModel()
        let scheduler = ComputeScheduler(try toy.model(), pool: try KernelPool(threads: 1))
        let order = Mutex<[String]>([])
        let wanted: [(String, Urgency)] = [("batch", .batch), ("routine", .routine), ("routine again", .routine), ("dialogue", .dialogue), ("stat", .stat)]
        // What is more urgent does not wait for the end.
        func interrupted() {
            scheduler.giveWay(.routine) {}
            order.withLock { $0.append("the interrupted") }
        }
        queued(wanted.count, at: scheduler, last: interrupted) { index in
            scheduler.alone(wanted[index].1, check: {}) { order.withLock { $0.append(wanted[index].0) } }
        }
        #expect(order.withLock { $0 } == ["dialogue", "stat", "the interrupted", "routine", "routine again", "batch"])
    }

    @Test func `whoever waits for the turn, or has lent it, is asked meanwhile`() throws {
        let toy = try ToyLanguageModel()
        let (model, pool) = (try toy.model(), try KernelPool(threads: 1))
        let scheduler = ComputeScheduler(model, pool: pool, askingEvery: .milliseconds(1))
        let asked = Mutex<[String: Int]>([:])
        @Sendable func count(_ name: String) { asked.withLock { $0[name, default: 0] += 1 } }
        @Sendable func wait(for names: String..., times: Int = 3) {
            while asked.withLock({ asked in names.contains { asked[$0, default: 0] < times } }) { sched_yield() }
        }
        together(4) { index in
            if index > 0 { wait(for: "holder", times: 1) }
            switch index {
            case 0:
                scheduler.alone(.routine, check: {}) {
                    count("holder")
                    while scheduler.waitingCount < 3 { sched_yield() }
                    scheduler.giveWay(.routine) { count("lender") }
                }
            case 1: scheduler.alone(.dialogue, check: {}) { wait(for: "reading", "alone", "lender") }
            case 2: scheduler.alone(.batch, check: { count("alone") }) {}
            default:
                let found = try scheduler.read(model.embed([1, 5, 6]), cache: model.makeCache(), urgency: .batch) { count("reading") }
                #expect(try sameBits(found.array, model.read(KernelPool(threads: 1), model.embed([1, 5, 6]), cache: model.makeCache()).array))
            }
        }
        #expect(scheduler.waitingCount == 0)
    }

    @Test func `whoever gives up while waiting does not wait for the turn, and takes none`() throws {
        let toy = try ToyLanguageModel()
        let (model, pool) = (try toy.model(), try KernelPool(threads: 1))
        let scheduler = ComputeScheduler(model, pool: pool, askingEvery: .milliseconds(1))
        let cache = model.makeCache()
        _ = try model.read(pool, model.embed([1, 5]), cache: cache)
        scheduler.alone(.routine, check: {}) {
            together(2) { index in
                #expect(throws: PipelineError.cancelled) {
                    if index == 0 {
                        _ = try scheduler.read(model.embed([6, 7]), cache: cache, urgency: .batch) { throw PipelineError.cancelled }
                    } else {
                        try scheduler.alone(.stat, check: { throw PipelineError.cancelled }) { _ = Issue.record("it had given up") }
                    }
                }
            }
            #expect(scheduler.waitingCount == 0 && cache.length == 2)
        }
        #expect(scheduler.alone(.batch, check: {}) { true })
    }

    @Test func `what waits for the same is computed together, with what is as urgent, and each gets its own`() throws {
        let toy = try ToyLanguageModel()
        let scheduler = ComputeScheduler(try toy.model(), pool: try KernelPool(threads: 1))
        let (films, others) = (Gathering<Int, Int>(atMost: 3), Gathering<Int, Int>(atMost: 3))
        let computed = Mutex<[[Int]]>([])
        @Sendable func compute(_ inputs: [Int]) -> [Result<Int, any Error>] {
            computed.withLock { $0.append(inputs) }
            return inputs.map { input in input == 4 ? .failure(PipelineError.emptyReport) : .success(input * 10) }
        }
        queued(8, at: scheduler) { index in
            let index = index + 1
            let urgency: Urgency = index == 3 ? .stat : .routine
            let result = Result { try scheduler.together(index == 5 ? others : films, index, urgency: urgency, check: {}, compute: compute) }
            switch result {
            case .success(let value): #expect(index != 4 && value == index * 10)
            case .failure(let error): #expect(index == 4 && error as? PipelineError == .emptyReport)
            }
        }
        #expect(computed.withLock { $0 } == [[3], [1, 2, 4], [5], [6, 7, 8]])
        #expect(scheduler.waitingCount == 0)
    }

    @Test func `whoever gives up when the turn comes takes nobody along`() throws {
        let toy = try ToyLanguageModel()
        let scheduler = ComputeScheduler(try toy.model(), pool: try KernelPool(threads: 1))
        let films = Gathering<Int, Int>(atMost: 3)
        queued(3, at: scheduler) { index in
            let result = Result {
                try scheduler.together(films, index, urgency: .routine) {
                    if index == 0 { throw PipelineError.cancelled }
                } compute: { inputs in
                    #expect(inputs == [1, 2])
                    return inputs.map { .success($0) }
                }
            }
            switch result {
            case .success(let value): #expect(index > 0 && value == index)
            case .failure(let error): #expect(index == 0 && error as? PipelineError == .cancelled)
            }
        }
        #expect(scheduler.waitingCount == 0)
        #expect(scheduler.alone(.batch, check: {}) { true })
    }

    @Test func `an error of those that are computed together is everybody's, and the turn goes on`() throws {
        let toy = try ToyLanguageModel()
        let scheduler = ComputeScheduler(try toy.model(), pool: try KernelPool(threads: 1))
        let films = Gathering<Int, Int>(atMost: 8)
        queued(3, at: scheduler) { index in
            #expect(throws: PipelineError.notFinite(stage: "3 films")) {
                try scheduler.together(films, index, urgency: .routine, check: {}) { inputs in
                    throw PipelineError.notFinite(stage: "\(inputs.count) films")
                }
            }
        }
        #expect(scheduler.alone(.batch, check: {}) { true })
    }

    @Test func `a conversation that is stopped leaves the others alone, and can go on itself`() throws {
        let toy = try ToyLanguageModel(context: 200)
        let (model, pool) = (try toy.model(), try KernelPool(threads: 2))
        let scheduler = ComputeScheduler(model, pool: pool)
        let expected = try (0..<4).map { index in
            let alone = Conversation(model, pool: pool)
            try alone.read([.tokens(Self.prompt(index))])
            return try alone.write(limit: 40, end: -1).tokens
        }
        together(4) { index in
            let conversation = Conversation(model, scheduler: scheduler)
            try conversation.read([.tokens(Self.prompt(index))])
            if index % 2 == 0 {
                var asked = 0
                #expect(throws: PipelineError.cancelled) {
                    try conversation.write(limit: 40, end: -1, check: {
                        asked += 1
                        if asked == 10 { throw PipelineError.cancelled }
                    })
                }
            }
            #expect(try conversation.write(limit: 40, end: -1).tokens == expected[index])
        }
    }

    @Test func `forked caches share their beginning and nothing else`() throws {
        let toy = try ToyLanguageModel(context: 300)
        let (model, pool) = (try toy.model(), try KernelPool(threads: 1))
        for length in [1, 63, 64, 65, 130] {
            let beginning = (0..<length).map { Int32($0 * 5 % 41) }
            let cache = KeyValueCache(toy.manifest)
            _ = try model.read(pool, model.embed(beginning), cache: cache)
            let forks = [cache, cache.fork(), cache.fork()]
            let ends: [[Int32]] = [[3, 4], [7, 7, 7], (0..<80).map { Int32($0 % 40) }]
            // One after the other, then once more: what another wrote behind the common beginning must not show.
            for _ in 0..<2 {
                for (fork, end) in zip(forks, ends) {
                    fork.length = length
                    let found = try model.read(pool, model.embed(end), cache: fork).array
                    let alone = try model.read(pool, model.embed(beginning + end), cache: KeyValueCache(toy.manifest)).array
                    #expect(sameBits(found, alone), "\(length) and \(end.count)")
                }
            }
        }
    }

    @Test func `guesses are what followed the last time, and end at an image`() {
        var lookup = PromptLookup([1, 2, 3, 4, 5, -1, 9, 9, 1, 2, 3])
        #expect(lookup.guesses(atMost: 7) == [4, 5])
        #expect(lookup.guesses(atMost: 1) == [4])
        #expect(lookup.guesses(atMost: 0).isEmpty)
        lookup.append(6)
        #expect(lookup.guesses(atMost: 7).isEmpty)
        for token: Int32 in [1, 2, 3] { lookup.append(token) }
        #expect(lookup.guesses(atMost: 2) == [6, 1])
        #expect(PromptLookup([]).guesses(atMost: 3).isEmpty && PromptLookup([1, 2]).guesses(atMost: 3).isEmpty)
    }

    @Test func `a text that repeats is written in fewer steps, and is the same text`() throws {
        let toy = try ToyLanguageModel(context: 400)
        // A random model soon repeats itself. How soon hangs on the last bits, how much is guessed on the arithmetic: both alike here on every processor.
        let (model, pool) = (try toy.model(), try KernelPool(threads: 1, instructionSet: .scalar))
        let conversation = Conversation(model, pool: pool)
        try conversation.read([.tokens([1, 5, 6])])
        var layers = 0
        let found = try conversation.write(limit: 200, end: -1, check: { layers += 1 }).tokens
        // Token by token, straight from the model.
        let cache = KeyValueCache(toy.manifest)
        var logits = try model.read(pool, model.embed([1, 5, 6]), cache: cache)
        var wanted: [Int32] = []
        for _ in 0..<200 {
            wanted.append(Int32(logits.array.indices.max { logits.array[$0] < logits.array[$1] } ?? 0))
            logits = try model.read(pool, model.embed([wanted[wanted.count - 1]]), cache: cache)
        }
        #expect(found == wanted)
        // Asked once a token, once a step, and once a layer of each step: 800 times where each step writes one token.
        #expect(layers < 200 + 150 * 3, "\(layers)")
    }
}
