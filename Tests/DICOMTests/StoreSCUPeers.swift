import DICOM
import Foundation

/// Real archives for the time of a test.
enum StoreSCUPeers {
    static func temporaryFolder() throws -> String {
        let path = NSTemporaryDirectory() + "radialog-storescu-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    static func remove(_ folder: String) {
        do {
            try FileManager.default.removeItem(atPath: folder)
        } catch {
            FileHandle.standardError.write(Data("cannot remove \(folder): \(error)\n".utf8))
        }
    }

    /// A port that was free just now.
    static func freePort() throws -> UInt16 {
        let listener = try ListeningPort()
        return listener.port
    }

    /// Sends until the peer, which has just been started, answers in any way.
    static func firstAnswer(of sender: StoreSCU, _ bytes: [UInt8]) throws -> StoreSCU.Receipt {
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            do throws(StoreSCUError) {
                return try sender.send(bytes)
            } catch {
                guard case .unreachable = error, .now < deadline else { throw error }
                usleep(50_000)
            }
        }
    }

    @discardableResult
    static func withStorescp<Result>(_ options: [String], _ body: (UInt16) throws -> Result) throws -> Result {
        let port = try freePort()
        return try withProcess("/usr/bin/storescp", options + [String(port)]) { try body(port) }
    }

    /// Orthanc on the loopback, with its data in a folder that is thrown away.
    static func withOrthanc(_ body: (UInt16, UInt16) throws -> Void) throws {
        let folder = try temporaryFolder()
        defer { remove(folder) }
        let (dicomPort, restPort) = (try freePort(), try freePort())
        let settings = """
            {"StorageDirectory": "\(folder)/db", "IndexDirectory": "\(folder)/db", "DicomPort": \(dicomPort), "HttpPort": \(restPort),
             "DicomAet": "ORTHANC", "DicomCheckCalledAet": true, "RemoteAccessAllowed": false, "AuthenticationEnabled": false, "Plugins": []}
            """
        try settings.write(toFile: folder + "/orthanc.json", atomically: true, encoding: .utf8)
        try withProcess("/usr/sbin/Orthanc", [folder + "/orthanc.json"]) { try body(dicomPort, restPort) }
    }

    private static func withProcess<Result>(_ path: String, _ arguments: [String], _ body: () throws -> Result) throws -> Result {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        defer {
            // Not SIGTERM: a child of Foundation's Process inherits a mask that blocks it.
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        return try body()
    }
}

/// A listening socket on the loopback, on a port of the system's choice.
final class ListeningPort {
    let descriptor: Int32
    let port: UInt16

    struct Failure: Error {
        var call: String
        var number: Int32
    }

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let size = length
        let descriptor = descriptor
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, size) == 0 && listen(descriptor, 8) == 0 && getsockname(descriptor, address, &length) == 0
            }
        }
        port = UInt16(bigEndian: address.sin_port)
        guard code else { throw Failure(call: "bind", number: errno) }
    }

    deinit { close(descriptor) }
}
