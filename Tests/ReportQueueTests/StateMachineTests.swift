import ReportQueue
import Testing

/// The full state x event tables. What is not listed is illegal and changes nothing.
@Suite struct StateMachineTests {
    @Test func `the job machine takes exactly the listed steps`() {
        let steps: [JobState: [JobState.Event: JobState]] = [
            .waiting: [.objectArrived: .waiting, .becameQuiet: .ready, .identityInDoubt: .noDraft],
            .ready: [.objectArrived: .waiting, .claimed: .claimed],
            .claimed: [
                .objectArrived: .claimed, .renewed: .claimed, .draftWritten: .drafted, .draftDeclined: .noDraft, .attemptsExhausted: .noDraft,
                .attemptFailed: .ready, .leaseEnded: .ready,
            ],
            .drafted: [.objectArrived: .drafted],
            .noDraft: [.objectArrived: .noDraft],
        ]
        for state in JobState.allCases {
            for event in JobState.Event.allCases {
                var moved = state
                let actions = moved.handle(event)
                #expect((actions != nil) == (steps[state]?[event] != nil), "\(state) \(event)")
                #expect(moved == steps[state]?[event] ?? state, "\(state) \(event)")
            }
        }
    }

    @Test func `a job to which objects came meanwhile goes on collecting, or leaves a new job behind`() {
        for (event, after) in [(JobState.Event.attemptFailed, JobState.waiting), (.leaseEnded, .waiting)] {
            var state = JobState.claimed
            #expect(state.handle(event, reopened: true) == [.clearLease])
            #expect(state == after)
        }
        for event in [JobState.Event.draftWritten, .draftDeclined, .attemptsExhausted] {
            var state = JobState.claimed
            #expect(state.handle(event, reopened: true) == [.clearLease, .openNewJob])
        }
        for ended in [JobState.drafted, .noDraft] {
            var state = ended
            #expect(state.handle(.objectArrived) == [.openNewJob])
        }
    }

    @Test func `the report machine takes exactly the listed steps`() {
        typealias Step = (to: ReportState, actions: [ReportState.Action])
        let listed: [ReportState: [ReportState.Event: Step]] = [
            .preliminary: [
                .opened: (.preliminary, [.noteOpened]), .signed: (.signed, [.writeSignedVersion]), .rejected: (.rejected, [.cancelUnsentDeliveries]),
                .newDraft: (.superseded, [.writeNextDraft]), .withdrawn: (.withdrawn, [.cancelUnsentDeliveries]),
            ],
            .signed: [.opened: (.signed, []), .signed: (.signed, [.writeSignedVersion]), .newDraft: (.signed, [.keepAndFlag])],
            .rejected: [.opened: (.rejected, []), .newDraft: (.rejected, [.writeNextDraft])],
            .superseded: [.opened: (.superseded, [])],
            .withdrawn: [.opened: (.withdrawn, []), .newDraft: (.withdrawn, [.writeNextDraft])],
        ]
        for state in ReportState.allCases {
            for event in ReportState.Event.allCases {
                var moved = state
                let actions = moved.handle(event)
                #expect(actions == listed[state]?[event]?.actions, "\(state) \(event)")
                #expect(moved == listed[state]?[event]?.to ?? state, "\(state) \(event)")
            }
        }
    }

    @Test func `an opened draft is kept when a new one comes, and opened once`() {
        var state = ReportState.preliminary
        #expect(state.handle(.newDraft, opened: true) == [.keepAndFlag])
        #expect(state.handle(.opened, opened: true) == [])
        #expect(state == .preliminary)
    }

    @Test func `the delivery machine takes exactly the listed steps`() {
        let steps: [DeliveryState: [DeliveryState.Event: DeliveryState]] = [
            .pending: [.claimed: .sending, .cancelled: .dead],
            .sending: [.acknowledged: .delivered, .failed: .pending, .leaseEnded: .pending, .givenUp: .dead],
            .delivered: [:],
            .dead: [.retriedByHuman: .pending],
        ]
        for state in DeliveryState.allCases {
            for event in DeliveryState.Event.allCases {
                var moved = state
                #expect(moved.handle(event) == (steps[state]?[event] != nil), "\(state) \(event)")
                #expect(moved == steps[state]?[event] ?? state, "\(state) \(event)")
            }
        }
    }
}
