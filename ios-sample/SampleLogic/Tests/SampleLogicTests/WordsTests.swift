import Foundation
import XCTest

@testable import SampleLogic

final class WordsTests: XCTestCase {
    private struct Catalog: Decodable {
        struct Entry: Decodable { let localizations: [String: Localization] }
        struct Localization: Decodable {
            let stringUnit: Unit?
            let variations: Variations?

            /// By the quantity, as Android has them: what does not bend is `other`.
            var texts: [String: String] { variations?.plural.mapValues(\.stringUnit.value) ?? ["other": stringUnit?.value ?? ""] }
        }
        struct Variations: Decodable { let plural: [String: Form] }
        struct Form: Decodable { let stringUnit: Unit }
        struct Unit: Decodable { let value: String }
        let strings: [String: Entry]
    }

    private var folder: URL { URL(fileURLWithPath: ProcessInfo.processInfo.environment["SIDETONE_SAMPLE"]!) }

    private func catalog() throws -> [String: Catalog.Entry] {
        let bytes = try Data(contentsOf: folder.appendingPathComponent("Resources/Localizable.xcstrings"))
        return try JSONDecoder().decode(Catalog.self, from: bytes).strings
    }

    private func all(_ pattern: String, in text: String) -> [[String]] {
        let expression = try! NSRegularExpression(pattern: pattern, options: .dotMatchesLineSeparators)
        return expression.matches(in: text, range: NSRange(text.startIndex..., in: text)).map { match in
            (1..<match.numberOfRanges).map { Range(match.range(at: $0), in: text).map { String(text[$0]) } ?? "" }
        }
    }

    /// The gaps of a text, in their order of number.
    private func gaps(_ text: String) -> [String] { all(#"%(\d\$)(?:@|lld)"#, in: text).map { $0[0] }.sorted() }

    func testEverythingTheAppSaysIsThereInEnglishAndInTurkish() throws {
        let catalog = try catalog()
        XCTAssertEqual(Set(catalog.keys), Set(Word.allCases.map(\.rawValue)))
        for (key, entry) in catalog {
            XCTAssertEqual(Set(entry.localizations.keys), ["en", "tr"], key)
            let (english, turkish) = (entry.localizations["en"]!.texts, entry.localizations["tr"]!.texts)
            XCTAssertEqual(Set(english.keys), Set(turkish.keys), key)
            for (quantity, text) in english {
                XCTAssertFalse(text.isEmpty || turkish[quantity]!.isEmpty, key)
                XCTAssertEqual(gaps(text), gaps(turkish[quantity]!), key)
                XCTAssertEqual(gaps(text), gaps(text).indices.map { "\($0 + 1)$" }, key)
            }
        }
    }

    /// What one of the two leaves to its system.
    private let onlyHere: Set = ["chat_attach", "plain"]
    private let onlyThere: Set = ["back", "bytes", "kilobytes", "megabytes"]

    func testBothSamplesSayTheSame() throws {
        let catalog = try catalog()
        for (language, name) in [("en", "values"), ("tr", "values-tr")] {
            let xml = try String(contentsOf: folder.appendingPathComponent("Android/\(name).xml"), encoding: .utf8)
            var theirs = Dictionary(
                uniqueKeysWithValues: all(#"<string name="([a-z_]+)"[^>]*>([^<]*)</string>"#, in: xml).map { ($0[0], ["other": plain($0[1], "@")]) })
            for plurals in all(#"<plurals name="([a-z_]+)">(.*?)</plurals>"#, in: xml) {
                let forms = all(#"<item quantity="([a-z]+)">([^<]*)</item>"#, in: plurals[1])
                theirs[plurals[0]] = Dictionary(uniqueKeysWithValues: forms.map { ($0[0], plain($0[1], "lld")) })
            }
            XCTAssertGreaterThan(theirs.count, 200)
            XCTAssertEqual(Set(catalog.keys).subtracting(theirs.keys), onlyHere, language)
            XCTAssertEqual(Set(theirs.keys).subtracting(catalog.keys), onlyThere, language)
            for (key, texts) in theirs where !onlyThere.contains(key) {
                XCTAssertEqual(catalog[key]?.localizations[language]?.texts, texts, "\(key) in \(language)")
            }
        }
    }

    /// As it stands in the catalogue.
    private func plain(_ text: String, _ gap: String) -> String {
        text.replacingOccurrences(of: #"%(\d)\$[sd]"#, with: "%$1\\$\(gap)", options: .regularExpression)
            .replacingOccurrences(of: "\\'", with: "'").replacingOccurrences(of: "&amp;", with: "&")
    }

    func testEveryWordIsUsed() throws {
        let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)!.compactMap { $0 as? URL }
        let code = try files.filter { $0.pathExtension == "swift" && $0.lastPathComponent != "Words.swift" }
            .filter { !$0.path.contains("Tests") }.map { try String(contentsOf: $0, encoding: .utf8) }.joined()
        for word in Word.allCases {
            let used = code.range(of: "\\.\(word)\\b", options: .regularExpression) != nil
            XCTAssertTrue(used, "\(word) is said nowhere")
        }
    }
}
