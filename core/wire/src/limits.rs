//! Every bound of the protocol. Bytes are bytes, times are milliseconds.

/// Largest websocket frame in either direction.
pub const FRAME_BYTES: usize = 32 * 1024;
/// Largest sealed envelope after padding.
pub const ENVELOPE_BYTES: usize = 16 * 1024;
/// Sizes to which an envelope is padded.
pub const ENVELOPE_BUCKETS: [usize; 4] = [256, 1024, 4 * 1024, ENVELOPE_BYTES];
/// Largest text of one message, in UTF-8 bytes.
pub const TEXT_BYTES: usize = 64 * 1024;
/// Largest record before encryption: a text of full length and the fields around it.
pub const RECORD_BYTES: usize = TEXT_BYTES + 1024;
/// Reactions of one person to one message.
pub const REACTIONS: usize = 8;
/// Longest reaction, in UTF-8 bytes: any one emoji, with its joiners.
pub const EMOJI_BYTES: usize = 32;
/// Seconds that a disappearing message may stay: to a year.
pub const STAY_S: std::ops::RangeInclusive<u32> = 1..=31_536_000;
/// Longest file: that of its chunked encryption.
pub const FILE_BYTES: u64 = (1 << 52) - 1;
/// Longest name of a file, in UTF-8 bytes: what file systems take.
pub const FILE_NAME_BYTES: usize = 255;
/// Longest media type.
pub const MIME_BYTES: usize = 127;
/// Largest picture that goes with the offer of an image.
pub const THUMBNAIL_BYTES: usize = 8 * 1024;
/// Points of a voice note's shape.
pub const WAVEFORM_POINTS: usize = 64;
/// Names of people: characters after normalisation.
pub const NAME_CHARS: std::ops::RangeInclusive<usize> = 3..=32;
/// Longest e-mail address (RFC 5321 section 4.5.3.1.3).
pub const EMAIL_BYTES: usize = 254;
/// Longest text of an operator's announcement.
pub const ANNOUNCEMENT_BYTES: usize = 4 * 1024;
/// Friends, requests and blocks of one account together.
pub const ROSTER_PEOPLE: usize = 10_000;
/// People in one page of a roster, so that a page fits a frame.
pub const ROSTER_PAGE: usize = 100;
/// Items confirmed by one record.
pub const CONFIRMED_ITEMS: usize = 256;
/// Candidates a peer may name on one link.
pub const CANDIDATES: usize = 64;
/// Members of a room's mesh.
pub const MEMBERS: usize = 16;
/// Rooms a session may be in at once.
pub const ROOMS: usize = 8;
/// Rooms the server keeps for one account.
pub const ROOMS_KEPT: usize = 64;
/// Longest name of a kept room, in UTF-8 bytes.
pub const ROOM_NAME_BYTES: usize = 96;
/// Nameplates one room may have at once.
pub const PLATES: usize = 4;
/// Failed tries after which a nameplate burns.
pub const PLATE_TRIES: usize = 3;
/// Largest message of one try at a spoken code.
pub const PLATE_BYTES: usize = 1024;

/// The first frame of a socket comes within this.
pub const HELLO_MS: u64 = 5_000;
/// A socket on which nothing was heard for this long is closed.
pub const IDLE_MS: u64 = 75_000;
/// A phone that has nothing to say pings this often.
pub const PING_MS: u64 = 25_000;
/// A session whose socket is gone can be resumed this long.
pub const RESUME_MS: u64 = 120_000;
/// Requests a session may make a second, beside sealed bytes to be carried.
pub const REQUESTS_PER_S: u32 = 20;
/// Requests a session may make in a burst.
pub const REQUEST_BURST: u32 = 60;
/// Sealed bytes a session may have carried a second, in envelopes.
pub const ROUTES_PER_S: u32 = 50;
/// Envelopes a session may have carried in a burst: what it takes to meet everybody in a full room at once.
pub const ROUTE_BURST: u32 = 480;
/// Bytes waiting for one session's socket before it is closed with `overflow`.
pub const OUTBOUND_BYTES: usize = 64 * 1024;
/// Events kept for one session's resume.
pub const RESUME_EVENTS: usize = 512;
/// A request repeated with its number within this time is answered again, not done again.
pub const REQUEST_MEMORY_MS: u64 = 120_000;
/// Longest name for one conversation with a stranger, in UTF-8 bytes.
pub const NICKNAME_BYTES: usize = 48;
/// Longest tag of a language.
pub const LANGUAGE_BYTES: usize = 16;
/// Longest image between strangers.
pub const STRANGER_IMAGE_BYTES: usize = 1024 * 1024;
/// Longest voice note between strangers.
pub const STRANGER_NOTE_BYTES: usize = 512 * 1024;
/// Most bytes of an image or voice note in one record.
pub const PIECE_BYTES: usize = 16 * 1024;
/// Most texts that a complaint may show.
pub const SHOWN_TEXTS: usize = 16;
/// Most bytes of texts that a complaint may show, together.
pub const SHOWN_BYTES: usize = 24 * 1024;
/// Most zeros a phone works for.
pub const PROOF_BITS: u8 = 24;
/// Interests of one search.
pub const INTERESTS: usize = 8;

/// Both sides of a match say within this that they want it.
pub const ACCEPT_MS: u64 = 10_000;
/// A search looks for somebody with the same interests this long, then for anybody.
pub const INTERESTS_MS: u64 = 5_000;
/// A search without anybody to match is given up after this.
pub const SEEK_MS: u64 = 120_000;
/// Two who parted are not matched again for this long, unless both ask.
pub const APART_MS: u64 = 600_000;
/// Two who parted may ask for each other again within this.
pub const AGAIN_MS: u64 = 30_000;
/// How long a nameplate holds unless a longer time is asked for.
pub const PLATE_MS: u64 = 600_000;
/// The longest time for which a nameplate is given.
pub const PLATE_LONGEST_MS: u64 = 3_600_000;
/// A try at a spoken code that is not decided within this has failed.
pub const ATTEMPT_MS: u64 = 30_000;
/// Somebody in a room whom no member answered holds a seat there for this long and no longer.
pub const UNVOUCHED_MS: u64 = 10_000;

/// How far the clock in a handshake may be from ours.
pub const HANDSHAKE_SKEW_MS: u64 = 120_000;
/// Longest address of a push service's endpoint.
pub const PUSH_ENDPOINT_BYTES: usize = 1_024;
/// Longest token of a device at its platform's push service.
pub const PUSH_TOKEN_BYTES: usize = 512;
/// A phone is woken no more often than this.
pub const WAKE_EVERY_MS: u64 = 10_000;

/// How long an incoming or outgoing call rings.
pub const RING_MS: u64 = 45_000;
