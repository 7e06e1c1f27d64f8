//! The server as the enemy sits in it: sees every byte, rewrites and invents what it tells the phones.

use sidetone_engine::Input;
use sidetone_wire::frame::{Acked, Delivered, Event, Frame, Told};
use sidetone_wire::id::Seq;

use super::{Due, PhoneId, World};

type Rewrite = Box<dyn FnMut(PhoneId, Event) -> Event + Send>;

/// What the enemy holds.
#[derive(Default)]
pub struct Tap {
    /// Every frame that passed, both ways.
    pub seen: Vec<Vec<u8>>,
    /// Everything that a phone was told, in order, where that is wanted.
    pub told: Option<Vec<(PhoneId, Event)>>,
    /// Every envelope that a phone was given, in order.
    pub delivered: Vec<(PhoneId, Delivered)>,
    /// Changes what phones are told.
    pub rewrite: Option<Rewrite>,
    /// Per phone: the last event that really passed, and how many were invented.
    counts: Vec<(u64, u64)>,
}

impl Tap {
    /// Whether anything that passed contains these bytes.
    pub fn saw(&self, needle: &[u8]) -> bool {
        self.seen.iter().any(|frame| frame.windows(needle.len()).any(|window| window == needle))
    }

    fn count(&mut self, phone: PhoneId) -> &mut (u64, u64) {
        if self.counts.len() <= phone {
            self.counts.resize(phone + 1, (0, 0));
        }
        &mut self.counts[phone]
    }

    /// What goes on to the server, with the invented events counted out.
    pub(super) fn up(&mut self, phone: PhoneId, bytes: Vec<u8>) -> Vec<u8> {
        self.seen.push(bytes.clone());
        let invented = self.count(phone).1;
        match Frame::from_bytes(&bytes) {
            Ok(Frame::Ack(mut acked)) if invented > 0 => {
                acked.seq = Seq(acked.seq.0.saturating_sub(invented));
                Frame::Ack(acked).to_bytes().expect("short")
            }
            Ok(Frame::Hello(mut hello)) => {
                if let Some(resume) = &mut hello.resume {
                    resume.last = Seq(resume.last.0.saturating_sub(invented));
                }
                Frame::Hello(hello).to_bytes().expect("short")
            }
            _ => bytes,
        }
    }

    /// What goes on to the phone.
    pub(super) fn down(&mut self, phone: PhoneId, bytes: Vec<u8>) -> Vec<u8> {
        self.seen.push(bytes.clone());
        let frame = Frame::from_bytes(&bytes);
        if matches!(&frame, Ok(Frame::Welcome(welcome)) if !welcome.resumed) {
            *self.count(phone) = (0, 0);
        }
        let Ok(Frame::Event(told)) = frame else { return bytes };
        self.count(phone).0 = told.seq.0;
        let seq = Seq(told.seq.0 + self.count(phone).1);
        let event = match &mut self.rewrite {
            Some(rewrite) => rewrite(phone, told.event),
            None => told.event,
        };
        self.told.iter_mut().for_each(|told| told.push((phone, event.clone())));
        if let Event::Sealed(delivered) = &event {
            self.delivered.push((phone, delivered.clone()));
        }
        Frame::Event(Told { seq, event }).to_bytes().expect("about as long as before")
    }
}

impl World {
    /// The server invents an event for a phone.
    pub fn invent(&mut self, phone: PhoneId, event: Event) {
        let (last, invented) = self.tap.count(phone);
        *invented += 1;
        let seq = Seq(*last + *invented);
        let bytes = Frame::Event(Told { seq, event }).to_bytes().expect("within limits");
        let Some(socket) = self.phones[phone].socket else { return };
        let at = self.phones[phone].down.next(self.now_ms + 10);
        self.later(at - self.now_ms, Due::ToPhone(phone, socket, bytes));
    }

    /// The server tells a phone something under a number of its choice, as far from the next one as `skip` says.
    pub fn invent_numbered(&mut self, phone: PhoneId, skip: i64, event: Event) {
        let (last, invented) = self.tap.count(phone);
        let seq = Seq((*last + *invented + 1).saturating_add_signed(skip));
        let bytes = Frame::Event(Told { seq, event }).to_bytes().expect("within limits");
        let Some(socket) = self.phones[phone].socket else { return };
        self.later(10, Due::ToPhone(phone, socket, bytes));
    }

    /// A frame leaves a phone that somebody took over.
    pub fn upload(&mut self, phone: PhoneId, bytes: Vec<u8>) {
        if let Some(socket) = self.phones[phone].socket {
            let at = self.phones[phone].up.next(self.now_ms + 10);
            self.later(at - self.now_ms, Due::ToServer(phone, socket, bytes));
        }
    }

    /// A phone that somebody took over confirms what the server told it, as it must to be told more than the server keeps.
    pub fn acknowledge(&mut self, phone: PhoneId) {
        let (last, invented) = *self.tap.count(phone);
        let acked = Frame::Ack(Acked { seq: Seq(last + invented) });
        self.upload(phone, acked.to_bytes().expect("short"));
    }

    /// Takes a phone over: its engine stops, its socket stays.
    pub fn possess(&mut self, phone: PhoneId) {
        self.phones[phone].die();
    }

    /// A phone's link says something that no link said.
    pub fn invent_news(&mut self, phone: PhoneId, link: sidetone_engine::LinkId, news: sidetone_engine::News) {
        self.step(phone, Input::Link(link, news));
    }
}
