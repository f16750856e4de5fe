import ArgumentParser
import Configuration
import Foundation
import Logging
import ReportModel
import ServiceLifecycle
import UnixSignals
import WorklistDaemon

/// The daemon's program: configuration, build, run until SIGTERM or SIGINT.
@main
struct RadialogD: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "radialogd",
        abstract: "Receives chest X-rays over DICOM, drafts their findings, and delivers what a radiologist signed.",
        discussion: "Runs in the foreground and logs to standard error; systemd starts it (systemd/radialogd.service). "
            + "SIGTERM stops it in order. Exit status: 0 stopped, 70 a defect, 78 the configuration, the bundle or the state folder cannot be used.",
        version: Build.version)

    @Option(name: .long, help: ArgumentHelp("Configuration file.", valueName: "FILE"), completion: .file())
    var config = "/etc/radialogd.conf"

    @Option(name: .long, help: ArgumentHelp("State folder, in place of the configured one.", valueName: "DIR"), completion: .directory)
    var stateDir: String?

    @Option(name: .long, help: ArgumentHelp("A configuration key for this run; may be repeated.", valueName: "section.key=value"))
    var set: [String] = []

    func run() async throws {
        let daemon: Daemon
        let log: Logger
        do {
            let configuration = try Configuration.load(file: config, overrides: set, stateDirectory: stateDir)
            log = Logger(label: "radialogd", log: configuration.log)
            daemon = try Daemon.build(configuration, log: log)
        } catch {
            FileHandle.standardError.write(Data("radialogd: \(error)\n".utf8))
            throw ExitCode(78)
        }
        let group = ServiceGroup(
            configuration: .init(
                services: daemon.services.map { .init(service: $0) }, gracefulShutdownSignals: [.sigterm, .sigint], logger: log))
        do {
            try await group.run()
        } catch {
            log.critical("stopped by a failed service", metadata: ["error": "\(error)"])
            throw ExitCode(70)
        }
        log.notice("stopped")
    }
}

extension Logger {
    fileprivate init(label: String, log: Configuration.Log) {
        let level = Logger.Level(rawValue: log.level.rawValue) ?? .info
        let format: LineLogHandler.Format = log.format == .json ? .json : .text
        self.init(label: label) { LineLogHandler(label: $0, level: level, format: format) }
    }
}
