//! Many phones come to rooms and go from them in every way there is, and all see the same.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeSet;

use common::*;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng};
use sidetone_wire::account::*;
use sidetone_wire::envelope::Class;
use sidetone_wire::frame::Event;
use sidetone_wire::id::*;
use sidetone_wire::limits::RESUME_MS;
use sidetone_wire::room::*;

const ROOM: RoomId = RoomId([0x21; 16]);
const PHONES: usize = 12;
const SEATS: u8 = 8;

/// A phone and what it believes.
struct Seen {
    phone: Phone,
    us: Option<MemberId>,
    others: BTreeSet<MemberId>,
}

struct Party {
    world: World,
    all: Vec<Seen>,
    dice: ChaCha20Rng,
    members: u64,
}

impl Seen {
    fn listen(&mut self, world: &mut World) {
        for event in self.phone.news(world) {
            match event {
                Event::Came(seat) => {
                    assert!(self.us.is_some(), "somebody comes to a room we are not in");
                    assert!(self.others.insert(seat.member), "the same member came twice");
                }
                Event::Went(went) => assert!(self.others.remove(&went.member), "somebody went who was not there"),
                Event::PutOut(out) if Some(out.member) == self.us => self.out(),
                Event::PutOut(_) => panic!("we were put out of a place we do not have"),
                _ => {}
            }
        }
    }

    fn out(&mut self) {
        self.us = None;
        self.others.clear();
    }
}

impl Party {
    fn new(seed: u64) -> Self {
        let mut world = World::new();
        let all = (0..PHONES).map(|number| {
            let mut phone = Phone::new(&format!("phone{number}"));
            phone.connect(&mut world);
            Seen { phone, us: None, others: BTreeSet::new() }
        });
        let all = all.collect();
        Self { world, all, dice: ChaCha20Rng::seed_from_u64(seed), members: 0 }
    }

    fn within(&mut self, count: usize) -> usize {
        self.dice.next_u32() as usize % count
    }

    fn happen(&mut self) {
        let who = self.within(PHONES);
        let online = self.all[who].phone.socket.is_some();
        match self.within(16) {
            0..=5 if online => self.enter(who),
            6 if online => self.leave(who),
            7 if online => self.kick(who),
            8 if online => {
                self.vouch(who);
            }
            9 | 10 if online => self.all[who].phone.drop_socket(&mut self.world),
            11 if online => {
                let socket = self.all[who].phone.socket.take().unwrap();
                self.world.goodbye(socket);
                self.crash(who);
            }
            12 => {
                self.all[who].phone.drop_socket(&mut self.world);
                self.crash(who);
            }
            13 => {
                let ms = [10, 1_000, 9_000, 20_000][self.within(4)];
                self.pass(ms);
            }
            14 if self.within(8) == 0 => self.pass(RESUME_MS),
            _ if !online => self.back(who),
            _ => self.all[who].listen(&mut self.world),
        }
    }

    /// The phone loses all it had in memory.
    fn crash(&mut self, who: usize) {
        self.all[who].phone.session = None;
        self.all[who].out();
    }

    fn pass(&mut self, ms: u64) {
        self.world.pass(ms);
        for seen in &mut self.all {
            let gone =
                seen.phone.socket.is_some_and(|socket| self.world.inboxes.get(&socket).is_none_or(|one| one.closed));
            if gone {
                seen.phone.take_events(&mut self.world);
                seen.phone.drop_socket(&mut self.world);
            } else if seen.phone.socket.is_some() {
                seen.listen(&mut self.world);
            }
        }
    }

    fn back(&mut self, who: usize) {
        let seen = &mut self.all[who];
        if !seen.phone.connect(&mut self.world) {
            seen.out();
            seen.phone.events.clear();
        }
        seen.listen(&mut self.world);
    }

    fn enter(&mut self, who: usize) {
        self.all[who].listen(&mut self.world);
        self.members += 1;
        let again = self.within(4) == 0;
        let seen = &mut self.all[who];
        let mut member = MemberId([0; 16]);
        member.0[..8].copy_from_slice(&self.members.to_be_bytes());
        member = seen.us.filter(|_| again).unwrap_or(member);
        let mut answer = seen.phone.ask(&mut self.world, Request::EnterRoom(EnterRoom { room: ROOM, member }));
        if answer == Err(Code::NoSuchRoom) {
            let owner = Secret([who as u8; 32]);
            let (relay, seats, scope) = (RelayRule::Allowed, Seats::new(SEATS).unwrap(), Scope::Link);
            let open = OpenRoom { room: ROOM, member, owner, relay, seats, scope, keep: None };
            answer = seen.phone.ask(&mut self.world, Request::OpenRoom(open));
        }
        match answer {
            Ok(Reply::Entered(entered)) => {
                seen.us = Some(member);
                seen.others = entered.others.iter().copied().collect();
                assert_eq!(seen.others.len(), entered.others.len(), "nobody is named twice");
            }
            Err(Code::RoomFull) => {}
            other => panic!("{other:?}"),
        }
    }

    fn leave(&mut self, who: usize) {
        let seen = &mut self.all[who];
        seen.listen(&mut self.world);
        seen.phone.ask(&mut self.world, Request::LeaveRoom(Room { room: ROOM })).unwrap();
        seen.out();
    }

    fn kick(&mut self, who: usize) {
        self.all[who].listen(&mut self.world);
        let Some(member) = self.all[who].others.first().copied() else { return };
        let answer = self.all[who].phone.ask(&mut self.world, Request::Kick(Seat { room: ROOM, member }));
        assert!(matches!(answer, Ok(_) | Err(Code::NotOwner)), "{answer:?}");
    }

    /// A handshake with everybody there.
    fn vouch(&mut self, who: usize) {
        self.all[who].listen(&mut self.world);
        let seen = &mut self.all[who];
        for to in seen.others.clone() {
            let bytes = vec![0; 256].into();
            let envelope = RoomEnvelope { room: ROOM, to, class: Class::Control, bytes };
            let answer = seen.phone.ask(&mut self.world, Request::RouteRoom(envelope));
            assert!(matches!(answer, Ok(_) | Err(Code::NoSuchMember | Code::TooMany | Code::NotInRoom)), "{answer:?}");
        }
        seen.listen(&mut self.world);
    }

    /// Everybody is online and heard everything: do they agree?
    fn settle(&mut self) -> usize {
        for who in 0..PHONES {
            if self.all[who].phone.socket.is_none() {
                self.back(who);
            }
        }
        // Whoever crashed is given up in time.
        let live: Vec<_> = (0..PHONES).collect();
        for _ in 0..RESUME_MS / 15_000 + 1 {
            self.world.pass(15_000);
            for who in &live {
                self.all[*who].listen(&mut self.world);
            }
        }
        let there: BTreeSet<_> = self.all.iter().filter_map(|seen| seen.us).collect();
        for (number, seen) in self.all.iter().enumerate() {
            let Some(us) = seen.us else {
                assert!(seen.others.is_empty());
                continue;
            };
            let mut all = seen.others.clone();
            all.insert(us);
            assert_eq!(all, there, "phone {number} sees others than there are");
        }
        there.len()
    }
}

#[test]
fn whoever_comes_goes_crashes_and_returns_all_phones_see_the_same_members() {
    let mut fullest = 0;
    for seed in 0..30 {
        let mut party = Party::new(seed);
        for _ in 0..500 {
            party.happen();
        }
        fullest = fullest.max(party.settle());
    }
    assert!(fullest >= usize::from(SEATS) - 1, "the test is about rooms with people in them: {fullest}");
}
