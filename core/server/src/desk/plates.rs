//! Spoken codes: the server knows the number, never the words. It carries the messages of a try and counts failures.

use sidetone_wire::account::{Code, Refusal, Reply};
use sidetone_wire::id::SessionId;
use sidetone_wire::limits::PLATE_BYTES;
use sidetone_wire::room::{Judged, Knock, OpenPlate, Said, Verdict};

use super::requests::done;
use super::{Bus, Desk, Now, SocketId, Store, refuse};

impl<B: Bus, S: Store> Desk<B, S> {
    pub(super) async fn open_plate(&mut self, now: Now, session: SessionId, open: OpenPlate) -> Result<Reply, Refusal> {
        let plate = self.bus.open_plate(now, session, open.room, open.valid_ms).await??;
        Ok(Reply::Plate(plate))
    }

    /// A knock costs its address whether there is such a plate or not: trying numbers is no faster than trying words.
    pub(super) async fn knock(
        &mut self,
        now: Now,
        socket: SocketId,
        session: SessionId,
        knock: Knock,
    ) -> Result<Reply, Refusal> {
        if knock.bytes.len() > PLATE_BYTES {
            return refuse(Code::TooLarge);
        }
        self.spend_at(now, socket, "knock", self.config.limits.knocks).await?;
        self.figures.knocks += 1;
        self.bus.knock(now, session, knock).await??;
        Ok(done())
    }

    pub(super) async fn say(&mut self, session: SessionId, said: Said) -> Result<Reply, Refusal> {
        if said.bytes.len() > PLATE_BYTES {
            return refuse(Code::TooLarge);
        }
        self.bus.say(session, said).await??;
        Ok(done())
    }

    pub(super) async fn judge(&mut self, session: SessionId, judged: Judged) -> Result<Reply, Refusal> {
        if judged.verdict == Verdict::Unknown {
            return refuse(Code::Malformed);
        }
        self.bus.judge(session, judged).await??;
        Ok(done())
    }
}
