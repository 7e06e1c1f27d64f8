//! People at terminals, and the echo.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::PathBuf;
use std::time::Duration;

use common::*;
use sidetone_cli::demo::measure;
use sidetone_cli::demo::stage::{Phone, PhoneSettings, Place};
use sidetone_cli::phone::{Cut, Line, News, Order};
use sidetone_cli::wav;

#[test]
fn two_people_at_terminals_become_friends_write_and_talk() {
    let dir = tempfile::tempdir().unwrap();
    let (server, url) = server(Some(&dir.path().join("server")));
    let (of_anna, of_ben) = (dir.path().join("anna"), dir.path().join("ben"));
    let mut anna = Terminal::open(newcomer("chat", &of_anna, &url, "anna"));
    let mut ben = Terminal::open(newcomer("chat", &of_ben, &url, "ben"));
    anna.says("you are anna");
    ben.says("you are ben");
    anna.types("/add nobody");
    anna.says("! nobody has this name");
    anna.types("/add ben");
    ben.says("anna wants to be a friend");
    ben.types("/accept anna");
    anna.says("ben is there");
    anna.types("/to ben");
    anna.says("ben is there");
    anna.types("Good morning \u{1b}[31m");
    ben.says("anna: Good morning \u{fffd}[31m");
    ben.types("/to anna");
    ben.says("anna: Good morning");
    ben.types("/number");
    // Whatever else is told meanwhile holds no digits.
    while ben.says("* ").chars().filter(char::is_ascii_digit).count() != 60 {}
    drop((anna, ben));

    let (voice_of_anna, voice_of_ben) = (dir.path().join("a.wav"), dir.path().join("b.wav"));
    wav::write(&voice_of_anna, &voice(210.0)).unwrap();
    wav::write(&voice_of_ben, &voice(330.0)).unwrap();
    let heard = dir.path().join("heard.wav");
    let mut waits = phone("call", &of_ben, &url);
    waits.arg("--voice").arg(&voice_of_ben).args(["--seconds", "600"]);
    let mut ben = Terminal::open(waits);
    ben.says("ben waits for a call");
    let mut calls = phone("call", &of_anna, &url);
    calls.arg("ben").arg("--voice").arg(&voice_of_anna).arg("--heard").arg(&heard);
    let mut anna = Terminal::open(calls);
    anna.says("route: direct");
    anna.says("hung up; ");
    assert_eq!((anna.leave(), ben.leave()), (Some(0), Some(0)));
    assert!(wav::read(&heard).unwrap().len() > 3 * 48_000);
    assert_eq!(server.stop(), Some(0));
}

#[tokio::test]
async fn the_echo_accepts_everybody_repeats_texts_and_plays_back_what_it_hears() {
    let dir = tempfile::tempdir().unwrap();
    let (_server, url) = server(None);
    let mut echo = Terminal::open(newcomer("echo", &dir.path().join("echo"), &url, "echo"));
    echo.says("echo echoes");
    let spoken = voice(250.0);
    let path = dir.path().join("voice.wav");
    wav::write(&path, &spoken).unwrap();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_sidetone"));
    let settings = PhoneSettings {
        program,
        who: "anna",
        dir: dir.path().to_owned(),
        server: url,
        voice: path,
        place: Place::here(),
    };
    let mut anna = Phone::start(&settings).await.unwrap();
    let (name, email, password) = ("anna".into(), "anna@example.org".into(), "a long password".into());
    anna.tell(Order::Register { name, email, password }).await.unwrap();
    anna.tell(Order::Befriend { name: "echo".into() }).await.unwrap();
    let friend = |news: &News| matches!(news, News::Friend { standing, online: true, .. } if standing == "friend");
    anna.until("the echo accepts", friend).await.unwrap();

    anna.tell(Order::Text { text: "hello, echo".into() }).await.unwrap();
    let answered = |lines: &[Line]| lines.iter().any(|line| line.theirs && line.text == "hello, echo");
    while !answered(&anna.ask_for::<Vec<Line>>(Order::History).await.unwrap()) {
        anna.until("the echo answers", |news| *news == News::Chat).await.unwrap();
    }

    anna.tell(Order::Call).await.unwrap();
    anna.until("the voice was spoken", |news| *news == News::SaidAll).await.unwrap();
    let until = sidetone::clock::micros() + 1_000_000;
    assert!(anna.sampled(Duration::from_secs(30), |sample| sample.at_us > until).await.unwrap());
    let recording = dir.path().join("heard.wav");
    let cut: Cut = anna.ask_for(Order::Cut { path: recording.clone() }).await.unwrap();
    let found = measure::heard(&spoken, &cut, &wav::read(&recording).unwrap(), &cut);
    assert!(found.found * 2 > found.pieces, "{found:?}");
    assert!(found.median_ms < 400.0, "there and back: {} ms", found.median_ms);
    anna.tell(Order::HangUp).await.unwrap();
    anna.quit().await.unwrap();
    assert_eq!(echo.stop(), Some(0));
}
