internal import ReportModel

/// The drafting device, in the same words in TID 1004, the Author Observer and the Contributing Equipment (IHE AIR).
/// A device is this program with one model bundle: another bundle is another device.
struct DeviceIdentity {
    let uid: String
    let name = Build.productName
    let manufacturer = Build.manufacturer
    let modelName: String
    let serialNumber: String
    let softwareVersions: String

    init(_ provenance: DraftProvenance) {
        uid = DeterministicUID.uid("radialogd device", provenance.bundleSHA256)
        // LO: at most 64 characters, and a backslash would part values. PS3.5 6.2.
        modelName = Self.longString("\(provenance.bundleName) \(provenance.bundleVersion)")
        serialNumber = Self.longString(provenance.bundleSHA256)
        softwareVersions = Self.longString(provenance.build)
    }

    private static func longString(_ text: String) -> String {
        String(text.map { $0 == "\\" ? "/" : $0 }.prefix(64))
    }
}
