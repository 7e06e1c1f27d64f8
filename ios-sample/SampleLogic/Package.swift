// swift-tools-version: 6.0
// What is behind the screens, without any Apple framework: Xcode builds it for the app, and Linux builds and tests it.
// The package of Sidetone is the one that bindings/scripts/build-apple makes, unless SIDETONE_PACKAGE names another.
import Foundation
import PackageDescription

let sidetone = ProcessInfo.processInfo.environment["SIDETONE_PACKAGE"] ?? "../../target/apple/Sidetone"

// Swift 6.0's Observation for Linux lacks a function that it calls when a lock fails; nothing else uses it.
#if os(Linux)
let linking: [LinkerSetting] = [.unsafeFlags(["-Xlinker", "--allow-shlib-undefined"])]
#else
let linking: [LinkerSetting] = []
#endif

let package = Package(
    name: "SampleLogic",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [.library(name: "SampleLogic", targets: ["SampleLogic"])],
    dependencies: [.package(name: "Sidetone", path: sidetone)],
    targets: [
        .target(
            name: "SampleLogic", dependencies: [.product(name: "Sidetone", package: "Sidetone")], linkerSettings: linking),
        .testTarget(
            name: "SampleLogicTests",
            dependencies: ["SampleLogic", .product(name: "SidetoneTestkit", package: "Sidetone")]),
    ],
    swiftLanguageModes: [.v6]
)
