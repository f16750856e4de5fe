/// How a data set is encoded. PS3.5 Annex A; UIDs PS3.6 Table A-1.
package enum TransferSyntax {
    package static let implicitVRLittleEndian = "1.2.840.10008.1.2"
    package static let explicitVRLittleEndian = "1.2.840.10008.1.2.1"
    package static let deflatedExplicitVRLittleEndian = "1.2.840.10008.1.2.1.99"
    package static let explicitVRBigEndian = "1.2.840.10008.1.2.2"

    /// The byte order and VR encoding of a data set's elements.
    package enum ElementEncoding: Sendable {
        case implicitLittle, explicitLittle, explicitBig

        var isExplicit: Bool { self != .implicitLittle }
        var isBigEndian: Bool { self == .explicitBig }
    }

    /// Every transfer syntax of DICOM but the three uncompressed ones is explicit little endian (PS3.5 A.4); `nil` for a
    /// UID that is not under DICOM's root, whose encoding is not known.
    package static func elementEncoding(of uid: String) -> ElementEncoding? {
        switch uid {
        case implicitVRLittleEndian: .implicitLittle
        case explicitVRBigEndian: .explicitBig
        case let other where other.hasPrefix("1.2.840.10008.1.2."): .explicitLittle
        default: nil
        }
    }
}

/// UIDs as strings. PS3.5 9.1.
package enum UID {
    /// At most 64 characters, digits in components without leading zeros.
    package static func isValid(_ uid: String) -> Bool {
        let bytes = Array(uid.utf8)
        guard (1...64).contains(bytes.count) else { return false }
        let components = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return components.allSatisfy { component in
            !component.isEmpty && component.allSatisfy { (0x30...0x39).contains($0) }
                && (component.count == 1 || component.first != 0x30)
        }
    }

    /// Safe to use as an identifier, though not as PS3.5 asks: digits and dots, 1...64. Leading zeros in components and
    /// the like are common in the field, and harm nobody.
    package static func isUsable(_ uid: String) -> Bool {
        (1...64).contains(uid.utf8.count) && uid.utf8.contains { (0x30...0x39).contains($0) }
            && uid.utf8.allSatisfy { (0x30...0x39).contains($0) || $0 == 0x2E }
    }
}
