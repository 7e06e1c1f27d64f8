/// Something to say: a word with what belongs into its gaps. The app puts it into the user's language.
public struct Phrase: Hashable, Sendable {
    public enum Part: Hashable, Sendable { case text(String), number(UInt64), count(UInt64), bytes(UInt64), seconds(UInt64) }

    public let word: Word
    public let parts: [Part]

    public init(_ word: Word, _ parts: Part...) { (self.word, self.parts) = (word, parts) }
}
