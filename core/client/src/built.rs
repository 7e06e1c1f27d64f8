//! What this build of the library can do: an app that only writes, or only speaks, links less.
//!
//! The features are constants, so that both are compiled and looked at in every build, and what is left out falls away when
//! an app's library is linked.

use sidetone_engine::room::RoomCommand;
use sidetone_engine::stranger::StrangerCommand;
use sidetone_engine::{CallState, CallView, Command, Direction};

/// Whether anybody can be heard: calls, rooms.
pub const CALLS: bool = cfg!(feature = "calls");
/// Whether anybody can be seen.
pub const VIDEO: bool = CALLS && cfg!(feature = "video");
/// Whether still images are looked into.
pub const IMAGES: bool = cfg!(feature = "images");

/// Whether this build does what is wanted. What only ends something is always done.
pub fn can(command: &Command) -> bool {
    match command {
        Command::Show(..) | Command::ShowCamera(..) | Command::ShowScreen(..) => VIDEO,
        Command::Call(_) | Command::AnswerCall(_) => CALLS,
        Command::Room(RoomCommand::Open(_) | RoomCommand::Join(_) | RoomCommand::Rejoin(_)) => CALLS,
        Command::Stranger(StrangerCommand::Call(_) | StrangerCommand::Answer(_)) => CALLS,
        _ => true,
    }
}

/// What is answered to a call that nobody here can take: its caller need not wait.
pub fn refusal(view: &CallView) -> Option<Command> {
    let rings = view.state == CallState::Ringing && view.direction == Direction::Incoming;
    (!CALLS && rings).then_some(Command::DeclineCall(view.call))
}
