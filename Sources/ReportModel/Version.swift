/// The version of this program, as it stands in provenance, logs, HL7 and DICOM.
public enum Build {
    public static let version = "0.1.0"
    public static let manufacturer = "radialogd project"
    public static let productName = "radialogd"
}
