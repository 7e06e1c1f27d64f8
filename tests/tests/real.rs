//! Promises on the real path: two clients and the real server, on loopback.

use std::time::Duration;

use proving::push::PushService;
use proving::real::{Card, Duo, Place, until};
use sidetone::{CallState, Error, Event, MessageState, PushAddress, Route, RoutePolicy, WebPush, What};
use sidetone_server::{Config, Server};

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn voice_and_text_go_from_phone_to_phone() {
    let duo = Duo::meet(["ada", "ben"]).await;
    let call = duo.talk().await;
    let _cards = [Card::plug(&duo.phones[0]), Card::plug(&duo.phones[1])];
    let server = duo.server.as_ref().expect("it runs");
    let before = server.figures().await;
    duo.hears(0, 150).await;
    duo.hears(1, 150).await;
    for number in 0..20 {
        duo.say(number % 2, &format!("text {number}")).await;
    }
    let after = server.figures().await;
    let through = after.desk.bytes_in + after.desk.bytes_out - before.desk.bytes_in - before.desk.bytes_out;
    assert!(through < 20_000, "{through} bytes went through the server");
    let relayed = |figures: &sidetone_server::RelayFigures| figures.bytes_to_peers + figures.bytes_to_clients;
    let relayed = relayed(&after.relay) - relayed(&before.relay);
    assert!(relayed < 3_000, "{relayed} bytes, more than the last checks of a path not taken, went through the relay");
    let said = duo.phones[0].diagnostics().await.expect("open").sound.bytes_sent;
    assert!(said > 6_000, "the control: {said} bytes of sound went somewhere");
    let links = duo.phones[0].diagnostics().await.expect("open").links;
    assert!(links.iter().all(|link| matches!(link.route, Route::Direct(_))) && links.len() == 1);
    // The same counter sees what does go through the server: the words that made the call.
    assert!(before.desk.bytes_in > 5_000);
    duo.hang_up(call).await;
    duo.part().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_on_and_ends_without_the_server() {
    let mut duo = Duo::meet(["ada", "ben"]).await;
    let call = duo.talk().await;
    let _cards = [Card::plug(&duo.phones[0]), Card::plug(&duo.phones[1])];
    duo.hears(1, 20).await;
    duo.server.take().expect("it runs").stop().await;
    let heard = duo.phones[1].diagnostics().await.expect("open").sound.frames_heard;
    duo.hears(1, heard + 150).await;
    duo.say(0, "still here").await;
    duo.hang_up(call).await;
    duo.part().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_of_full_length_arrives_whole() {
    let duo = Duo::meet(["ada", "ben"]).await;
    duo.say(0, &"\u{1d11e}".repeat(16_384)).await;
    let ada = &duo.phones[0];
    until(ada, "the mark", || async {
        let newest = ada.history(duo.friend[0], None, 1).await.expect("open").pop();
        newest.filter(|message| message.state == MessageState::Delivered)
    })
    .await;
    duo.part().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_about_a_text_reaches_the_other_phone_and_is_found() {
    let duo = Duo::meet(["ada", "ben"]).await;
    let [ada, ben] = &duo.phones;
    duo.say(0, "Shall we meet at NINE?").await;
    let newest = |client, peer| async move {
        let client: &sidetone::Client = client;
        client.history(peer, None, 1).await.expect("open").pop()
    };
    let id = newest(ben, duo.friend[1]).await.and_then(|message| message.id).expect("a name");
    ben.reply(duo.friend[1], id, "at ten").await.expect("friends may write");
    until(ada, "the answer", || async {
        newest(ada, duo.friend[0]).await.filter(|message| message.reply == Some(id) && message.text == "at ten")
    })
    .await;
    ben.react(duo.friend[1], id, &["\u{1f44d}"]).await.expect("it is there");
    ada.edit(duo.friend[0], id, "Shall we meet at TEN?").await.expect("it is ours");
    assert_eq!(ben.edit(duo.friend[1], id, "mine").await, Err(Error::NoSuchMessage));
    for (client, peer) in [(ada, duo.friend[0]), (ben, duo.friend[1])] {
        until(client, "words and reaction", || async {
            let page = client.history(peer, None, 9).await.expect("open");
            let message = page.into_iter().find(|message| message.id == Some(id))?;
            (message.text == "Shall we meet at TEN?" && message.reactions.len() == 1).then_some(())
        })
        .await;
        let found = client.search(None, "meet AT", None, 9).await.expect("open");
        assert_eq!((found.hits.len(), found.next), (1, None));
        let found = client.search(Some(peer), "ten", None, 1).await.expect("open");
        assert_eq!(found.hits[0].1.text, "at ten");
        let found = client.search(Some(peer), "ten", found.next, 1).await.expect("open");
        assert_eq!((found.hits[0].1.text.as_str(), found.next), ("Shall we meet at TEN?", None));
        assert!(client.search(None, "nine", None, 9).await.expect("open").hits.is_empty());
    }
    ada.set_draft(duo.friend[0], "and then").await.expect("a draft");
    assert_eq!(ada.chats().await.expect("open")[0].draft.as_deref(), Some("and then"));
    ada.delete(duo.friend[0], id).await.expect("it is ours");
    until(ben, "it is taken back", || async {
        let page = ben.history(duo.friend[1], None, 9).await.expect("open");
        page.into_iter().find(|message| message.what == What::Deleted && message.id == Some(id))
    })
    .await;
    duo.part().await;
}

/// Resident memory, threads and open files of this process.
fn held() -> (usize, usize, usize) {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = pages.split_whitespace().nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    let count = |path| std::fs::read_dir(path).expect("Linux").count();
    (pages * 4_096, count("/proc/self/task"), count("/proc/self/fd"))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run alone by two_hundred_calls_leave_nothing_behind: it counts what this process holds"]
async fn two_hundred_calls_in_a_process_of_their_own() {
    let duo = Duo::meet(["ada", "ben"]).await;
    let _cards = [Card::plug(&duo.phones[0]), Card::plug(&duo.phones[1])];
    for _ in 0..40 {
        let call = duo.talk().await;
        duo.hang_up(call).await;
    }
    let before = held();
    for _ in 0..200 {
        let call = duo.talk().await;
        duo.hang_up(call).await;
    }
    let after = held();
    assert!(after.0 < before.0 + (2 << 20), "{} KiB more", (after.0 - before.0) / 1_024);
    assert!(after.1 <= before.1 && after.2 <= before.2, "{before:?} {after:?}");
    duo.part().await;
}

#[test]
fn two_hundred_calls_leave_nothing_behind() {
    let itself = std::env::current_exe().expect("this test");
    let alone = ["--ignored", "--exact", "two_hundred_calls_in_a_process_of_their_own", "--nocapture"];
    let run = std::process::Command::new(itself).args(alone).output().expect("it runs");
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&run.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_closes_the_app_is_away_at_once() {
    let duo = Duo::meet(["ada", "ben"]).await;
    let (ben, ada) = (&duo.phones[1], duo.friend[1]);
    let online = |wanted: bool| async move {
        ben.friend(ada).await.expect("open").filter(|friend| friend.online == wanted).map(drop)
    };
    until(ben, "her presence", || online(true)).await;
    duo.phones[0].close().await;
    until(ben, "her absence", || online(false)).await;
    duo.part().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_sleeps_is_woken_by_a_call_and_it_rings_whatever_else_was_refused() {
    let service = PushService::start().await;
    let config = Config { push: Some(service.config()), ..Config::in_memory() };
    let server = Server::start(config).await.expect("loopback has free ports");
    let url = format!("ws://{}", server.addr);
    let duo = Duo::meet_at(Place { server, url, roots: Vec::new(), policy: RoutePolicy::Any }, ["ada", "ben"]).await;
    let ben = &duo.phones[1];
    // Any point does for a key: here nobody opens what comes.
    let key = ben.push_key().await.expect("the server wakes phones").into();
    let address = WebPush { endpoint: service.endpoint(), key, auth: vec![1; 16].into() };
    ben.set_push(Some(PushAddress::Web(address.clone()))).await.expect("an address");
    // The last two have the form of one: it is the server that asks nobody there.
    for endpoint in ["http://localhost/wake", "https://", "https://ben@localhost/wake"] {
        let none = WebPush { endpoint: endpoint.into(), ..address.clone() };
        assert_eq!(ben.set_push(Some(PushAddress::Web(none))).await, Err(Error::NotAPushAddress), "{endpoint}");
    }
    ben.on_background().await.expect("open");
    let asleep = async { while ben.next_event().await != Some(Event::Connected(false)) {} };
    tokio::time::timeout(PATIENCE, asleep).await.expect("it leaves the server");
    let call = duo.phones[0].call(duo.friend[0]).await.expect("a friend");
    let line = tokio::time::timeout(PATIENCE, service.next()).await.expect("it is woken").expect("a request");
    assert_eq!(line, "POST /wake HTTP/1.1");
    assert!(ben.calls().await.expect("open").is_empty(), "the control: it sleeps");
    ben.handle_push();
    assert_eq!(duo.state(1, CallState::Ringing).await, call);
    ben.answer(call).await.expect("it rings");
    duo.state(0, CallState::Connected).await;
    duo.part().await;
}
