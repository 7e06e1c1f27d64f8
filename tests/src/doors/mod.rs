//! A door for every decoder: any bytes go in, it must return, and what it lets in must be what it says.
//!
//! The fuzzer (`tests/fuzz`) and the test of the kept inputs go through the same doors.

mod desk;
mod engine;
mod playout;
mod script;

use sidetone::transfer::frame as file;
use sidetone::transfer::picture::{Origin, ready};
use sidetone_crypto::fuzz;
use sidetone_engine::row::{
    AccountRow, ChatRow, ContentRow, DraftRow, FadeRow, FriendRow, MessageRow, OutgoingRow, Place, PreferencesRow,
    ReactionRow, RoomRow, Row, Table,
};
use sidetone_engine::transfer::row::{FilePolicy, PastRow, PreviewRow, TransferRow};
use sidetone_engine::{Config, Cost, Engine, Input, Now};
use sidetone_wire::envelope::Sealed;
use sidetone_wire::frame::Frame;
use sidetone_wire::id::UserId;
use sidetone_wire::record::Record;
use zeroize::Zeroizing;

pub use desk::desk;
pub use engine::{engine, play};
pub use playout::{playout, voice};
pub use script::Script;

/// A door.
pub type Door = fn(&[u8]);

/// Every door, by the name of its fuzz target and of the folder of its kept inputs.
pub const DOORS: [(&str, Door); 20] = [
    ("desk", desk),
    ("engine", engine),
    ("envelope", envelope),
    ("file_frame", file_frame),
    ("frame", frame),
    ("login", fuzz::login),
    ("media_frame", fuzz::frame),
    ("message1", fuzz::message1),
    ("message2", fuzz::message2),
    ("message3", fuzz::message3),
    ("picture", picture),
    ("playout", playout),
    ("record", record),
    ("record_inside", fuzz::record_inside),
    ("row", row),
    ("safety_code", fuzz::safety_code),
    ("sealed_record", fuzz::record),
    ("spoken_code", fuzz::spoken_code),
    ("ticket", fuzz::ticket),
    ("vault", fuzz::vault),
];

/// A websocket message.
pub fn frame(bytes: &[u8]) {
    let Ok(frame) = Frame::from_bytes(bytes) else { return };
    if let Ok(again) = frame.to_bytes() {
        assert_eq!(Frame::from_bytes(&again), Ok(frame), "a frame is what it says");
    }
}

/// What one file pump says to another.
pub fn file_frame(bytes: &[u8]) {
    let Some(frame) = file::Frame::read(bytes.to_vec().into()) else { return };
    assert_eq!(file::Frame::read(frame.write()), Some(frame), "a message is what it says");
}

/// An image that is to be sent.
pub fn picture(bytes: &[u8]) {
    let Ok(ready) = ready(bytes, Origin::Remove) else { return };
    let cleaned = ready.cleaned.expect("a copy that does not tell");
    let again = sidetone::transfer::picture::ready(&cleaned, Origin::Remove).expect("what was cleaned can be shown");
    assert_eq!(again.cleaned, Some(cleaned), "nothing is left to be removed");
}

/// The clear text of a record.
pub fn record(bytes: &[u8]) {
    let Ok(record) = Record::from_bytes(bytes) else { return };
    if let Ok(again) = record.to_bytes() {
        assert_eq!(Record::from_bytes(&again), Ok(record), "a record is what it says");
    }
}

/// What a friend put into an envelope, with its padding.
pub fn envelope(bytes: &[u8]) {
    let Ok(sealed) = Sealed::unpad(bytes) else { return };
    if let Ok(again) = sealed.pad() {
        assert_eq!(Sealed::unpad(&again), Ok(sealed), "an envelope is what it says");
    }
}

/// A row of the store: its table by the first byte, then its value; an engine must live on whatever it reads.
pub fn row(bytes: &[u8]) {
    let Some((table, value)) = bytes.split_first() else { return };
    let table = Table::ALL[usize::from(*table) % Table::ALL.len()];
    match table {
        Table::Account => same::<AccountRow>(value),
        Table::Friend => same::<FriendRow>(value),
        Table::Chat => same::<ChatRow>(value),
        Table::Outgoing => same::<OutgoingRow>(value),
        Table::Message => same::<MessageRow>(value),
        Table::Transfer => same::<TransferRow>(value),
        Table::Past => same::<PastRow>(value),
        Table::FilePolicy => same::<FilePolicy>(value),
        Table::Preview => same::<PreviewRow>(value),
        Table::Preferences => same::<PreferencesRow>(value),
        Table::Content => same::<ContentRow>(value),
        Table::Reaction => same::<ReactionRow>(value),
        Table::Fade => same::<FadeRow>(value),
        Table::Draft => same::<DraftRow>(value),
        Table::Room => same::<RoomRow>(value),
    }
    let owner = UserId([9; 16]);
    let config = Config { seed: [1; 32], login_cost: Cost::Least };
    let rows = [(Place { table, owner, position: 1 }, Zeroizing::new(value.to_vec()))];
    let Ok(mut engine) = Engine::restore(config, rows) else { return };
    let _ = (engine.account(), engine.friends(), engine.friend(owner));
    engine.step(Now::default(), Input::Online(true), &mut Vec::new());
    let _ = engine.deadline();
}

fn same<R: Row + PartialEq>(value: &[u8]) {
    let Ok(row) = R::read(value) else { return };
    let again = row.put(UserId([9; 16]), 1).value.expect("a row that is written");
    assert!(R::read(&again).is_ok_and(|again| again == row), "a row is what it says");
}
