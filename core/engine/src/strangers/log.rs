//! What was said with one stranger: in memory, in order, once, bounded, and gone with it.

use std::collections::VecDeque;

use sidetone_wire::encounter::{
    Frank, Got, Loud, MediaKind, Piece, PieceBytes, StrangerMedia, StrangerText, StrangerWord,
};
use sidetone_wire::id::UnixMs;
use sidetone_wire::limits::{PIECE_BYTES, STRANGER_IMAGE_BYTES, STRANGER_NOTE_BYTES};
use sidetone_wire::record::Text;
use zeroize::{Zeroize, Zeroizing};

use crate::stranger::{Attachment, AttachmentKind, HELD_BYTES, Held, MESSAGES, StrangerContent, StrangerMessage};

/// Bytes that may be under way, well below what a link takes at once.
const FLIGHT_BYTES: usize = 192 * 1024;
/// A record costs about so much beside its content.
const RECORD_COST: usize = 128;
/// An attachment under way is confirmed after so many bytes.
const CONFIRM_BYTES: u32 = 64 * 1024;
/// Bytes of ours that may wait.
const WAITING_BYTES: usize = HELD_BYTES / 2;

/// A message.
struct Item {
    number: u64,
    theirs: bool,
    at: UnixMs,
    /// Its number among its sender's.
    wire: u64,
    content: Content,
    /// Bytes that came, or were confirmed.
    passed: u32,
    whole: bool,
    /// Nobody wants to see it: it goes once it is whole.
    hidden: bool,
}

enum Content {
    Text(Text, Option<Frank>),
    Attachment { kind: AttachmentKind, bytes: Zeroizing<Vec<u8>>, length: u32 },
}

/// A place in what one end says: a message, and bytes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cursor {
    wire: u64,
    bytes: u32,
}

/// Everything that was said.
pub(super) struct Log {
    items: VecDeque<Item>,
    numbers: u64,
    /// How many messages we began.
    ours: u64,
    /// How many of theirs are here whole.
    heard: u64,
    /// Up to where ours were said in this session; none before the stranger said how far they heard.
    said: Option<Cursor>,
    /// Up to where ours were confirmed.
    confirmed: Cursor,
    /// Bytes of the message under way that we confirmed last.
    told: u32,
}

/// What a word of theirs changed.
pub(super) struct Heard {
    /// The message that is new or longer.
    pub number: Option<u64>,
    /// What to say in answer.
    pub answer: Option<StrangerWord>,
}

impl Heard {
    const NOTHING: Self = Self { number: None, answer: None };
}

/// Why a message is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// It is too large, or nothing.
    Size,
    /// Too much waits.
    Waiting,
}

impl Log {
    pub fn new() -> Self {
        let begin = Cursor { wire: 1, bytes: 0 };
        Self { items: VecDeque::new(), numbers: 0, ours: 0, heard: 0, said: None, confirmed: begin, told: 0 }
    }

    pub fn len(&self) -> usize {
        self.items.iter().filter(|item| !item.hidden).count()
    }

    // Ours.

    /// The number that our next message will have at the other end.
    pub fn next_wire(&self) -> u64 {
        self.ours + 1
    }

    pub fn say(&mut self, text: Text, frank: Option<Frank>, at: UnixMs) -> Result<u64, Full> {
        self.push_ours(Content::Text(text, frank), at)
    }

    pub fn attach(&mut self, attachment: Attachment, at: UnixMs) -> Result<u64, Full> {
        let Attachment { kind, bytes } = attachment;
        let length = u32::try_from(bytes.len()).map_err(|_| Full::Size)?;
        if length == 0 || bytes.len() > most(&kind) {
            return Err(Full::Size);
        }
        self.push_ours(Content::Attachment { kind, bytes, length }, at)
    }

    fn push_ours(&mut self, content: Content, at: UnixMs) -> Result<u64, Full> {
        let waiting: usize = self.items.iter().filter(|item| !item.theirs && !item.whole).map(Item::bytes).sum();
        if waiting + content.bytes() > WAITING_BYTES || self.items.len() >= MESSAGES && !self.make_room(0) {
            return Err(Full::Waiting);
        }
        self.ours += 1;
        let wire = self.ours;
        Ok(self.push(Item { number: 0, theirs: false, at, wire, content, passed: 0, whole: false, hidden: false }))
    }

    fn push(&mut self, item: Item) -> u64 {
        self.make_room(item.bytes());
        self.numbers += 1;
        let number = self.numbers;
        self.items.push_back(Item { number, ..item });
        number
    }

    /// Forgets the oldest messages until there is room. Whether there is.
    fn make_room(&mut self, bytes: usize) -> bool {
        let mut held: usize = self.items.iter().map(Item::bytes).sum();
        while held + bytes > HELD_BYTES || self.items.len() >= MESSAGES {
            let Some(at) = self.items.iter().position(|item| item.whole) else { return false };
            if let Some(item) = self.items.remove(at) {
                held -= item.bytes();
                item.erase();
            }
        }
        true
    }

    /// A new session: nothing is said before the stranger says how far they heard.
    pub fn rewind(&mut self) {
        self.said = None;
        self.told = 0;
    }

    /// How far we heard, to be said in a new session and whenever something came.
    pub fn got(&self) -> StrangerWord {
        let bytes = self.under_way().map_or(0, |item| item.passed);
        StrangerWord::Got(Got { number: self.heard + 1, bytes })
    }

    /// The stranger says how far they heard. Gives the messages of ours that changed.
    pub fn confirmed(&mut self, got: Got) -> Vec<u64> {
        let upto = Cursor { wire: got.number, bytes: got.bytes };
        let most = Cursor { wire: self.ours + 1, bytes: 0 };
        // Who confirms what was not said, or takes back a confirmation, says nothing.
        let sayable = self.said.is_none_or(|said| upto <= said);
        if upto > most || upto < self.confirmed || !sayable {
            return Vec::new();
        }
        self.confirmed = upto;
        self.said.get_or_insert(upto);
        let mut changed = Vec::new();
        for item in self.items.iter_mut().filter(|item| !item.theirs && !item.whole) {
            let passed = match item.wire.cmp(&upto.wire) {
                std::cmp::Ordering::Less => item.length(),
                std::cmp::Ordering::Equal => upto.bytes,
                std::cmp::Ordering::Greater => break,
            };
            item.whole = item.wire < upto.wire;
            if std::mem::replace(&mut item.passed, passed) != passed || item.whole {
                changed.push(item.number);
            }
        }
        changed
    }

    /// What can be said now.
    pub fn pump(&mut self) -> Vec<StrangerWord> {
        let Some(mut said) = self.said else { return Vec::new() };
        let mut words = Vec::new();
        let mut flight = self.flight(said);
        let begin = said.wire;
        let unsaid = self.items.iter().filter(|item| !item.theirs && item.wire >= begin);
        'all: for item in unsaid {
            match &item.content {
                Content::Text(text, frank) => {
                    let cost = text.as_str().len() + RECORD_COST;
                    if flight > 0 && flight + cost > FLIGHT_BYTES {
                        break;
                    }
                    flight += cost;
                    let (number, text, frank) = (item.wire, text.clone(), *frank);
                    words.push(StrangerWord::Text(StrangerText { number, text, frank }));
                }
                Content::Attachment { kind, bytes, length } => {
                    if said.wire < item.wire || said.bytes == 0 {
                        said = Cursor { wire: item.wire, bytes: 0 };
                        words.push(head(item.wire, kind, *length));
                    }
                    for piece in bytes.get(said.bytes as usize..).unwrap_or_default().chunks(PIECE_BYTES) {
                        if flight > 0 && flight + piece.len() + RECORD_COST > FLIGHT_BYTES {
                            break 'all;
                        }
                        flight += piece.len() + RECORD_COST;
                        let Some(bytes) = PieceBytes::new(piece.to_vec()) else { break 'all };
                        words.push(StrangerWord::Piece(Piece { number: item.wire, at: said.bytes, bytes }));
                        said.bytes = said.bytes.saturating_add(u32::try_from(piece.len()).unwrap_or(u32::MAX));
                    }
                }
            }
            said = Cursor { wire: item.wire + 1, bytes: 0 };
        }
        self.said = Some(said);
        words
    }

    /// Bytes that were said and not confirmed.
    fn flight(&self, said: Cursor) -> usize {
        let cost = |item: &Item| {
            if item.wire > said.wire || item.wire < self.confirmed.wire {
                return 0;
            }
            let from = if item.wire == self.confirmed.wire { self.confirmed.bytes } else { 0 };
            let to = if item.wire == said.wire { said.bytes } else { item.length() };
            let bytes = to.saturating_sub(from) as usize;
            if bytes == 0 { 0 } else { bytes + RECORD_COST * (1 + bytes / PIECE_BYTES) }
        };
        self.items.iter().filter(|item| !item.theirs).map(cost).sum()
    }

    // Theirs.

    fn under_way(&self) -> Option<&Item> {
        self.items.iter().rev().find(|item| item.theirs && !item.whole)
    }

    pub fn text(&mut self, said: StrangerText, at: UnixMs) -> Heard {
        if said.number != self.heard + 1 || self.under_way().is_some() {
            return Heard::NOTHING;
        }
        self.heard += 1;
        let content = Content::Text(said.text, said.frank);
        let passed = content.length();
        let wire = said.number;
        let item = Item { number: 0, theirs: true, at, wire, content, passed, whole: true, hidden: false };
        let number = self.push(item);
        Heard { number: Some(number), answer: Some(self.got()) }
    }

    pub fn media(&mut self, said: StrangerMedia, at: UnixMs) -> Heard {
        if said.number != self.heard + 1 || self.under_way().is_some() {
            return Heard::NOTHING;
        }
        let kind = match said.kind {
            MediaKind::Image => AttachmentKind::Image { width: said.shape.0, height: said.shape.1 },
            MediaKind::Note => {
                AttachmentKind::Note { duration_ms: said.shape.0, waveform: said.waveform.as_slice().to_vec() }
            }
            MediaKind::Unknown => return Heard::NOTHING,
        };
        if said.length == 0 || said.length as usize > most(&kind) {
            return Heard::NOTHING;
        }
        // All at once, so that no shorter copy stays behind.
        let bytes = Zeroizing::new(Vec::with_capacity(said.length as usize));
        let content = Content::Attachment { kind, bytes, length: said.length };
        self.told = 0;
        let wire = said.number;
        let item = Item { number: 0, theirs: true, at, wire, content, passed: 0, whole: false, hidden: false };
        Heard { number: Some(self.push(item)), answer: None }
    }

    pub fn piece(&mut self, piece: &Piece) -> Heard {
        let next = self.heard + 1;
        let Some(item) = self.items.iter_mut().rev().find(|item| item.theirs && !item.whole && item.wire == next)
        else {
            return Heard::NOTHING;
        };
        let Content::Attachment { bytes, length, .. } = &mut item.content else { return Heard::NOTHING };
        let known = item.passed.checked_sub(piece.at).map(|known| known as usize);
        let Some(new) = known.and_then(|known| piece.bytes.as_slice().get(known..)) else { return Heard::NOTHING };
        let room = *length as usize - bytes.len();
        let new = new.get(..new.len().min(room)).unwrap_or_default();
        if new.is_empty() {
            return Heard::NOTHING;
        }
        bytes.extend_from_slice(new);
        item.passed = u32::try_from(bytes.len()).unwrap_or(*length);
        item.whole = item.passed == *length;
        let (number, passed, whole, hidden) = (item.number, item.passed, item.whole, item.hidden);
        if whole {
            self.heard += 1;
            self.told = 0;
            if hidden {
                self.drop(number);
            }
        } else if passed.saturating_sub(self.told) < CONFIRM_BYTES {
            return Heard { number: Some(number), answer: None };
        } else {
            self.told = passed;
        }
        Heard { number: Some(number), answer: Some(self.got()) }
    }

    // What can be seen, and what is left of it.

    /// Shows a message of theirs no longer; what of it is here goes at once, or with its last byte, as what is to come of it is
    /// counted from what is here.
    pub fn hide(&mut self, number: u64) -> Option<()> {
        let item = self.items.iter_mut().find(|item| item.number == number && item.theirs && !item.hidden)?;
        item.hidden = true;
        if item.whole {
            self.drop(number);
        }
        Some(())
    }

    fn drop(&mut self, number: u64) {
        let at = self.items.iter().position(|item| item.number == number);
        at.and_then(|at| self.items.remove(at)).into_iter().for_each(Item::erase);
    }

    /// A signed text of theirs: its number among theirs, the words, the signature.
    pub fn signed(&self, number: u64) -> Option<(u64, Text, Frank)> {
        let item = self.items.iter().find(|item| item.number == number && item.theirs && !item.hidden)?;
        match &item.content {
            Content::Text(text, Some(frank)) => Some((item.wire, text.clone(), *frank)),
            _ => None,
        }
    }

    /// The messages from this number on, oldest first.
    pub fn from(&self, number: u64) -> Vec<StrangerMessage> {
        self.items.iter().filter(|item| item.number >= number && !item.hidden).map(Item::view).collect()
    }

    /// What is held, counted.
    pub fn held(&self) -> Held {
        self.items.iter().fold(Held::default(), |held, item| item.count(held))
    }

    /// Erases everything and counts it as it goes.
    pub fn erase(&mut self) -> Held {
        let mut erased = Held::default();
        while let Some(item) = self.items.pop_front() {
            erased = item.count(erased);
            item.erase();
        }
        *self = Self::new();
        erased
    }
}

impl Content {
    fn bytes(&self) -> usize {
        match self {
            Self::Text(text, _) => text.as_str().len(),
            Self::Attachment { length, .. } => *length as usize,
        }
    }

    fn length(&self) -> u32 {
        u32::try_from(self.bytes()).unwrap_or(u32::MAX)
    }
}

impl Item {
    fn bytes(&self) -> usize {
        self.content.bytes()
    }

    fn length(&self) -> u32 {
        self.content.length()
    }

    fn view(&self) -> StrangerMessage {
        let content = match &self.content {
            Content::Text(text, _) => StrangerContent::Text(text.clone()),
            Content::Attachment { kind, bytes, length } => {
                StrangerContent::Attachment(Attachment { kind: kind.clone(), bytes: bytes.clone() }, *length)
            }
        };
        let (number, theirs, at, passed, whole) = (self.number, self.theirs, self.at, self.passed, self.whole);
        StrangerMessage { number, theirs, at, content, passed, whole }
    }

    fn count(&self, mut held: Held) -> Held {
        let kind = match &self.content {
            Content::Text(..) => &mut held.texts,
            Content::Attachment { kind: AttachmentKind::Image { .. }, .. } => &mut held.images,
            Content::Attachment { kind: AttachmentKind::Note { .. }, .. } => &mut held.notes,
        };
        *kind += 1;
        held.bytes += match &self.content {
            Content::Text(text, _) => text.as_str().len() as u64,
            Content::Attachment { bytes, .. } => bytes.len() as u64,
        };
        held
    }

    fn erase(self) {
        match self.content {
            Content::Text(text, _) => text.into_string().zeroize(),
            Content::Attachment { mut bytes, .. } => bytes.zeroize(),
        }
    }
}

fn most(kind: &AttachmentKind) -> usize {
    match kind {
        AttachmentKind::Image { .. } => STRANGER_IMAGE_BYTES,
        AttachmentKind::Note { .. } => STRANGER_NOTE_BYTES,
    }
}

fn head(number: u64, kind: &AttachmentKind, length: u32) -> StrangerWord {
    let (kind, shape, waveform) = match kind {
        AttachmentKind::Image { width, height } => (MediaKind::Image, (*width, *height), Loud::default()),
        AttachmentKind::Note { duration_ms, waveform } => {
            (MediaKind::Note, (*duration_ms, 0), Loud::new(waveform.clone()).unwrap_or_default())
        }
    };
    StrangerWord::Media(StrangerMedia { number, kind, length, shape, waveform })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(number: u64, words: &str) -> StrangerText {
        StrangerText { number, text: Text::parse(words).expect("a text"), frank: None }
    }

    fn piece(at: u32, bytes: &[u8]) -> Piece {
        Piece { number: 2, at, bytes: PieceBytes::new(bytes.to_vec()).expect("few") }
    }

    #[test]
    fn what_comes_twice_or_out_of_turn_is_heard_once_and_in_turn() {
        let mut log = Log::new();
        let at = UnixMs(1);
        assert!(log.text(text(2, "early"), at).number.is_none());
        assert_eq!(log.text(text(1, "hello"), at).number, Some(1));
        assert!(log.text(text(1, "hello"), at).number.is_none(), "once");
        let head =
            StrangerMedia { number: 2, kind: MediaKind::Image, length: 6, shape: (1, 1), waveform: Loud::default() };
        assert_eq!(log.media(head.clone(), at).number, Some(2));
        assert!(log.media(head, at).number.is_none() && log.text(text(2, "between"), at).number.is_none());
        assert!(log.piece(&piece(1, b"gap")).number.is_none());
        assert_eq!(log.piece(&piece(0, b"abc")).number, Some(2));
        assert_eq!(log.piece(&piece(1, b"bcde")).number, Some(2), "what is known of it is passed over");
        assert!(log.piece(&piece(0, b"abc")).number.is_none());
        assert!(log.piece(&piece(5, b"f and more than it has")).answer.is_some());
        let StrangerContent::Attachment(image, 6) = &log.from(2)[0].content else { panic!("an image") };
        assert_eq!(image.bytes.as_slice(), b"abcdef");
        assert_eq!(log.held(), log.erase());
        assert_eq!((log.len(), log.held()), (0, Held::default()));
    }

    #[test]
    fn what_is_hidden_is_gone_at_once_or_with_its_last_byte_and_the_talk_goes_on() {
        let mut log = Log::new();
        let at = UnixMs(1);
        log.text(text(1, "hello"), at);
        assert_eq!((log.hide(1), log.hide(1), log.hide(9)), (Some(()), None, None));
        assert_eq!((log.len(), log.held()), (0, Held::default()));
        let head =
            StrangerMedia { number: 2, kind: MediaKind::Image, length: 4, shape: (1, 1), waveform: Loud::default() };
        let image = log.media(head, at).number.expect("it begins");
        log.piece(&piece(0, b"ab"));
        assert!(log.hide(image).is_some() && log.from(0).is_empty());
        assert!(log.piece(&piece(2, b"cd")).answer.is_some(), "its sender is told that it is here");
        assert_eq!(log.held(), Held::default());
        assert!(log.text(text(3, "next"), at).number.is_some());
        log.say(Text::parse("ours").expect("a text"), None, at).expect("room");
        let ours = log.from(0).last().expect("a message").number;
        assert_eq!(log.hide(ours), None, "what we said they have");
    }

    #[test]
    fn nobody_confirms_what_was_not_said_or_takes_a_confirmation_back() {
        let mut log = Log::new();
        log.say(Text::parse("one").expect("a text"), None, UnixMs(1)).expect("room");
        assert!(log.pump().is_empty(), "nothing before the stranger said how far they heard");
        assert!(log.confirmed(Got { number: 9, bytes: 0 }).is_empty() && log.pump().is_empty());
        assert!(log.confirmed(Got { number: 1, bytes: 0 }).is_empty());
        assert_eq!(log.pump().len(), 1);
        assert_eq!(log.confirmed(Got { number: 2, bytes: 0 }), [1]);
        assert!(log.confirmed(Got { number: 1, bytes: 0 }).is_empty());
        log.rewind();
        assert!(
            log.confirmed(Got { number: 2, bytes: 0 }).is_empty() && log.pump().is_empty(),
            "and nothing is said twice"
        );
    }
}
