// swift-tools-version: 6.2
// The readers of untrusted files with libFuzzer's and AddressSanitizer's instrumentation: README.md. Built by scripts/fuzz.sh.
//
// A package of its own, so that neither the programs nor the tests are ever built with these flags. The sources are the same files:
// Sources/RaDialogPipeline and the like are links.

import PackageDescription

/// As in ../Package.swift; then the sanitizers, and the checks that the standard library otherwise makes in debug builds only (bounds of unsafe buffers).
let swiftSettings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .unsafeFlags(["-sanitize=fuzzer,address", "-parse-as-library", "-Xfrontend", "-assert-config", "-Xfrontend", "Debug"]),
]
let kernelSettings: [CSetting] = [.unsafeFlags(["-O2", "-g", "-fno-math-errno", "-ffp-contract=on", "-fsanitize=fuzzer-no-link,address"])]

let package = Package(
    name: "Fuzz",
    dependencies: [.package(url: "https://github.com/apple/swift-crypto", exact: "4.5.2")],
    targets: [
        .target(name: "ReportModel", dependencies: [.product(name: "Crypto", package: "swift-crypto")], swiftSettings: swiftSettings),
        .target(name: "CKernels", cSettings: kernelSettings, linkerSettings: [.linkedLibrary("m")]),
        .target(name: "CJPEG", cSettings: kernelSettings, linkerSettings: [.linkedLibrary("jpeg")]),
        .target(name: "CPNG", linkerSettings: [.linkedLibrary("png")]),
        .target(
            name: "RaDialogPipeline", dependencies: ["ReportModel", "CKernels", "CJPEG", "CPNG", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: swiftSettings),
        .target(
            name: "ModelImport", dependencies: ["RaDialogPipeline", "ReportModel", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: swiftSettings),
        .target(name: "FuzzEntries", dependencies: ["ModelImport", "RaDialogPipeline"], swiftSettings: swiftSettings),
        .target(name: "CFuzz"),
        .executableTarget(
            name: "FuzzReaders", dependencies: ["FuzzEntries", "CFuzz"], swiftSettings: swiftSettings,
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer,address"])]),
    ]
)
