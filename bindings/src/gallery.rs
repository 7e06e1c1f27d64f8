//! Pictures in rooms, but for the encoded frames themselves: those go through the media port.

use std::sync::Arc;

use crate::client::RawClient;
use crate::error::SidetoneError;
use crate::id::{MemberId, RoomId};
use crate::pictures::{RawFrames, Shows, VideoFigures, VideoSource, Wants, Watched, figures};

#[uniffi::export]
impl RawClient {
    /// Shows everybody in a room pictures, or no longer. Frames are taken once the event `Bitrate` says so.
    pub async fn show_in_room(&self, room: RoomId, shows: Shows) -> Result<(), SidetoneError> {
        Ok(self.inner().show_in_room(room.inner()?, shows.into()).await?)
    }

    /// Tells a member how large its pictures are of use here: 0 lines for none at all, and then none are sent to us.
    pub async fn want_in_room(&self, room: RoomId, member: MemberId, wants: Wants) -> Result<(), SidetoneError> {
        Ok(self.inner().want_in_room(room.inner()?, member.inner()?, wants.into()).await?)
    }

    /// Waits for frames of anybody in a room.
    pub fn room_frames(&self, room: RoomId) -> Result<Arc<RawFrames>, SidetoneError> {
        let room = room.inner()?;
        Ok(RawFrames::of(self, Watched::Room(room, self.inner().room_video(room))))
    }

    /// What passed of a track between us and a member; none where there is no such member.
    pub fn room_video_figures(
        &self,
        room: RoomId,
        member: MemberId,
        source: VideoSource,
    ) -> Result<Option<VideoFigures>, SidetoneError> {
        let (video, member, source) = (self.pictures()?.in_room(room.inner()?), member.inner()?, source.into());
        Ok(video.stats(member, source).map(|stats| figures(&stats, video.behind_us(member, source))))
    }

    /// Whether the path to a member bears our pictures; while it does not, the member hears us only.
    pub fn follows_in_room(&self, room: RoomId, member: MemberId, source: VideoSource) -> Result<bool, SidetoneError> {
        Ok(self.pictures()?.in_room(room.inner()?).follows(member.inner()?, source.into()))
    }

    /// Takes no more of each path in a room than this, in bits a second, for as long as we are in it.
    pub fn limit_room_video(&self, room: RoomId, bps: u64) -> Result<(), SidetoneError> {
        self.pictures()?.in_room(room.inner()?).set_limit_bps(bps);
        Ok(())
    }
}
