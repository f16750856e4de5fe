import ReportModel

/// The Part 10 header: 128 bytes, "DICM", group 0002 in explicit VR little endian. PS3.10 7.1.
package enum FileMetaInformation {
    /// Under 2.25, from one UUID that was drawn for this program: our implementation, all versions.
    package static let implementationClassUID = "2.25.221640294480190327283465478158712190737"
    /// At most 16 characters.
    package static let implementationVersionName = "RADIALOGD_" + Build.version.filter { $0 != "." }

    /// The bytes in front of a data set, as large as they must be.
    package static func header(
        sopClassUID: String, sopInstanceUID: String, transferSyntaxUID: String, sourceAETitle: String
    ) -> [UInt8] {
        var group: [UInt8] = []
        append(&group, 0x0001, "OB", [0x00, 0x01])
        append(&group, 0x0002, "UI", padded(sopClassUID, with: 0))
        append(&group, 0x0003, "UI", padded(sopInstanceUID, with: 0))
        append(&group, 0x0010, "UI", padded(transferSyntaxUID, with: 0))
        append(&group, 0x0012, "UI", padded(implementationClassUID, with: 0))
        append(&group, 0x0013, "SH", padded(implementationVersionName, with: 0x20))
        if !sourceAETitle.isEmpty { append(&group, 0x0016, "AE", padded(sourceAETitle, with: 0x20)) }
        var header = [UInt8](repeating: 0, count: 128) + Array("DICM".utf8)
        append(&header, 0x0000, "UL", (0..<4).map { UInt8(truncatingIfNeeded: group.count >> ($0 * 8)) })
        return header + group
    }

    private static func append(_ bytes: inout [UInt8], _ element: UInt16, _ vr: String, _ value: [UInt8]) {
        bytes += [0x02, 0x00, UInt8(element & 0xFF), UInt8(element >> 8)] + Array(vr.utf8)
        let length = value.count
        if vr == "OB" {
            bytes += [0, 0] + (0..<4).map { UInt8(truncatingIfNeeded: length >> ($0 * 8)) }
        } else {
            bytes += [UInt8(truncatingIfNeeded: length), UInt8(truncatingIfNeeded: length >> 8)]
        }
        bytes += value
    }

    private static func padded(_ text: String, with padding: UInt8) -> [UInt8] {
        let bytes = Array(text.utf8)
        return bytes.count.isMultiple(of: 2) ? bytes : bytes + [padding]
    }
}
