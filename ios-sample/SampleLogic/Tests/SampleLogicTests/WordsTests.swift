import Foundation
import XCTest

@testable import SampleLogic

final class WordsTests: XCTestCase {
    private struct Catalog: Decodable {
        struct Entry: Decodable { let localizations: [String: Localization] }
        struct Localization: Decodable { let stringUnit: Unit }
        struct Unit: Decodable { let value: String }
        let strings: [String: Entry]
    }

    private var folder: URL { URL(fileURLWithPath: ProcessInfo.processInfo.environment["SIDETONE_SAMPLE"]!) }

    private func catalog() throws -> [String: Catalog.Entry] {
        let bytes = try Data(contentsOf: folder.appendingPathComponent("Resources/Localizable.xcstrings"))
        return try JSONDecoder().decode(Catalog.self, from: bytes).strings
    }

    /// The gaps of a text, in their order of number.
    private func gaps(_ text: String) -> [String] {
        let gap = try! NSRegularExpression(pattern: #"%(\d\$)@"#)
        return gap.matches(in: text, range: NSRange(text.startIndex..., in: text)).map {
            String(text[Range($0.range(at: 1), in: text)!])
        }.sorted()
    }

    func testEverythingTheAppSaysIsThereInEnglishAndInTurkish() throws {
        let catalog = try catalog()
        XCTAssertEqual(Set(catalog.keys), Set(Word.allCases.map(\.rawValue)))
        for (key, entry) in catalog {
            XCTAssertEqual(Set(entry.localizations.keys), ["en", "tr"], key)
            let texts = entry.localizations.mapValues(\.stringUnit.value)
            XCTAssertFalse(texts.values.contains(""), key)
            XCTAssertEqual(gaps(texts["en"]!), gaps(texts["tr"]!), key)
            XCTAssertEqual(gaps(texts["en"]!), gaps(texts["en"]!).indices.map { "\($0 + 1)$" }, key)
        }
    }

    /// What the sample for Android says in plurals, or elsewhere, or leaves to the system.
    private let onlyHere: Set<Word> = [
        .friendsBlocked, .friendsUnread, .friendsRemove, .friendsBlock, .friendsUnblock, .notVerified, .chatAttach, .chatOpen,
        .takeBack, .callLasted, .plain, .callConnected, .roomMembers, .strangersActive, .strangersUnderstood,
        .strangersCommon, .strangersBurned, .strangersWords, .wipe, .salvage, .erase, .troubleKeyLostErase,
    ]

    func testBothSamplesSayTheSame() throws {
        let catalog = try catalog()
        for (language, name) in [("en", "values"), ("tr", "values-tr")] {
            let file = folder.appendingPathComponent("Android/\(name).xml")
            guard let xml = try? String(contentsOf: file, encoding: .utf8) else { throw XCTSkip("there is no sample for Android") }
            let pattern = try NSRegularExpression(pattern: #"<string name="([a-z_]+)"[^>]*>([^<]*)</string>"#)
            var theirs: [String: String] = [:]
            for match in pattern.matches(in: xml, range: NSRange(xml.startIndex..., in: xml)) {
                let text = String(xml[Range(match.range(at: 2), in: xml)!])
                theirs[String(xml[Range(match.range(at: 1), in: xml)!])] = text
                    .replacingOccurrences(of: #"%(\d)\$[sd]"#, with: "%$1\\$@", options: .regularExpression)
                    .replacingOccurrences(of: "\\'", with: "'").replacingOccurrences(of: "&amp;", with: "&")
            }
            XCTAssertGreaterThan(theirs.count, 200)
            for word in Word.allCases where !onlyHere.contains(word) {
                let ours = catalog[word.rawValue]?.localizations[language]?.stringUnit.value
                XCTAssertEqual(ours, theirs[word.rawValue], "\(word) in \(language)")
            }
        }
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
