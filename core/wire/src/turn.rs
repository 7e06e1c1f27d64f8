//! TURN on a byte stream, over TCP or TLS: where one message ends and the next begins.
//!
//! STUN messages say how long they are; channel data says so without the padding that a stream adds to it (RFC 8489
//! section 6.2.2, RFC 8656 section 12.5).

/// Longest message: a datagram as long as one travels, within an indication.
pub const MESSAGE_BYTES: usize = 4_096;

/// What came is no message, or too long a one. There is no way to find the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no message of STUN or TURN")]
pub struct NoMessage;

/// How long a message is that begins like this, without padding; `None` while fewer than four bytes are known.
///
/// # Errors
///
/// [`NoMessage`].
pub fn length(begin: &[u8]) -> Result<Option<usize>, NoMessage> {
    let Some([first, _, high, low]) = begin.first_chunk::<4>() else { return Ok(None) };
    let said = usize::from(u16::from_be_bytes([*high, *low]));
    let header = match first >> 6 {
        0 if said.is_multiple_of(4) => 20,
        1 => 4,
        _ => return Err(NoMessage),
    };
    let length = said.saturating_add(header);
    if length.next_multiple_of(4) <= MESSAGE_BYTES { Ok(Some(length)) } else { Err(NoMessage) }
}

/// Appends a message to what goes onto a stream, padded to a multiple of four.
pub fn put(onto: &mut Vec<u8>, message: &[u8]) {
    let padded = message.len().next_multiple_of(4).saturating_sub(message.len());
    onto.extend_from_slice(message);
    onto.resize(onto.len().saturating_add(padded), 0);
}

/// Splits what comes of a stream into messages, within a fixed room.
#[derive(Debug)]
pub struct Messages {
    bytes: Vec<u8>,
    begin: usize,
    end: usize,
}

impl Messages {
    /// Begins with what was read of the stream already; what is longer than a message is cut off.
    pub fn new(begun: &[u8]) -> Self {
        let mut bytes = vec![0; MESSAGE_BYTES];
        bytes.iter_mut().zip(begun).for_each(|(place, byte)| *place = *byte);
        Self { bytes, begin: 0, end: begun.len().min(MESSAGE_BYTES) }
    }

    /// Where to read to: never empty after [`Messages::take`] gave nothing.
    pub fn room(&mut self) -> &mut [u8] {
        self.bytes.copy_within(self.begin..self.end, 0);
        (self.begin, self.end) = (0, self.end.saturating_sub(self.begin));
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// So many bytes were read into the room.
    pub fn read(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.bytes.len());
    }

    /// The next message that is whole, without its padding.
    ///
    /// # Errors
    ///
    /// [`NoMessage`]: the stream is of no use any more.
    pub fn take(&mut self) -> Result<Option<&[u8]>, NoMessage> {
        let waiting = self.bytes.get(self.begin..self.end).unwrap_or_default();
        let Some(length) = length(waiting)? else { return Ok(None) };
        let padded = length.next_multiple_of(4);
        if waiting.len() < padded {
            return Ok(None);
        }
        self.begin = self.begin.saturating_add(padded);
        Ok(waiting.get(..length))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "tests")]
mod tests {
    use super::*;

    fn stun(body: usize) -> Vec<u8> {
        let mut message = vec![0, 1, (body >> 8) as u8, body as u8];
        message.resize(20 + body, 7);
        message
    }

    fn channel(data: usize) -> Vec<u8> {
        let mut message = vec![0x40, 1, (data >> 8) as u8, data as u8];
        message.resize(4 + data, 9);
        message
    }

    #[test]
    fn messages_come_whole_however_they_were_cut() {
        let sent = [stun(0), channel(5), channel(0), stun(96), channel(1_200), channel(3)];
        let mut line = Vec::new();
        sent.iter().for_each(|message| put(&mut line, message));
        for step in [1, 3, 19, 20, 21, 500, line.len()] {
            let (mut messages, mut heard) = (Messages::new(&line[..1]), Vec::new());
            for piece in line[1..].chunks(step) {
                messages.room()[..piece.len()].copy_from_slice(piece);
                messages.read(piece.len());
                while let Some(message) = messages.take().unwrap() {
                    heard.push(message.to_vec());
                }
            }
            assert_eq!(heard, sent, "in pieces of {step}");
        }
    }

    #[test]
    fn what_is_no_message_or_too_long_a_one_is_told_from_its_first_bytes() {
        for bytes in [
            &b"GET / HTTP/1.1\r\n"[..4],
            &b"POST"[..],
            &[0x16, 3, 1, 2],
            &[0x80, 0, 0, 0],
            &[0, 1, 0, 3],
            &[0, 1, 0xff, 0xfc],
            &[0x40, 0, 0xff, 0xff],
        ] {
            assert_eq!(Messages::new(bytes).take(), Err(NoMessage), "{bytes:?}");
        }
        let longest = stun(MESSAGE_BYTES - 20);
        assert_eq!(Messages::new(&longest).take().unwrap(), Some(&longest[..]));
        assert_eq!(length(&stun(MESSAGE_BYTES - 16)), Err(NoMessage));
    }

    #[test]
    fn a_message_that_never_ends_takes_no_more_than_its_room() {
        let mut messages = Messages::new(&stun(MESSAGE_BYTES - 20)[..4]);
        for _ in 4..MESSAGE_BYTES {
            assert_eq!(messages.take(), Ok(None));
            assert!(!messages.room().is_empty());
            messages.read(1);
        }
        assert!(messages.take().unwrap().is_some());
        assert_eq!(messages.bytes.capacity(), MESSAGE_BYTES);
    }
}
