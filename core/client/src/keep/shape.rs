//! How each table reads in an export: names for the numbers of its rows. What has no name here, because it is newer than this
//! list, is written under its number, so an export is complete whatever is missing here; what could be a key in it is sealed.

/// How a value is written.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    /// As it is; bytes as `{"base64": ...}`, fields of a nested row as `field_N`.
    Plain,
    /// The same, but byte strings that could be keys are taken for secret.
    Unknown,
    /// Bytes as hexadecimal digits.
    Hex,
    /// A number as one of these words; a larger one stays a number.
    Word(&'static [&'static str]),
    /// A row: each field by its number, its name and its shape.
    Fields(&'static [(u64, &'static str, Shape)]),
    /// One of several kinds: `{"name": body}`.
    Kinds(&'static [(u64, &'static str, Shape)]),
    /// Never written in clear: goes into the sealed part, if there is one.
    Secret,
}

/// A table in an export.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// [`sidetone_engine::row::Table`] as a number.
    pub kind: u8,
    /// What its list is called.
    pub name: &'static str,
    /// What its owner is called.
    pub owner: &'static str,
    /// The fields of its rows.
    pub row: Shape,
}

use Shape::{Fields, Hex, Kinds, Plain, Secret, Word};

const MESSAGE_ID: Shape = Fields(&[(0, "lane", Hex), (1, "seq", Plain)]);
const MARK: Shape = Fields(&[(0, "lane", Hex), (1, "up_to", Plain)]);
const WORDS: Shape = Fields(&[(0, "text", Plain), (1, "reply", MESSAGE_ID), (2, "stay_s", Plain)]);
const EDIT: Shape = Fields(&[(0, "message", MESSAGE_ID), (1, "text", Plain)]);
const REACT: Shape = Fields(&[(0, "message", MESSAGE_ID), (1, "emoji", Plain)]);
const FILE_END: Shape = Fields(&[(0, "transfer", Hex), (1, "why", Plain)]);
const PICTURE: Shape = Fields(&[(0, "width", Plain), (1, "height", Plain), (2, "thumbnail", Plain)]);
const VOICE: Shape = Fields(&[(0, "duration_ms", Plain), (1, "waveform", Plain)]);
const OFFER: Shape = Fields(&[
    (0, "transfer", Hex),
    (1, "name", Plain),
    (2, "size", Plain),
    (3, "mime", Plain),
    (4, "kind", Plain),
    (5, "sha256", Hex),
    (6, "key", Secret),
    (7, "picture", PICTURE),
    (8, "voice", VOICE),
]);
const TRANSFER: Shape = Fields(&[
    (0, "ours", Plain),
    (1, "offer", OFFER),
    (2, "offered_ms", Plain),
    (3, "stage", Word(&["offered", "accepted", "verified", "over"])),
    (4, "held", Plain),
    (5, "path", Plain),
    (6, "chunks", Plain),
    (7, "end", Plain),
    (8, "renewed", Plain),
    (9, "changed_ns", Plain),
]);
const BODY: Shape = Kinds(&[
    (1, "text", Plain),
    (2, "read", MARK),
    (3, "words", WORDS),
    (4, "edit", EDIT),
    (5, "delete", MESSAGE_ID),
    (6, "react", REACT),
    (7, "timer", TIMER),
    (8, "gone", TIMER),
    (20, "file", OFFER),
    (21, "file_end", FILE_END),
]);
const CALL: Shape = Fields(&[(0, "call", Hex), (1, "reason", Plain), (2, "talked_ms", Plain)]);
const TIMER: Shape = Fields(&[(0, "stay_s", Plain)]);
const FILE: Shape =
    Fields(&[(0, "transfer", Hex), (1, "name", Plain), (2, "size", Plain), (3, "mime", Plain), (4, "kind", Plain)]);

const RULE: Shape = Fields(&[
    (0, "version", Plain),
    (1, "locked", Plain),
    (2, "admitted", Plain),
    (3, "out", Plain),
    (4, "secret", Secret),
]);

const ADDRESSES: Shape = Word(&["direct", "relay_until_accepted", "relay_until_verified", "never"]);

/// Every table that has a name.
pub const SECTIONS: &[Section] = &[
    Section {
        kind: 1,
        name: "account",
        owner: "owner",
        row: Fields(&[
            (0, "device", Hex),
            (1, "user", Hex),
            (2, "name", Plain),
            (3, "identity", Secret),
            (4, "token", Secret),
            (5, "addresses_before", Plain),
            (6, "receipts_before", Plain),
            (7, "leaving", Plain),
        ]),
    },
    Section {
        kind: 2,
        name: "friends",
        owner: "user",
        row: Fields(&[
            (0, "name", Plain),
            (1, "key", Hex),
            (2, "changed_key", Hex),
            (3, "standing", Word(&["unknown", "asked_us", "asked_by_us", "friend", "blocked", "former"])),
            (4, "verified", Plain),
            (5, "pinned", Plain),
            (6, "addresses", ADDRESSES),
        ]),
    },
    Section {
        kind: 3,
        name: "chats",
        owner: "peer",
        row: Fields(&[
            (0, "lane", Hex),
            (1, "last", Plain),
            (2, "confirmed", Plain),
            (3, "read", Plain),
            (4, "their_lane", Hex),
            (5, "heard", Plain),
            (6, "next", Plain),
            (7, "unread", Plain),
            (8, "storage", Plain),
            (9, "our_stay_s", Plain),
            (10, "their_stay_s", Plain),
            (11, "active_ms", Plain),
            (12, "fresh", Plain),
        ]),
    },
    Section {
        kind: 4,
        name: "outgoing",
        owner: "peer",
        row: Fields(&[(0, "written_ms", Plain), (1, "body", BODY), (2, "message", Plain), (3, "failed", Plain)]),
    },
    Section {
        kind: 5,
        name: "messages",
        owner: "peer",
        row: Fields(&[
            (0, "theirs", Plain),
            (1, "seq", Plain),
            (2, "written_ms", Plain),
            (3, "kept_ms", Plain),
            (4, "text", Plain),
            (5, "failed", Plain),
            (6, "lane", Hex),
            (7, "reply", MESSAGE_ID),
            (8, "stay_s", Plain),
            (9, "call", CALL),
            (10, "timer", TIMER),
        ]),
    },
    Section {
        kind: 6,
        name: "contents",
        owner: "peer",
        row: Fields(&[(0, "text", Plain), (1, "file", FILE), (2, "edited_ms", Plain)]),
    },
    Section { kind: 7, name: "reactions", owner: "peer", row: Fields(&[(0, "emoji", Plain)]) },
    Section {
        kind: 8,
        name: "fading",
        owner: "peer",
        row: Fields(&[(0, "message", MESSAGE_ID), (1, "theirs", Plain), (2, "stay_s", Plain), (3, "until_ms", Plain)]),
    },
    Section { kind: 9, name: "drafts", owner: "peer", row: Fields(&[(0, "text", Plain)]) },
    Section { kind: 10, name: "transfers", owner: "peer", row: TRANSFER },
    Section { kind: 11, name: "past_transfers", owner: "peer", row: TRANSFER },
    Section {
        kind: 12,
        name: "file_policy",
        owner: "owner",
        row: Fields(&[(0, "accept_below_bytes", Plain), (1, "limit_bytes", Plain)]),
    },
    Section { kind: 13, name: "previews", owner: "peer", row: Fields(&[(0, "picture", PICTURE), (1, "voice", VOICE)]) },
    Section {
        kind: 15,
        name: "preferences",
        owner: "owner",
        row: Fields(&[
            (0, "theme", Word(&["system", "light", "dark"])),
            (1, "receipts", Word(&["send", "keep"])),
            (2, "addresses", ADDRESSES),
            (3, "routes", Word(&["any", "relay_only", "direct_only"])),
            (4, "accept_below_bytes", Plain),
            (5, "language", Plain),
        ]),
    },
    Section {
        kind: 20,
        name: "rooms",
        owner: "room",
        row: Fields(&[
            (0, "invitation", Secret),
            (1, "identity", Secret),
            (2, "owner", Secret),
            (3, "name", Plain),
            (4, "shown", Plain),
            (5, "host", Plain),
            (6, "memory", Plain),
            (7, "entered_ms", Plain),
            (8, "rule", RULE),
            (9, "verified", Plain),
            (10, "past", Secret),
            (11, "known", Plain),
        ]),
    },
];

/// The section of a table; a nameless one for a table that is newer than the list.
pub fn section(kind: u8) -> Option<&'static Section> {
    SECTIONS.iter().find(|section| section.kind == kind)
}
