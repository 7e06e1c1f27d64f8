//! What a phone gives away while it rings. Alone in its process: it counts sockets.

use std::collections::BTreeSet;

use proving::real::Duo;
use sidetone::CallState;

/// The UDP sockets of this process.
fn udp_sockets() -> usize {
    let own: BTreeSet<String> = std::fs::read_dir("/proc/self/fd")
        .expect("Linux")
        .filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok())
        .filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.trim_end_matches(']').to_owned()))
        .collect();
    let table = std::fs::read_to_string("/proc/net/udp").expect("Linux");
    table.lines().skip(1).filter(|line| line.split_whitespace().nth(9).is_some_and(|inode| own.contains(inode))).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_rings_no_phone_has_a_socket_that_could_give_it_away() {
    let duo = Duo::meet(["ada", "ben"]).await;
    let before = udp_sockets();
    let call = duo.phones[0].call(duo.friend[0]).await.expect("a friend");
    duo.state(1, CallState::Ringing).await;
    assert_eq!(udp_sockets(), before);
    duo.phones[1].answer(call).await.expect("it rings");
    duo.state(0, CallState::Connected).await;
    assert!(udp_sockets() >= before + 2, "the control: after the answer each has one");
    duo.hang_up(call).await;
    duo.part().await;
}
