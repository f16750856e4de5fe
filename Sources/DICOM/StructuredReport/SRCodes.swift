internal import CDCMTK
internal import ReportModel

/// The codes of our documents, each defined once. Sources: PS3.16 (DCM: Annex D; CID 5000, 7000, 7001, 7002),
/// loinc.org (LN). Nothing here is guessed: what has no verified code is private, under 99RADIALOG.
enum SRCode {
    // Document: TID 2000, CID 7000 and 7001.
    static let xRayReport = Code(value: "43468-8", scheme: "LN", meaning: "X-Ray Report")
    static let findings = Code(value: "59776-5", scheme: "LN", meaning: "Findings")
    static let finding = dcm("121071", "Finding")
    static let comment = dcm("121106", "Comment")

    // Language: TID 1204, CID 5000.
    static let language = dcm("121049", "Language of Content Item and Descendants")
    static let englishUS = Code(value: "en-US", scheme: "RFC5646", meaning: "English (US)")

    // Observers: TID 1002, 1003, 1004.
    static let observerType = dcm("121005", "Observer Type")
    static let person = dcm("121006", "Person")
    static let device = dcm("121007", "Device")
    static let personObserverName = dcm("121008", "Person Observer Name")
    static let personObserverOrganization = dcm("121009", "Person Observer's Organization Name")
    static let deviceObserverUID = dcm("121012", "Device Observer UID")
    static let deviceObserverName = dcm("121013", "Device Observer Name")
    static let deviceObserverManufacturer = dcm("121014", "Device Observer Manufacturer")
    static let deviceObserverModelName = dcm("121015", "Device Observer Model Name")
    static let deviceObserverSerialNumber = dcm("121016", "Device Observer Serial Number")

    // Algorithm identification: TID 4019.
    static let algorithmName = dcm("111001", "Algorithm Name")
    static let algorithmParameters = dcm("111002", "Algorithm Parameters")
    static let algorithmVersion = dcm("111003", "Algorithm Version")

    /// Contributing Equipment Sequence, CID 7005.
    static let processingEquipment = dcm("109102", "Processing Equipment")

    // Private.
    static let privateScheme = "99RADIALOG"
    static let modelScores = Code(
        value: "MODEL-SCORES", scheme: privateScheme, meaning: "Model scores (machine output, not findings)")
    static let modelScore = Code(value: "MODEL-SCORE", scheme: privateScheme, meaning: "Model score")

    private static func dcm(_ value: String, _ meaning: String) -> Code {
        Code(value: value, scheme: "DCM", meaning: meaning)
    }
}

extension Code {
    /// For the time of `body` only.
    func withShimCode<Result>(_ body: (cdcmtk_code) -> Result) -> Result {
        value.withCString { value in
            scheme.withCString { scheme in
                meaning.withCString { meaning in
                    body(cdcmtk_code(value: value, scheme: scheme, meaning: meaning))
                }
            }
        }
    }
}
