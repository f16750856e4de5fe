public import Configuration
import DICOM
import Foundation
public import Logging
import RaDialogPipeline
import ReportModel
package import ReportQueue
public import ServiceLifecycle

/// The daemon, built from its configuration and ready to run. `main` and the tests call the same `build`.
public struct Daemon: Sendable {
    /// In starting order; they stop in reverse.
    public let services: [any Service]
    /// Where the SCP listens; the port is the one the system chose where 0 was configured.
    public let port: UInt16

    private static let owner = "radialogd"

    /// Checks everything that can be wrong before the port opens: state folder, database, audit chain, bundle, decoder.
    ///
    /// - Throws: an error whose description is one line that says what to do.
    public static func build(_ configuration: Configuration, log: Logger) throws -> Daemon {
        let state = try StateDirectory(locking: configuration.stateDirectory)
        let queue = try ReportQueue(stateDirectory: state.path)
        if configuration.audit.verifyAtStart { try verifyAudit(queue) }
        let pipeline = try loadPipeline(configuration.model, log: log)
        let decoder = try findDecoder(configuration.decode)
        let drafting = try Drafting(
            pipeline: pipeline, decoder: decoder, chestBodyParts: configuration.study.chestBodyParts, threads: configuration.model.threads)
        let spool = try Spool(stateDirectory: state.path, minimumFreeBytes: Int64(configuration.dicom.minFreeSpace))
        try sweep(spool, queue: queue, log: log)
        let rescued = try queue.rescueExpiredLeases(alsoOwnedBy: owner, maxAttempts: configuration.study.maxAttempts)
        if rescued != RescueReport() {
            log.notice("work of an earlier run returned", metadata: ["jobs": "\(rescued.jobs)", "deliveries": "\(rescued.deliveries)"])
        }
        let receiver = Receiver(queue: queue, spool: spool, log: log)
        let scp = try StoreSCP(configuration: .init(configuration.dicom, log: log), spool: spool, handler: receiver)
        let port = try scp.start()
        log.notice("receiving", metadata: [
            "dicom.ae_title": "\(configuration.dicom.aeTitle)", "dicom.bind": "\(configuration.dicom.bind)", "dicom.port": "\(port)",
        ])
        try queue.recordAudit(AuditEvent(
            code: .applicationActivity, type: "daemon-start", action: .execute, actor: AuditEvent.daemon, object: Build.version,
            detail: "bundle \(pipeline.bundle.sha256)"))
        let services = makeServices(configuration, state: state, queue: queue, drafting: drafting, scp: scp, receiver: receiver, log: log)
        return Daemon(services: services, port: port)
    }

    private static func makeServices(
        _ configuration: Configuration, state: StateDirectory, queue: ReportQueue, drafting: Drafting, scp: StoreSCP, receiver: Receiver, log: Logger
    ) -> [any Service] {
        let enabled = configuration.destinations.filter(\.isEnabled)
        let delivererSignals = enabled.map { _ in ServiceSignal() }
        // The last one keeps free for urgent studies.
        let drafters = (0...configuration.model.draftsAtOnce).map { index in
            Drafter(
                queue: queue, drafting: drafting, stateDirectory: state.path, owner: owner, urgentOnly: index == configuration.model.draftsAtOnce,
                lease: configuration.study.lease, maxAttempts: configuration.study.maxAttempts, destinations: configuration.destinations.rules,
                delivererSignals: delivererSignals, log: log)
        }
        let drafterSignals = drafters.map { _ in ServiceSignal() }
        let assembler = Assembler(queue: queue, quietPeriod: configuration.study.quietPeriod, drafterSignals: drafterSignals, log: log)
        let rescuer = Rescuer(queue: queue, maxAttempts: configuration.study.maxAttempts, lease: configuration.study.lease, log: log)
        let watchdog = Watchdog(queue: queue, notifier: ServiceManagerNotifier(), log: log)

        // Deliverers come first and stop last: what the drafters finish on the way down may still be sent.
        var services: [any Service] = zip(enabled, delivererSignals).map { destination, signal in
            let deliverer = Deliverer(destination: destination, queue: queue, owner: owner, log: log)
            return BlockingService(name: "deliver-\(destination.name)", signal: signal) { deliverer.run(until: $0) }
        }
        services.append(BlockingService(name: "rescue") { rescuer.run(until: $0) })
        services += zip(drafters, drafterSignals).enumerated().map { index, pair in
            BlockingService(name: "draft-\(index)", signal: pair.1) { signal in
                // Computes with the pool, and gives way as it does: receiving comes first.
                ComputeOptions.giveWay()
                pair.0.run(until: signal)
            }
        }
        services.append(BlockingService(name: "assemble") { assembler.run(until: $0) })
        services.append(BlockingService(name: "receive") { signal in
            // The SCP has threads of its own since `build`; this one waits for the end, and holds the folder's lock.
            while signal.pause(.seconds(60)) { receiver.recordRepeatedRejections() }
            scp.stop()
            receiver.recordRepeatedRejections(stopping: true)
            log.notice("receiving stopped")
            try queue.recordAudit(AuditEvent(
                code: .applicationActivity, type: "daemon-stop", action: .execute, actor: AuditEvent.daemon, object: Build.version))
            withExtendedLifetime(state) {}
        })
        services.append(BlockingService(name: "watchdog") { watchdog.run(until: $0) })
        return services
    }

    // MARK: - What may be wrong at the start

    private static func verifyAudit(_ queue: ReportQueue) throws {
        let verification = try queue.verifyAudit()
        guard verification.isIntact else {
            throw StartError("the audit trail is broken (\(verification.faults[0])): keep the database as it is and compare it with a backup; "
                + "[audit] verify_at_start = false starts without this check")
        }
    }

    private static func loadPipeline(_ model: Configuration.Model, log: Logger) throws -> RaDialogPipeline {
        let bundle = try ModelBundle.open(model.bundle)
        if bundle.kind == .demo, !model.allowDemonstration {
            throw StartError("the bundle \(model.bundle) is a demonstration model, not for clinical use: configure a clinical bundle, "
                + "or set [model] allow_demonstration = true to try the system out")
        }
        let pipeline = try RaDialogPipeline(bundle: bundle, options: model.computeOptions, rendering: model.rendering.override)
        guard pipeline.readsImages else { throw StartError("\(PipelineError.readsNoImages(bundle: model.bundle))") }
        log.notice("bundle loaded", metadata: [
            "bundle.name": "\(bundle.name)", "bundle.version": "\(bundle.version)", "bundle.kind": "\(bundle.kind.rawValue)",
            "bundle.sha256": "\(bundle.sha256)",
        ])
        if bundle.kind == .demo { log.warning(Logger.Message(stringLiteral: MachineText.demonstrationMark)) }
        return pipeline
    }

    private static func findDecoder(_ decode: Configuration.Decoder) throws -> FrameDecoder {
        let program = decode.program ?? FrameDecoder.defaultExecutable()
        guard FileManager.default.isExecutableFile(atPath: program) else {
            throw StartError("no executable decoder at \(program): install radialog-decode beside radialogd, or set [decode] program")
        }
        return FrameDecoder(executable: program, limits: DecodeLimits(wallClock: decode.timeout, addressSpaceBytes: decode.maxMemory))
    }

    /// Files that no row knows were never acknowledged: their sender still has them. Removed, and counted.
    private static func sweep(_ spool: Spool, queue: ReportQueue, log: Logger) throws {
        let known = try queue.objectPaths()
        // Nothing is being received yet, and the folder's lock is ours: no file is too young to be judged.
        let unknown = try spool.unknownObjects(olderThan: .zero) { known.contains($0) }
        for path in unknown { try spool.remove(path) }
        if !unknown.isEmpty { log.notice("files of unfinished receptions removed", metadata: ["count": "\(unknown.count)"]) }
        let missing = known.filter { !FileManager.default.fileExists(atPath: spool.absolutePath($0)) }
        if !missing.isEmpty {
            log.error("stored objects are missing from the state folder; restore them from a backup", metadata: ["count": "\(missing.count)"])
        }
    }
}

/// Why the daemon does not start.
struct StartError: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

extension [Destination] {
    /// What each destination receives, as the queue knows it. A disabled one gets nothing new.
    package var rules: [DestinationRule] {
        filter(\.isEnabled).map {
            DestinationRule(name: $0.name, receivesDrafts: $0.receives.contains(.drafts), receivesSigned: $0.receives.contains(.signed))
        }
    }
}

extension Configuration.Model {
    var computeOptions: ComputeOptions {
        ComputeOptions(
            threads: threads, pinsThreads: pinThreads, givesWay: true, arithmetic: arithmetic.option, writing: writingArithmetic.option, cache: keyValueCache.option,
            together: draftsAtOnce)
    }
}

extension Configuration.Arithmetic {
    fileprivate var option: ComputeOptions.Arithmetic {
        switch self {
        case .auto: .auto
        case .fp32: .fp32
        case .bf16: .bf16
        case .fp16: .fp16
        case .int8: .int8
        }
    }
}

extension Configuration.KeyValueCache {
    fileprivate var option: ComputeOptions.Cache {
        switch self {
        case .auto: .auto
        case .f32: .f32
        case .f16: .f16
        case .q8: .q8
        }
    }
}

extension Configuration.Rendering {
    /// nil: what the bundle says.
    var override: RenderingMode? {
        switch self {
        case .bundle: nil
        case .mimicCXRJPG: .mimicCXRJPG
        case .voi: .voi
        }
    }
}

extension StoreSCPConfiguration {
    init(_ listener: Configuration.DICOMListener, log: Logger) {
        self.init(aeTitle: listener.aeTitle)
        bindAddress = listener.bind
        port = UInt16(listener.port)
        peers = listener.peers.map { peer in Peer(aeTitle: peer.aeTitle) { peer.address.contains($0) } }
        maximumAssociations = listener.maxAssociations
        associationDeadline = listener.associationTimeout
        idleDeadline = listener.idleTimeout
        objectDeadline = listener.objectTimeout
        maximumObjectBytes = Int64(listener.maxObjectSize)
        maximumPDUBytes = listener.maxPDU
        onEvent = { event in
            let level: Logger.Level =
                switch event.level {
                case .debug: .debug
                case .info: .info
                case .warning: .warning
                case .error: .error
                }
            log.log(level: level, "\(event.message)", metadata: event.metadata.mapValues { .string($0) })
        }
    }
}
