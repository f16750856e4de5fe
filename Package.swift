// swift-tools-version: 6.2
// radialogd: a DICOM SCP that pre-drafts chest X-ray reports. Target by target: docs/architecture.md.

import PackageDescription

/// Swift 6 mode everywhere; warnings are errors, and the import of a module is visible in the file that uses it.
let swiftSettings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// Numeric loops are optimised in every configuration: a debug build of the model must stay usable.
/// `-ffp-contract=on` and no `-ffast-math`: a sum has one order, so that a draft has one text.
let kernelSettings: [CSetting] = [.unsafeFlags(["-O3", "-fno-math-errno", "-ffp-contract=on"])]

let dcmtkLibraries = [
    "dcmsr", "dcmnet", "dcmjpls", "dcmtkcharls", "dcmjpeg", "ijg8", "ijg12", "ijg16",
    "dcmimage", "dcmimgle", "dcmdata", "oflog", "ofstd",
]

let package = Package(
    name: "radialogd",
    products: [
        .executable(name: "radialogd", targets: ["radialogd"]),
        .executable(name: "radialogctl", targets: ["radialogctl"]),
        .executable(name: "radialog-decode", targets: ["radialog-decode"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        .package(url: "https://github.com/LebJe/TOMLKit", exact: "0.6.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
    ],
    targets: [
        // Values that everyone shares. No input or output.
        .target(
            name: "ReportModel", dependencies: [.product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: swiftSettings),

        // The model: kernels in C, the forward pass in Swift.
        .target(
            name: "CKernels", cSettings: kernelSettings,
            linkerSettings: [.linkedLibrary("m")]),
        .target(name: "CJPEG", cSettings: kernelSettings, linkerSettings: [.linkedLibrary("jpeg")]),
        .target(name: "CPNG", linkerSettings: [.linkedLibrary("png")]),
        .target(
            name: "RaDialogPipeline",
            dependencies: ["ReportModel", "CKernels", "CJPEG", "CPNG", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: swiftSettings),

        // Checkpoints of others to a bundle.
        .target(
            name: "ModelImport",
            dependencies: ["RaDialogPipeline", "ReportModel", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: swiftSettings),

        // Report text to CheXpert labels.
        .target(name: "ReportLabeler", dependencies: ["ReportModel"], swiftSettings: swiftSettings),

        // DICOM: the C++ shim over DCMTK, and its Swift face.
        .target(
            name: "CDCMTK",
            cxxSettings: [.unsafeFlags(["-O2"]), .define("HAVE_CONFIG_H")],
            linkerSettings: dcmtkLibraries.map { .linkedLibrary($0) } + [.linkedLibrary("openjp2"), .linkedLibrary("z")]),
        .target(
            name: "DICOM",
            dependencies: ["CDCMTK", "ReportModel", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: swiftSettings),

        // The queue: the only importer of GRDB.
        .target(
            name: "ReportQueue",
            dependencies: [
                "ReportModel", .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
            ],
            swiftSettings: swiftSettings),

        // HL7 v2: the report as ORU^R01, and MLLP.
        .target(name: "HL7Out", dependencies: ["ReportModel"], swiftSettings: swiftSettings),

        // Configuration: the only importer of TOMLKit.
        .target(
            name: "Configuration", dependencies: ["ReportModel", .product(name: "TOMLKit", package: "TOMLKit")],
            swiftSettings: swiftSettings),

        // The daemon joins them.
        .target(
            name: "WorklistDaemon",
            dependencies: [
                "Configuration", "DICOM", "HL7Out", "RaDialogPipeline", "ReportLabeler", "ReportModel", "ReportQueue",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "radialogd",
            dependencies: [
                "WorklistDaemon", .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "radialogctl",
            dependencies: ["WorklistDaemon", "ModelImport", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            swiftSettings: swiftSettings),
        .executableTarget(name: "radialog-decode", dependencies: ["CDCMTK"], swiftSettings: swiftSettings),

        // What fuzzer and tests call the readers of untrusted files with; the fuzzer itself is a package of its own (Fuzz/README.md).
        .target(name: "FuzzEntries", dependencies: ["ModelImport", "RaDialogPipeline"], path: "Fuzz/Sources/FuzzEntries", swiftSettings: swiftSettings),
        .systemLibrary(name: "COpenBLAS", path: "Tests/COpenBLAS"),
        .testTarget(
            name: "PipelineTests", dependencies: ["RaDialogPipeline", "CKernels", "COpenBLAS", "ReportModel"], exclude: ["python"], swiftSettings: swiftSettings),
        .testTarget(
            name: "ModelImportTests",
            dependencies: ["FuzzEntries", "ModelImport", "RaDialogPipeline", .product(name: "Crypto", package: "swift-crypto")], swiftSettings: swiftSettings),
        .testTarget(name: "ReportLabelerTests", dependencies: ["ReportLabeler", "ReportModel"], swiftSettings: swiftSettings),
        .testTarget(name: "DICOMTests", dependencies: ["DICOM", "ReportModel", .product(name: "Crypto", package: "swift-crypto")], swiftSettings: swiftSettings),
        .testTarget(name: "ReportQueueTests", dependencies: ["ReportQueue"], swiftSettings: swiftSettings),
        .testTarget(name: "HL7OutTests", dependencies: ["HL7Out"], swiftSettings: swiftSettings),
        .testTarget(name: "ConfigurationTests", dependencies: ["Configuration"], swiftSettings: swiftSettings),
        .testTarget(name: "DaemonTests", dependencies: ["WorklistDaemon", "DICOM"], swiftSettings: swiftSettings),
    ],
    cxxLanguageStandard: .cxx17
)
