//! What two phones say about a second link of their session, made beside the one in use.

use crate::account::Empty;
use crate::connect::{Candidate, Description};
use crate::tagged::tagged;

tagged! {
    /// A word about a second link.
    pub enum PathWord {
        /// My end of it.
        1 => End(Description),
        /// An address of that end.
        2 => Candidate(Candidate),
        /// What I say from here on goes over the other link.
        3 => Moved(Empty),
        /// Let us make one, you who offer links in this session.
        4 => Wanted(Empty),
        /// You may learn my address, if I may learn yours.
        5 => Willing(Empty),
    }
}
