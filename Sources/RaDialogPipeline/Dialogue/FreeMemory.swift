internal import Glibc

/// How much memory this process may still take before somebody is killed for it.
enum FreeMemory {
    /// The smaller of what the machine and the control group (version 2) have left; nil where neither says.
    static func bytes() -> Int? {
        [machine(), controlGroup()].compactMap(\.self).min()
    }

    private static func machine() -> Int? {
        guard let text = read("/proc/meminfo") else { return nil }
        for line in text.split(separator: "\n") where line.hasPrefix("MemAvailable:") {
            return line.split(separator: " ").dropFirst().first.flatMap { Int($0) }.map { $0 << 10 }
        }
        return nil
    }

    private static func controlGroup() -> Int? {
        // "0::/system.slice/radialogd.service"; anything else is version 1, which is not asked.
        guard let line = read("/proc/self/cgroup")?.split(separator: "\n").first(where: { $0.hasPrefix("0::/") }) else { return nil }
        let folder = "/sys/fs/cgroup" + line.dropFirst(3)
        func number(_ name: String) -> Int? { read(folder + "/" + name).flatMap { Int($0.split(separator: "\n").first ?? "") } }
        // "max" is no number: no limit.
        guard let limit = [number("memory.max"), number("memory.high")].compactMap(\.self).min(), let used = number("memory.current") else { return nil }
        // Pages of mapped weights count as used, and are given up before anybody is killed.
        let mapped = read(folder + "/memory.stat")?.split(separator: "\n").first { $0.hasPrefix("file ") }.flatMap { Int($0.dropFirst(5)) }
        return max(0, limit - max(0, used - (mapped ?? 0)))
    }

    private static func read(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        return withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 1) { buffer in
            let count = Glibc.read(descriptor, buffer.baseAddress, buffer.count)
            return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
        }
    }
}
