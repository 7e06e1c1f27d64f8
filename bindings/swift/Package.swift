// swift-tools-version: 6.0
// On Apple systems the library is an XCFramework beside this file, made by bindings/scripts/build-apple; on Linux it is
// the library built for this machine, and bindings/scripts/host-swift says where.
import Foundation
import PackageDescription

#if os(Linux)
let libraries = ProcessInfo.processInfo.environment["SIDETONE_LIBRARIES"] ?? "/usr/local/lib"
func linked(_ name: String) -> [LinkerSetting] {
    [.unsafeFlags(["-L\(libraries)", "-l\(name)", "-Xlinker", "-rpath=\(libraries)"])]
}
let core: [Target] = [.systemLibrary(name: "sidetoneFFI"), .systemLibrary(name: "sidetoneTestkitFFI")]
#else
func linked(_ name: String) -> [LinkerSetting] { [] }
let core: [Target] = [
    .binaryTarget(name: "sidetoneFFI", path: "sidetoneFFI.xcframework"),
    .binaryTarget(name: "sidetoneTestkitFFI", path: "sidetoneTestkitFFI.xcframework"),
]
#endif

let package = Package(
    name: "Sidetone",
    platforms: [.iOS(.v16), .macOS(.v13)],
    products: [
        .library(name: "Sidetone", targets: ["Sidetone"]),
        .library(name: "SidetoneDevices", targets: ["SidetoneDevices"]),
        .library(name: "SidetoneTestkit", targets: ["SidetoneTestkit"]),
    ],
    targets: core + [
        .target(
            name: "Sidetone", dependencies: ["sidetoneFFI"], resources: [.copy("PrivacyInfo.xcprivacy")],
            linkerSettings: linked("sidetone_ffi")),
        // Apple's frameworks call back on threads of theirs, which Swift 6 cannot see.
        .target(name: "SidetoneDevices", dependencies: ["Sidetone"], swiftSettings: [.swiftLanguageMode(.v5)]),
        .target(
            name: "SidetoneTestkit", dependencies: ["sidetoneTestkitFFI"], linkerSettings: linked("sidetone_testkit")),
        .executableTarget(name: "ffi-bench", dependencies: ["Sidetone", "SidetoneTestkit"]),
        .testTarget(name: "SidetoneTests", dependencies: ["Sidetone", "SidetoneDevices", "SidetoneTestkit"]),
    ],
    swiftLanguageModes: [.v6]
)
