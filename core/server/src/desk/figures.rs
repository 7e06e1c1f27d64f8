//! What the server counts: numbers without a person in them.

use serde::Serialize;
use sidetone_wire::envelope::Class;

/// Counters since the start, but for `sockets`, which is now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Open sockets.
    pub sockets: u64,
    /// Websocket messages received.
    pub frames_in: u64,
    /// Bytes of them.
    pub bytes_in: u64,
    /// Websocket messages handed to sockets.
    pub frames_out: u64,
    /// Bytes of them.
    pub bytes_out: u64,
    /// Envelopes routed that asked for a call.
    pub ring: Routed,
    /// Envelopes routed that asked for a link.
    pub connect: Routed,
    /// Envelopes routed within a session.
    pub control: Routed,
    /// Envelopes routed within rooms.
    pub room: Routed,
    /// Envelopes routed between strangers.
    pub stranger: Routed,
    /// Searches for strangers.
    pub searches: u64,
    /// Rooms opened or taken back.
    pub rooms_opened: u64,
    /// Entries into rooms, refused ones included.
    pub rooms_entered: u64,
    /// Tries at spoken codes.
    pub knocks: u64,
    /// Accounts made.
    pub registered: u64,
    /// Logins that succeeded.
    pub logins: u64,
    /// Sessions resumed.
    pub resumed: u64,
    /// Sockets that were told to go away.
    pub sent_away: u64,
    /// Requests refused.
    pub refused: u64,
}

/// Envelopes of one class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Routed {
    /// How many.
    pub envelopes: u64,
    /// Their sealed bytes, padding included.
    pub bytes: u64,
}

impl Figures {
    pub(super) fn routed(&mut self, class: Class, bytes: usize) {
        let routed = match class {
            Class::Ring => &mut self.ring,
            Class::Connect => &mut self.connect,
            Class::Control | Class::Unknown => &mut self.control,
        };
        routed.count(bytes);
    }

    pub(super) fn routed_to_stranger(&mut self, bytes: usize) {
        self.stranger.count(bytes);
    }

    pub(super) fn routed_in_room(&mut self, bytes: usize) {
        self.room.count(bytes);
    }
}

impl Routed {
    fn count(&mut self, bytes: usize) {
        self.envelopes += 1;
        self.bytes += bytes as u64;
    }
}
