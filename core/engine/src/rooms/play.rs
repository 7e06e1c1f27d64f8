//! What goes on in a room: the floor, the sound, the clock, and what can be seen of it.

use sidetone_crypto::identity::PublicKey;
use sidetone_crypto::room::Relaying;
use sidetone_wire::floor::FloorWord;
use sidetone_wire::id::{IdentityKey, MemberId};
use sidetone_wire::limits::MEMBERS;
use sidetone_wire::member::{Listed, Roll, RoomWord};
use sidetone_wire::record::{self, Record};
use sidetone_wire::room::RoomName;

use crate::call::{Shows, Wants};
use crate::cx::{Cx, Fact};
use crate::effect::Ways;
use crate::floor::{FloorEvent, FloorInput, FloorOut};
use crate::input::{Microphone, PeerId, Verified};
use crate::keys::{Trust, Us};
use crate::peers::Wish;
use crate::room::{MemberView, Presence, RoomEnd, RoomEvent, RoomView};
use crate::rooms::live::{AWAY_MS, Member, Room, UNANSWERED_MS};
use crate::sound::{SoundNews, SoundOrder};
use crate::time::Time;

impl Room {
    // Who speaks.

    /// Gives the floor a fact, and does what it wants.
    pub fn floor(&mut self, input: FloorInput, cx: &mut Cx<'_>) {
        let Some(floor) = &mut self.floor else { return };
        let mut out = Vec::new();
        floor.step(cx.now.time, input, &mut out);
        for out in out {
            match out {
                FloorOut::Say(member, word) => cx.say(PeerId::Member(self.id, member), Record::Floor(word)),
                FloorOut::All(word) => {
                    for member in self.inside() {
                        cx.say(PeerId::Member(self.id, member), Record::Floor(word.clone()));
                    }
                }
                FloorOut::Sound(order) => self.sound(order, cx),
                FloorOut::Tell(FloorEvent::Missed { .. }) if !self.replays() => {}
                FloorOut::Tell(event) => self.tell(RoomEvent::Floor(event), cx),
            }
        }
    }

    pub fn replays(&self) -> bool {
        self.invitation.policy.replay == sidetone_crypto::room::Replay::Allowed
    }

    pub fn floor_word(&mut self, from: MemberId, word: FloorWord, cx: &mut Cx<'_>) {
        if self.lets_in(from) {
            self.floor(FloorInput::Heard(from, word), cx);
        }
    }

    pub fn sounded(&mut self, news: SoundNews, cx: &mut Cx<'_>) {
        match news {
            SoundNews::Claimed { member, claim } if self.lets_in(member) => {
                self.floor(FloorInput::Claimed(member, claim), cx);
            }
            SoundNews::Ended { member, burst } => self.floor(FloorInput::Ended(member, burst), cx),
            SoundNews::Silent { member } => self.floor(FloorInput::Silent(member), cx),
            SoundNews::Levels(mut levels) => {
                levels.retain(|loud| loud.member == self.us || self.members.contains_key(&loud.member));
                levels.truncate(MEMBERS);
                self.tell(RoomEvent::Loud(levels), cx);
            }
            SoundNews::Claimed { .. } => {}
        }
    }

    // What the user does.

    /// Our hand or our microphone changed.
    pub fn pose(&mut self, cx: &mut Cx<'_>) {
        self.say_all(&RoomWord::Poise(self.poise), cx);
        self.tell(RoomEvent::Changed, cx);
    }

    pub fn set_microphone(&mut self, microphone: Microphone, cx: &mut Cx<'_>) {
        self.poise.microphone = microphone == Microphone::On;
        self.sound(SoundOrder::Microphone(microphone), cx);
        self.pose(cx);
    }

    /// Whether there is such a member.
    pub fn set_verified(&mut self, id: MemberId, verified: Verified, cx: &mut Cx<'_>) -> bool {
        let Some(key) = self.members.get(&id).and_then(|member| member.key) else { return false };
        let key = IdentityKey(*key.as_bytes());
        match verified {
            Verified::Yes => self.verified.insert(key),
            Verified::No => self.verified.remove(&key),
        };
        self.changed = true;
        self.tell(RoomEvent::Changed, cx);
        true
    }

    // Pictures.

    pub fn show(&mut self, shows: Shows, cx: &mut Cx<'_>) {
        self.shows = shows;
        self.sound(SoundOrder::Show(shows), cx);
        self.say_all(&RoomWord::Shows(shows.said()), cx);
        self.tell(RoomEvent::Changed, cx);
    }

    /// Whether there is such a member.
    pub fn want(&mut self, id: MemberId, wants: Wants, cx: &mut Cx<'_>) -> bool {
        let Some(member) = self.members.get_mut(&id) else { return false };
        member.wanted = wants;
        if member.keyed {
            self.say(id, RoomWord::Wants(wants.said()), cx);
        }
        true
    }

    /// What is not as it is at the beginning is said to whoever is let in anew.
    pub(super) fn say_pictures(&self, id: MemberId, cx: &mut Cx<'_>) {
        if self.shows != Shows::default() {
            self.say(id, RoomWord::Shows(self.shows.said()), cx);
        }
        let wanted = self.members.get(&id).map(|member| member.wanted).unwrap_or_default();
        if wanted != Wants::default() {
            self.say(id, RoomWord::Wants(wanted.said()), cx);
        }
    }

    pub(super) fn they_show(&mut self, id: MemberId, shows: record::Shows, cx: &mut Cx<'_>) {
        let Some(member) = self.members.get_mut(&id) else { return };
        if std::mem::replace(&mut member.shows, Shows::heard(shows)) != member.shows {
            self.tell(RoomEvent::Changed, cx);
        }
    }

    pub(super) fn they_want(&mut self, id: MemberId, wants: record::Wants, cx: &mut Cx<'_>) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let wants = Wants::heard(wants);
        if std::mem::replace(&mut member.wants, wants) != wants {
            // Before there is a link it is said with it.
            if member.link.is_some() {
                self.sound(SoundOrder::Wanted { member: id, wants }, cx);
            }
            self.tell(RoomEvent::Changed, cx);
        }
    }

    /// What anybody wants to see of ours.
    fn wants(&self) -> Wants {
        let inside = self.members.iter().filter(|(id, member)| member.link.is_some() && self.lets_in(**id));
        inside.map(|(_, member)| member.wants).fold(Wants::NONE, Wants::or)
    }

    // What time does.

    pub fn tick(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now.time;
        for member in self.members.values_mut() {
            member.ready |= member.reach_at <= now;
        }
        if self.waiting.is_some_and(|since| since.after(UNANSWERED_MS) <= now) {
            self.waiting = None;
            return cx.fact(Fact::RoomOver(self.id, RoomEnd::Unanswered));
        }
        if self.members.values().any(|member| !member.paired && member.lost.is_some_and(|at| at.after(AWAY_MS) <= now))
        {
            self.sweep(cx);
            // Whoever is still vouched for by others is not given up, and not looked at every moment.
            for member in self.members.values_mut().filter(|member| !member.paired) {
                member.lost.take_if(|at| at.after(AWAY_MS) <= now);
            }
        }
        if self.roll_at.take_if(|at| *at <= now).is_some() {
            let roll = Roll { members: self.listed() };
            self.say_all(&RoomWord::Roll(roll), cx);
        }
        if self.retry.take_if(|at| *at <= now).is_some() {
            super::request_entry(self, cx);
        }
        self.turn_keys(cx);
        if self.floor.as_ref().and_then(|floor| floor.deadline()).is_some_and(|at| at <= now) {
            self.floor(FloorInput::Tick, cx);
        }
        if let Some(end) = self.put_out.filter(|_| self.inside().is_empty()) {
            cx.fact(Fact::RoomOver(self.id, end));
        }
    }

    fn turn_keys(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now.time;
        if self.sender.is_old(now) || self.sender.is_due(now) && self.sender.is_worn() {
            self.renew(cx);
        } else if self.sender.is_due(now) {
            self.sender.step(now);
            if self.sender.is_used() {
                self.seal(cx);
            }
        }
        if self.sender.takes_over(now) {
            self.seal(cx);
        }
    }

    pub fn deadline(&self) -> Time {
        let members = self.members.values().filter(|member| !member.paired);
        let members = members.filter_map(|member| match (member.ready, member.lost) {
            (false, _) => Some(member.reach_at),
            (true, lost) => lost.map(|at| at.after(AWAY_MS)),
        });
        let waiting = self.waiting.map(|since| since.after(UNANSWERED_MS));
        let floor = self.floor.as_ref().and_then(|floor| floor.deadline());
        let rest = [waiting, self.roll_at, self.retry, floor].into_iter().flatten();
        members.chain(rest).min().map_or(self.sender.deadline(), |at| at.min(self.sender.deadline()))
    }

    /// Everybody with whom we have a session and who is let in, for the others.
    fn listed(&self) -> Vec<Listed> {
        let entry = |id: MemberId| {
            let member = self.members.get(&id)?;
            let key = IdentityKey(*member.key?.as_bytes());
            Some(Listed { member: id, key, name: member.hello.as_ref()?.name.clone() })
        };
        self.inside().into_iter().filter_map(entry).take(MEMBERS).collect()
    }

    // How members are met.

    pub fn us(&self) -> Us<'_> {
        let Self { us, own, psk, past, terms, .. } = self;
        Us::Member { id: *us, own, psk, past, terms }
    }

    /// What is wanted of a member.
    pub fn wish(&self, id: MemberId, open: bool) -> Wish {
        let Some(member) = self.members.get(&id).filter(|member| !self.is_out(id, member.key)) else {
            return Wish::default();
        };
        let lets_in = self.lets_in(id);
        let there = member.present || self.is_listed(id);
        Wish {
            session: member.paired || there,
            link: lets_in,
            // A link that is made before it is known where relays are finds none, for all its life.
            consent: lets_in && self.lends,
            trust: Some(Trust::Shared),
            detour: None,
            ways: match self.invitation.policy.relaying {
                Relaying::Forbidden => Ways::DirectOnly,
                Relaying::Allowed => Ways::Preferred,
                Relaying::Required => Ways::RelayOnly,
            },
            reachable: open && self.online && there && member.ready,
        }
    }

    // What can be seen.

    pub fn view(&self) -> RoomView {
        let mut members: Vec<MemberView> = Vec::new();
        for (id, member) in &self.members {
            members.extend(self.seen(*id, member));
        }
        RoomView {
            room: self.id,
            name: self.name.clone(),
            policy: self.invitation.policy,
            us: self.us,
            creator: self.is_creator(),
            locked: self.rule.locked,
            online: self.online,
            poise: self.poise,
            shows: self.shows,
            wants: self.wants(),
            members,
            floor: self.floor.as_ref().map(|floor| floor.state()),
        }
    }

    /// A member as the app sees it; `None` for one that neither showed itself nor is vouched for.
    fn seen(&self, id: MemberId, member: &Member) -> Option<MemberView> {
        let lets_in = self.lets_in(id);
        let (name, key, poise) = match (&member.hello, member.key) {
            (Some(hello), Some(key)) => (hello.name.clone(), key, hello.poise),
            _ => {
                let (name, key) = self.by_hearsay(id)?;
                (name, key, Default::default())
            }
        };
        let presence = match (member.link, member.paired, member.key) {
            (_, true, Some(_)) if !lets_in && self.is_creator() => Presence::Waiting,
            (_, _, Some(_)) if !lets_in => return None,
            (Some((_, route)), ..) => Presence::Here(route),
            (None, _, Some(_)) if member.no_way => Presence::NoWay,
            (None, _, Some(_)) => Presence::Reaching,
            (None, _, None) => Presence::Heard,
        };
        let verified = self.verified.contains(&IdentityKey(*key.as_bytes()));
        let creator = key == self.invitation.creator;
        let (shows, wants) = (member.shows, member.wants);
        Some(MemberView { member: id, name, key, creator, verified, presence, poise, shows, wants })
    }

    /// What those whom we let in say of somebody.
    fn by_hearsay(&self, id: MemberId) -> Option<(RoomName, PublicKey)> {
        let inside = self.members.iter().filter(|(member, is)| is.paired && self.lets_in(**member));
        let listed = inside.flat_map(|(_, is)| &is.roll).find(|listed| listed.member == id)?;
        Some((listed.name.clone(), PublicKey::from_bytes(listed.key.0).ok()?))
    }

    /// The keys of everybody who is in, ours included.
    pub fn identities(&self) -> Vec<PublicKey> {
        let seen = self.view().members.into_iter().filter(|member| member.presence != Presence::Waiting);
        seen.map(|member| member.key).chain([self.own.public()]).collect()
    }
}
