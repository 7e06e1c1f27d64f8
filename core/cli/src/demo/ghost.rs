//! Somebody whom the server lets into a room, knowing its number and nothing else: what a lying server could do.

use futures_util::{SinkExt, StreamExt};
use sidetone::room_policy::Ticket;
use sidetone_wire::VERSION;
use sidetone_wire::account::{Reply, Request};
use sidetone_wire::frame::{Frame, Hello, Numbered};
use sidetone_wire::id::{MemberId, RequestId, RoomId};
use sidetone_wire::room::EnterRoom;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::trouble::Trouble;

/// A ghost in a room; it stays while this is held.
pub struct Ghost {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Whom it would see there: the server told it.
    pub others: usize,
}

impl Ghost {
    /// Enters the room of this link by its number alone.
    ///
    /// # Errors
    ///
    /// [`Trouble::Stage`] if the server does not let it in: then there is no ghost to be refused.
    pub async fn enter(server: &str, link: &str) -> Result<Self, Trouble> {
        let failed = |what: &str| Trouble::stage("the ghost", what);
        let Ok(Ticket::Link { invitation, .. }) = Ticket::parse(link) else { return Err(failed("got no link")) };
        let room = RoomId(invitation.secret.id());
        let url = format!("{server}/v1/socket");
        let (socket, _) = connect_async(url).await.map_err(|_| failed("finds no server"))?;
        let mut ghost = Self { socket, others: 0 };
        ghost.say(&Frame::Hello(Hello { oldest: VERSION, newest: VERSION, token: None, resume: None })).await?;
        let member = MemberId([0x66; 16]);
        let request = Request::EnterRoom(EnterRoom { room, member });
        ghost.say(&Frame::Request(Numbered { id: RequestId(1), request })).await?;
        loop {
            match ghost.hear().await? {
                Frame::Reply(granted) => {
                    let Reply::Entered(entered) = granted.reply else { return Err(failed("was not let in")) };
                    ghost.others = entered.others.len();
                    return Ok(ghost);
                }
                Frame::Refused(_) | Frame::Goaway(_) => return Err(failed("was not let in")),
                _ => {}
            }
        }
    }

    async fn say(&mut self, frame: &Frame) -> Result<(), Trouble> {
        let bytes = frame.to_bytes().map_err(Trouble::system)?;
        self.socket.send(Message::binary(bytes)).await.map_err(Trouble::system)
    }

    async fn hear(&mut self) -> Result<Frame, Trouble> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Binary(bytes))) => return Frame::from_bytes(&bytes).map_err(Trouble::system),
                Some(Ok(_)) => {}
                _ => return Err(Trouble::stage("the ghost", "was dropped")),
            }
        }
    }
}
