//! What waits for one socket.

use sidetone_wire::id::Seq;
use sidetone_wire::limits::OUTBOUND_BYTES;

/// What a socket has to send.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// Websocket messages, in order.
    pub frames: Vec<Vec<u8>>,
    /// Whether the socket is closed after them.
    pub close: bool,
}

/// Frames that wait for a socket, within [`OUTBOUND_BYTES`].
#[derive(Default)]
pub(super) struct Outbox {
    frames: Vec<Vec<u8>>,
    bytes: usize,
    closing: bool,
}

/// The outbox is full.
pub(super) struct Full;

impl Outbox {
    pub(super) fn push(&mut self, frame: Vec<u8>) -> Result<(), Full> {
        if self.bytes + frame.len() > OUTBOUND_BYTES {
            return Err(Full);
        }
        self.bytes += frame.len();
        self.frames.push(frame);
        Ok(())
    }

    /// The last frame, for which there is always room.
    pub(super) fn close(&mut self, frame: Vec<u8>) {
        self.frames.push(frame);
        self.closing = true;
    }

    pub(super) fn room(&self) -> usize {
        OUTBOUND_BYTES.saturating_sub(self.bytes)
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing
    }

    pub(super) fn take(&mut self) -> Outgoing {
        self.bytes = 0;
        Outgoing { frames: std::mem::take(&mut self.frames), close: self.closing }
    }
}

/// Bytes that [`told`] puts around an event.
pub(super) const TOLD_BYTES: usize = 14;

/// The frame that tells an encoded event: what [`sidetone_wire::frame::Frame::Event`] encodes to, without decoding the
/// event first. The number is given by the bus after the event was encoded, and one event may go to several sessions.
pub(super) fn told(seq: Seq, event: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(event.len() + TOLD_BYTES);
    frame.extend_from_slice(&[0x82, 0x06, 0xa2, 0x00]);
    let seq = seq.0;
    match seq {
        0..=0x17 => frame.push(seq as u8),
        0x18..=0xff => frame.extend_from_slice(&[0x18, seq as u8]),
        0x100..=0xffff => {
            frame.push(0x19);
            frame.extend_from_slice(&(seq as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            frame.push(0x1a);
            frame.extend_from_slice(&(seq as u32).to_be_bytes());
        }
        _ => {
            frame.push(0x1b);
            frame.extend_from_slice(&seq.to_be_bytes());
        }
    }
    frame.push(0x01);
    frame.extend_from_slice(event);
    frame
}

#[cfg(test)]
mod tests {
    use sidetone_wire::encode;
    use sidetone_wire::frame::{Event, Frame, Presence, Told};
    use sidetone_wire::id::UserId;
    use sidetone_wire::limits::FRAME_BYTES;

    use super::*;

    #[test]
    fn a_told_event_has_the_bytes_of_the_wire() {
        let event = Event::Presence(Presence { user: UserId([7; 16]), online: true });
        let bytes = encode(&event, FRAME_BYTES).unwrap();
        for seq in [1, 23, 24, 255, 256, 65_535, 65_536, u64::from(u32::MAX), u64::from(u32::MAX) + 1, u64::MAX] {
            let frame = Frame::Event(Told { seq: Seq(seq), event: event.clone() }).to_bytes().unwrap();
            assert_eq!(told(Seq(seq), &bytes), frame, "event {seq}");
            assert!(frame.len() <= bytes.len() + TOLD_BYTES);
        }
    }
}
