//! Logs say nothing about people.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::io;
use std::sync::{Arc, Mutex};

use common::wired::Wired;
use common::*;
use futures_util::SinkExt;
use sidetone_server::log::Lines;
use sidetone_server::*;
use sidetone_wire::account::*;
use sidetone_wire::envelope::{Class, Envelope};
use sidetone_wire::frame::*;
use tokio_tungstenite::tungstenite::Message;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;

#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Two phones do what there is to do, well and badly.
async fn whole_day(server: &Running) -> Vec<String> {
    let mut ada = Wired::registered(server.addr, "ada.the.canary").await;
    let mut bob = Wired::registered(server.addr, "bob.the.canary").await;
    let (from, to) = (ada.phone.user(), bob.phone.user());
    let befriend = |name: &str| Request::Befriend(Name { name: name.into() });
    ada.ask(befriend("bob.the.canary")).await.unwrap();
    bob.ask(Request::Accept(User { user: from })).await.unwrap();
    let sealed = [&b"sealed canary"[..], &[0; 243]].concat();
    ada.ask(Request::Route(Envelope { to, class: Class::Ring, bytes: sealed.into() })).await.unwrap();
    for request in [
        befriend("nobody.the.canary"),
        Request::Roster(Page::default()),
        Request::Relays(Empty::default()),
        Request::Export(Page::default()),
        Request::Block(User { user: to }),
    ] {
        let _ = ada.ask(request).await;
    }
    let mut thief = Phone::new("ada.the.canary");
    thief.token = Some(sidetone_wire::id::Secret([0x5a; 32]));
    let url = format!("ws://{}/v1/socket", server.addr);
    for bytes in [Frame::Hello(thief.hello()).to_bytes().unwrap(), b"garbage canary".to_vec()] {
        let (mut socket, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
        socket.send(Message::Binary(bytes.into())).await.unwrap();
        while let Some(Ok(_)) = futures_util::StreamExt::next(&mut socket).await {}
    }
    ada.ask(Request::Logout(Empty::default())).await.unwrap();
    bob.ask(Request::Delete(Empty::default())).await.unwrap();
    let token = ada.phone.token.as_ref().unwrap().as_bytes();
    let mut canaries = vec!["canary".to_owned(), "127.0.0.1".into(), "example.org".into(), "5a5a5a5a".into()];
    canaries.extend([&token[..8], &from.0[..4], &to.0[..4], &ada.phone.identity.0[..4]].map(hex::encode));
    canaries.push(format!("{:?}", &token[..4]).trim_matches(['[', ']']).to_owned());
    canaries
}

#[tokio::test]
async fn a_whole_day_at_trace_level_names_nobody() {
    let (ours, everything) = (Kept::default(), Kept::default());
    let control = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(everything.clone());
    let subscriber = tracing_subscriber::registry().with(Lines::new(ours.clone())).with(control);
    tracing::subscriber::set_global_default(subscriber).unwrap();

    let server = Server::start(Config::in_memory()).await.unwrap();
    let canaries = whole_day(&server).await;
    server.stop().await;
    let name = "slip.of.the.canary";
    tracing::info!(target: "sidetone_server", name, count = 7, "a slip");
    tracing::info!(target: "hyper", count = 7, "canary in another crate's message");

    let log = ours.text();
    for canary in &canaries {
        assert!(!log.contains(canary.as_str()), "{canary} is in the log:\n{log}");
    }
    assert!(log.contains("the server is ready") && log.contains("TRACE") && log.contains("code=Unauthorised"), "{log}");
    assert!(log.contains(": a slip count=7"), "an event keeps the fields that may be kept:\n{log}");
    let control = everything.text();
    assert!(control.contains("slip.of.the.canary"), "without the list, the slip is found");
}
