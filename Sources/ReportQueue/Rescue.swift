internal import GRDB
internal import ReportModel

/// What a rescue found and freed.
public struct RescueReport: Sendable, Equatable {
    /// Jobs that can be claimed again.
    public var jobs = 0
    /// Jobs that ended with `model-failed`: their attempts were used up, by crashes too.
    public var exhaustedJobs = 0
    public var deliveries = 0

    package init() {}
}

extension ReportQueue {
    /// Frees what workers and senders left behind: leases that ended, and at the start whatever an earlier run of the same
    /// owner still holds.
    ///
    /// - Parameters:
    ///   - owner: also frees everything this owner holds, ended or not. Only for an owner that cannot be alive elsewhere
    ///     (the daemon, which holds the state directory's own lock).
    ///   - maxAttempts: a study whose worker died this often ends with `model-failed` instead of killing the next one.
    ///   - backoff: times the attempts so far, how long the study waits: if it was the study that killed the worker, others
    ///     get through in between.
    public func rescueExpiredLeases(alsoOwnedBy owner: String? = nil, maxAttempts: Int, backoff: Duration = .seconds(2)) throws(QueueError) -> RescueReport {
        let isLost = "(lease_until <= :now OR owner = :owner)"
        let something = try read("looking for ended leases") { transaction in
            try transaction.row(
                """
                SELECT 1 FROM job WHERE state = 'claimed' AND \(isLost)
                UNION ALL SELECT 1 FROM delivery WHERE state = 'sending' AND \(isLost) LIMIT 1
                """, ["now": transaction.now, "owner": owner]) != nil
        }
        guard something else { return RescueReport() }
        return try write("freeing ended leases") { transaction in
            var report = RescueReport()
            for row in try transaction.rows(
                "SELECT * FROM job WHERE state = 'claimed' AND \(isLost)", ["now": transaction.now, "owner": owner])
            {
                let job = try JobRow(row)
                if job.attempt >= maxAttempts {
                    let detail = "the worker stopped during attempt \(job.attempt) of \(maxAttempts)"
                    try transaction.endWithoutDraft(job, .attemptsExhausted, reason: .modelFailed, detail: detail)
                    report.exhaustedJobs += 1
                } else {
                    try transaction.move(
                        job, .leaseEnded, set: "last_error = 'the lease ended', not_before = :after", ["after": transaction.after(backoff * job.attempt)])
                    report.jobs += 1
                }
            }
            for row in try transaction.rows(
                "SELECT * FROM delivery WHERE state = 'sending' AND \(isLost)", ["now": transaction.now, "owner": owner])
            {
                try transaction.putBack(try DeliveryRow(row), .leaseEnded, at: transaction.now, error: "the sender stopped before an answer")
                report.deliveries += 1
            }
            return report
        }
    }
}
