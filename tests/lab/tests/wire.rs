//! Real sockets in real namespaces over a wire.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use lab::{Between, Namespace, Star, Wire};

/// A socket at each end.
fn sockets(ends: &[Namespace; 2], wire: &Wire) -> [UdpSocket; 2] {
    [0, 1].map(|end| {
        let address = wire.addresses()[end];
        ends[end].spawn(move || UdpSocket::bind((address, 9))).unwrap().join().unwrap().unwrap().unwrap()
    })
}

fn joined(shape: &str) -> (Wire, [UdpSocket; 2], [Namespace; 2]) {
    let ends = [Namespace::new().unwrap(), Namespace::new().unwrap()];
    let wire = Wire::join(&ends[0], &ends[1], &shape.parse().unwrap(), 7).unwrap();
    let [left, right] = sockets(&ends, &wire);
    left.connect(right.local_addr().unwrap()).unwrap();
    right.connect(left.local_addr().unwrap()).unwrap();
    for socket in [&left, &right] {
        socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    }
    (wire, [left, right], ends)
}

#[test]
fn a_packet_takes_its_time_there_and_back() {
    if !lab::ready("delay over a wire") {
        return;
    }
    let (wire, [left, right], _ends) = joined("delay=20ms");
    let began = Instant::now();
    let mut buffer = [0; 2000];
    left.send(b"there").unwrap();
    let length = right.recv(&mut buffer).unwrap();
    right.send(&buffer[..length]).unwrap();
    let length = left.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"there");
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(40) && took < Duration::from_millis(400), "{took:?}");
    // A kernel may greet its neighbours beside.
    assert!(wire.counts().iter().all(|counts| counts.delivered >= 1 && counts.bytes >= 28 + 5), "{:?}", wire.counts());
}

#[test]
fn a_cut_wire_loses_what_enters_and_a_mended_one_does_not() {
    if !lab::ready("cutting a wire") {
        return;
    }
    let (wire, [left, right], _ends) = joined("delay=1ms");
    let mut buffer = [0; 2000];
    wire.cut();
    left.send(b"lost").unwrap();
    while wire.counts()[0].lost == 0 {
        std::thread::yield_now();
    }
    wire.mend();
    left.send(b"kept").unwrap();
    let length = right.recv(&mut buffer).unwrap();
    assert_eq!(&buffer[..length], b"kept");
}

#[test]
fn a_packet_that_is_timed_waited_for_those_before_it() {
    if !lab::ready("timing packets on a wire") {
        return;
    }
    // 1,228 bytes take 9.8 ms.
    let (wire, [left, right], _ends) = joined("rate=1mbit queue=1s");
    wire.time(|packet| packet.ends_with(b"timed"));
    for _ in 0..5 {
        left.send(&[0; 1_200]).unwrap();
    }
    left.send(b"timed").unwrap();
    let mut buffer = [0; 2000];
    while right.recv(&mut buffer).unwrap() != 5 {}
    let [there, back] = wire.timed();
    assert_eq!((there.len(), back.len()), (1, 0));
    let waited = there[0].waited;
    assert!(waited > Duration::from_millis(20) && waited < Duration::from_millis(50), "{there:?}");
}

#[test]
fn what_is_captured_is_what_came_out_from_then_on() {
    if !lab::ready("capturing from a wire") {
        return;
    }
    let (wire, [left, right], _ends) = joined("delay=1ms");
    let mut buffer = [0; 2000];
    let mut pass = |words: &[u8]| {
        left.send(words).unwrap();
        assert_eq!(right.recv(&mut buffer).unwrap(), words.len());
    };
    pass(b"before");
    wire.capture();
    pass(b"planted");
    let captured = wire.captured();
    let holds = |way: usize, words: &[u8]| captured[way].iter().filter(|packet| packet.ends_with(words)).count();
    assert_eq!((holds(0, b"before"), holds(0, b"planted"), holds(1, b"planted")), (0, 1, 0));
    let planted = captured[0].iter().find(|packet| packet.ends_with(b"planted")).unwrap();
    assert_eq!((planted[0] >> 4, planted.len()), (4, 20 + 8 + 7), "whole, with its headers");
}

#[test]
fn a_namespace_between_two_wires_passes_on_what_is_not_for_it() {
    if !lab::ready("a router") {
        return;
    }
    let [left, router, right] = [(); 3].map(|()| Namespace::new().unwrap());
    router.forward().unwrap();
    let shape = "delay=1ms".parse().unwrap();
    let wires = [Wire::join(&left, &router, &shape, 1).unwrap(), Wire::join(&router, &right, &shape, 2).unwrap()];
    let ends = [wires[0].addresses()[0], wires[1].addresses()[1]];
    let bind = |namespace: &Namespace, address| {
        namespace.spawn(move || UdpSocket::bind((address, 9))).unwrap().join().unwrap().unwrap().unwrap()
    };
    let (one, other) = (bind(&left, ends[0]), bind(&right, ends[1]));
    other.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    wires[1].capture();
    one.send_to(b"far", (ends[1], 9)).unwrap();
    let (_, from) = other.recv_from(&mut [0; 10]).unwrap();
    assert_eq!(from.ip(), ends[0]);
    assert_eq!(wires[1].captured()[0].iter().filter(|packet| packet.ends_with(b"far")).count(), 1);
}

#[test]
fn namespaces_that_nothing_joins_are_apart() {
    if !lab::ready("separate namespaces") {
        return;
    }
    let (_wire, [left, right], _ends) = joined("delay=1ms");
    let (_other_wire, [_other_left, other_right], _other_ends) = joined("delay=1ms");
    // The address of the other right end exists on the other wire only.
    let _ = left.send_to(b"astray", other_right.local_addr().unwrap());
    assert!(other_right.recv(&mut [0; 10]).is_err());
    drop(right);
}

#[test]
fn who_is_at_the_rim_of_a_star_reaches_its_middle_and_others_only_where_it_routes() {
    if !lab::ready("a star") {
        return;
    }
    for between in [Between::Routed, Between::Nothing] {
        let star = Star::new(2, &"delay=1ms".parse().unwrap(), between, 7).unwrap();
        let bind = |namespace: &Namespace, address| {
            let socket = namespace.spawn(move || UdpSocket::bind((address, 9))).unwrap().join().unwrap();
            let socket = socket.unwrap().unwrap();
            socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
            socket
        };
        let rim: Vec<UdpSocket> = star.rim().map(|(namespace, address)| bind(namespace, address)).collect();
        let middle = bind(star.hub(), star.middle());
        for end in &rim {
            end.send_to(b"in", middle.local_addr().unwrap()).unwrap();
            let (_, from) = middle.recv_from(&mut [0; 10]).unwrap();
            assert_eq!(from, end.local_addr().unwrap());
        }
        let _ = rim[0].send_to(b"across", rim[1].local_addr().unwrap());
        assert_eq!(rim[1].recv(&mut [0; 10]).is_ok(), between == Between::Routed);
    }
}
