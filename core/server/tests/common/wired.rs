//! A phone on a real websocket.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use sidetone_wire::account::*;
use sidetone_wire::frame::*;
use sidetone_wire::id::*;
use tokio_tungstenite::tungstenite::Message;

use super::Phone;

pub type Socket = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// A phone on a real websocket.
pub struct Wired {
    pub phone: Phone,
    pub socket: Socket,
    events: Vec<Event>,
}

impl Wired {
    pub async fn connect(addr: SocketAddr, phone: Phone) -> (Self, Welcome) {
        let (socket, _) = tokio_tungstenite::connect_async(format!("ws://{addr}/v1/socket")).await.unwrap();
        let mut wired = Self { phone, socket, events: Vec::new() };
        wired.send(&Frame::Hello(wired.phone.hello())).await;
        let Some(Frame::Welcome(welcome)) = wired.next().await else { panic!("no welcome") };
        wired.phone.session = Some((welcome.session, welcome.secret.clone()));
        (wired, welcome)
    }

    pub async fn registered(addr: SocketAddr, name: &str) -> Self {
        let (mut wired, _) = Self::connect(addr, Phone::new(name)).await;
        let (state, request) = wired.phone.begin_registration();
        let Ok(Reply::Opaque(opaque)) = wired.ask(request).await else { panic!("refused") };
        let request = wired.phone.end_registration(state, opaque);
        let reply = wired.ask(request).await.unwrap();
        wired.phone.signed_in(reply);
        wired
    }

    /// Leaves for good, as a phone does whose app is closed.
    pub async fn leave(mut self) {
        let code = tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode::Normal;
        let close = tokio_tungstenite::tungstenite::protocol::CloseFrame { code, reason: "".into() };
        self.socket.close(Some(close)).await.unwrap();
    }

    pub async fn send(&mut self, frame: &Frame) {
        self.socket.send(Message::Binary(frame.to_bytes().unwrap().into())).await.unwrap();
    }

    /// The next frame; `None` when the server closed the socket.
    pub async fn next(&mut self) -> Option<Frame> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Binary(bytes))) => return Some(Frame::from_bytes(&bytes).unwrap()),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(_) | Err(_)) | None => return None,
            }
        }
    }

    pub async fn event(&mut self) -> Event {
        while self.events.is_empty() {
            match self.next().await.expect("the socket is open") {
                Frame::Event(told) => self.keep(told),
                other => panic!("{other:?}"),
            }
        }
        self.events.remove(0)
    }

    /// Says that everything so far was kept, and waits until the server has heard it.
    pub async fn acknowledge(&mut self) {
        // The second time nothing is under way any more.
        for _ in 0..2 {
            self.send(&Frame::Ack(Acked { seq: Seq(self.phone.last) })).await;
            self.send(&Frame::Ping(Empty::default())).await;
            loop {
                match self.next().await.expect("the socket is open") {
                    Frame::Event(told) => self.keep(told),
                    Frame::Pong(_) => break,
                    other => panic!("{other:?}"),
                }
            }
        }
    }

    fn keep(&mut self, told: Told) {
        assert_eq!(told.seq.0, self.phone.last + 1);
        self.phone.last = told.seq.0;
        self.events.push(told.event);
    }

    pub async fn ask(&mut self, request: Request) -> Result<Reply, Code> {
        self.answered(request).await.map_err(|refusal| refusal.code)
    }

    pub async fn answered(&mut self, request: Request) -> Result<Reply, Refusal> {
        self.phone.next += 1;
        let id = RequestId(self.phone.next);
        self.send(&Frame::Request(Numbered { id, request })).await;
        loop {
            match self.next().await.expect("the socket is open") {
                Frame::Reply(granted) if granted.id == id => return Ok(granted.reply),
                Frame::Refused(refused) if refused.id == id => return Err(refused.refusal),
                Frame::Event(told) => self.keep(told),
                other => panic!("{other:?}"),
            }
        }
    }
}
