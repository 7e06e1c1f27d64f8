//! Video frames of any codec: sealed whole, cut into packets as they leave, paced, put together again and shown in time.
//!
//! The core never looks into a frame. What it must know is in its [`Info`], which is sealed with it. [`Gate`] refuses
//! what an app should not push; a [`Sender`] and a [`Receiver`] are the two ends of one track on one link, [`Uplink`] and
//! [`Downlink`] those of both tracks of a peer, and an [`Estimator`] says what their path bears; a [`Fan`] decides for one
//! encoder and everybody who watches it; a [`Presenter`] shows frames together with the sound they belong to.

mod burst;
mod downlink;
mod estimate;
mod fan;
mod frame;
mod gap;
mod packet;
mod present;
mod probe;
mod receive;
mod report;
mod send;
mod spread;
mod uplink;

pub use downlink::Downlink;
pub use estimate::{DelayEstimator, Estimator, Fate, Headroom};
pub use fan::{Advice, Fan, Pause, TRIAL_BPS};
pub use frame::{Codec, FRAME_BYTES, FrameError, Gate, INFO_BYTES, Info, Kind, Rotation};
pub use packet::{Descriptor, PACKETS, PAYLOAD_BYTES, SEALED_BYTES};
pub use present::{Presenter, Shown};
pub use receive::{Assembled, Received, Receiver, ReceiverStats};
pub use report::{ASKED, REPORT_BYTES, Report, TOLD, Track};
pub use send::{OVERHEAD, Packet, Pushed, QUEUE_US, Room, Sender, SenderStats};
pub use uplink::{Outgoing, Uplink};
