//! One room that we are in: who is there, who may be, under which keys they hear us.

use std::collections::{BTreeMap, BTreeSet};

use sidetone_crypto::identity::{Identity, PublicKey};
use sidetone_crypto::room::{Invitation, POLICY_LEN, Relaying, Speaking};
use sidetone_wire::account::{Relays, Request};
use sidetone_wire::id::{IdentityKey, MemberId, RoomId, Secret};
use sidetone_wire::limits::MEMBERS;
use sidetone_wire::member::{Listed, MemberHello, Poise, Roll, RoomWord, Rule};
use sidetone_wire::record::{MediaKey, Record};
use sidetone_wire::room::{self as wire, RoomName};
use zeroize::Zeroizing;

use crate::call::{Shows, Wants};
use crate::cx::{Cx, Fact, Purpose, RoomAsk};
use crate::effect::{Effect, Event, SenderKey};
use crate::floor::{Floor, FloorInput};
use crate::input::{Ask, LinkId, PeerId, Route};
use crate::keys::Under;
use crate::room::{Memory, RoomEnd, RoomEvent};
use crate::rooms::sender::Sender;
use crate::sound::{Mode, SoundOrder};
use crate::time::Time;

/// Who was here before us speaks first; whoever came after us is given this long to.
const PATIENCE_MS: u64 = 2_000;
/// A member whose link is lost is given up after this.
pub(super) const AWAY_MS: u64 = 30_000;
/// Whoever enters and is not answered by anybody who is there gives up after this.
pub(super) const UNANSWERED_MS: u64 = 20_000;
/// A server that does not say where its relays are is asked again after this.
const RELAYS_RETRY_MS: u64 = 30_000;
/// News of who is there waits this long for more of it.
pub(super) const ROLL_MS: u64 = 100;
/// Members that are remembered, those whom nobody vouches for included.
const KNOWN: usize = 4 * MEMBERS;
/// Keys of members who were let in that are remembered.
const FAMILIAR: usize = 256;

pub(crate) struct Room {
    pub id: RoomId,
    pub invitation: Invitation,
    pub psk: Zeroizing<[u8; 32]>,
    /// The keys of handshakes under the secrets before this one, the newest first.
    pub past: Vec<Zeroizing<[u8; 32]>>,
    /// Keys of members who were let in: they are met also under a secret of before.
    pub known: BTreeSet<IdentityKey>,
    /// What is remembered of it is not what is on the disk.
    pub changed: bool,
    /// Nobody has shown yet that our secret is this room's: what is on the disk may be the right one.
    pub doubtful: bool,
    pub terms: [u8; POLICY_LEN],
    pub own: Identity,
    pub us: MemberId,
    /// With which the server takes us for its owner, if we made it.
    pub owner: Option<Secret>,
    pub name: Option<RoomName>,
    pub shown: RoomName,
    pub host: String,
    pub memory: Memory,
    /// Who waits for the server to let us in, the first time.
    pub entering: Option<Ask>,
    /// Whether the server knows that we are in.
    pub online: bool,
    /// Since when we wait for an answer of those who were there.
    pub waiting: Option<Time>,
    /// Why the server put us out; the links live on.
    pub put_out: Option<RoomEnd>,
    /// When the server is asked to let us in again.
    pub retry: Option<Time>,
    pub relays: Option<Relays>,
    /// Whether the server has said whether it lends any.
    pub lends: bool,
    /// Until when they are good for new links, or an answer about them is awaited.
    pub relays_until: Time,
    pub members: BTreeMap<MemberId, Member>,
    pub rule: Rule,
    pub verified: BTreeSet<IdentityKey>,
    pub sender: Sender,
    pub floor: Option<Floor>,
    pub poise: Poise,
    pub shows: Shows,
    pub roll_at: Option<Time>,
}

/// Somebody else, as far as we know.
#[derive(Default)]
pub(crate) struct Member {
    /// Whether the server says that they are in.
    pub present: bool,
    /// From when on we may say the first hello.
    pub reach_at: Time,
    pub ready: bool,
    /// The key they showed in their first session: another one is somebody else.
    pub key: Option<PublicKey>,
    pub paired: bool,
    pub hello: Option<MemberHello>,
    pub link: Option<(LinkId, Route)>,
    /// There was no way for a link to them when one was last tried.
    pub no_way: bool,
    /// Since when there is no session any more.
    pub lost: Option<Time>,
    /// Whether they have our key.
    pub keyed: bool,
    /// Whether they ever had one.
    pub ever_keyed: bool,
    /// Their key, until there is a link that it is for.
    pub theirs: Option<MediaKey>,
    /// With whom they have a session.
    pub roll: Vec<Listed>,
    /// What they show.
    pub shows: Shows,
    /// What of ours they want to see.
    pub wants: Wants,
    /// What of theirs we want to see.
    pub wanted: Wants,
    pub knocked: bool,
    pub joined: bool,
}

impl Room {
    #[allow(clippy::too_many_arguments, reason = "everything a room is made of")]
    pub fn new(
        invitation: Invitation,
        own: Identity,
        owner: Option<Secret>,
        name: Option<RoomName>,
        shown: RoomName,
        host: String,
        memory: Memory,
        cx: &mut Cx<'_>,
    ) -> Self {
        let us = MemberId(cx.roll());
        let policy = invitation.policy;
        let burst_ms = u64::from(policy.burst_s) * 1_000;
        let floor = (policy.speaking == Speaking::PushToTalk).then(|| Floor::new(us, burst_ms));
        Self {
            id: RoomId(invitation.secret.id()),
            psk: invitation.secret.psk(&policy, &invitation.creator),
            past: Vec::new(),
            known: BTreeSet::new(),
            changed: false,
            doubtful: false,
            terms: policy.to_bytes(),
            invitation,
            own,
            us,
            owner,
            name,
            shown,
            host,
            memory,
            entering: None,
            online: false,
            waiting: None,
            put_out: None,
            retry: None,
            relays: None,
            lends: false,
            relays_until: Time(0),
            members: BTreeMap::new(),
            rule: Rule::default(),
            verified: BTreeSet::new(),
            sender: Sender::new(cx.roll(), cx.now.time),
            floor,
            poise: Poise { hand: false, microphone: policy.speaking == Speaking::Open },
            shows: Shows::default(),
            roll_at: None,
        }
    }

    pub fn is_creator(&self) -> bool {
        self.own.public() == self.invitation.creator
    }

    pub(super) fn is_their_creator(&self, member: MemberId) -> bool {
        self.members.get(&member).and_then(|member| member.key) == Some(self.invitation.creator)
    }

    pub fn tell(&self, event: RoomEvent, cx: &mut Cx<'_>) {
        cx.tell(Event::Room(self.id, event));
    }

    pub(super) fn sound(&self, order: SoundOrder, cx: &mut Cx<'_>) {
        cx.effect(Effect::Sound(self.id, order));
    }

    pub(super) fn say(&self, member: MemberId, word: RoomWord, cx: &mut Cx<'_>) {
        cx.say(PeerId::Member(self.id, member), Record::Room(word));
    }

    /// Says something to everybody who is let in.
    pub fn say_all(&self, word: &RoomWord, cx: &mut Cx<'_>) {
        for member in self.inside() {
            self.say(member, word.clone(), cx);
        }
    }

    /// Everybody with whom there is a session and who is let in.
    pub(super) fn inside(&self) -> Vec<MemberId> {
        let inside = |(id, member): &(&MemberId, &Member)| member.paired && self.lets_in(**id);
        self.members.iter().filter(inside).map(|(id, _)| *id).collect()
    }

    // What the server says.

    /// The server lets us in and says who is there.
    pub fn entered(&mut self, others: &[MemberId], cx: &mut Cx<'_>) {
        (self.online, self.put_out, self.retry) = (true, None, None);
        let first = self.entering.is_some();
        for (id, member) in &mut self.members {
            member.present = others.contains(id);
        }
        for id in others {
            self.came(*id, Time(0), cx);
        }
        if first {
            let mode = if self.floor.is_some() { Mode::PushToTalk } else { Mode::Open };
            let replay = self.invitation.policy.replay == sidetone_crypto::room::Replay::Allowed;
            self.sound(SoundOrder::Join { mode, replay }, cx);
            self.seal(cx);
            if self.shows != Shows::default() {
                self.sound(SoundOrder::Show(self.shows), cx);
            }
            self.waiting = (!others.is_empty()).then_some(cx.now.time);
        }
        self.tell(RoomEvent::Changed, cx);
    }

    /// Somebody is there, by the word of the server.
    pub fn came(&mut self, id: MemberId, reach_at: Time, cx: &mut Cx<'_>) {
        if id == self.us || self.members.len() >= KNOWN && !self.members.contains_key(&id) {
            return;
        }
        let now = cx.now.time;
        let member = self.members.entry(id).or_insert_with(|| Member { reach_at, ..Member::default() });
        member.present = true;
        member.ready = member.reach_at <= now;
    }

    /// Asks the server where its STUN is, and its relays where the policy allows them, if that is not good any more.
    pub fn borrow_relays(&mut self, cx: &mut Cx<'_>) {
        if self.online && self.relays_until <= cx.now.time {
            self.relays_until = cx.now.time.after(RELAYS_RETRY_MS);
            cx.request(Request::RoomRelays(wire::Room { room: self.id }), Purpose::Room(self.id, RoomAsk::Relays));
        }
    }

    /// The server said where they are. Where relays are forbidden, whatever it names beside STUN is nothing to us.
    pub fn lent(&mut self, mut relays: Relays, now: Time) {
        if self.invitation.policy.relaying == Relaying::Forbidden {
            relays.urls.retain(|url| url.starts_with("stun:"));
            (relays.username, relays.password) = (String::new(), String::new());
        }
        self.relays_until = now.after((relays.valid_ms / 2).max(RELAYS_RETRY_MS));
        (self.relays, self.lends) = (Some(relays), true);
    }

    /// Somebody came after us: they speak first.
    pub fn newcomer(&mut self, id: MemberId, cx: &mut Cx<'_>) {
        self.borrow_relays(cx);
        self.came(id, cx.now.time.after(PATIENCE_MS), cx);
    }

    /// Somebody went, by the word of the server: whoever has a session with us tells us themselves.
    pub fn went(&mut self, id: MemberId, cx: &mut Cx<'_>) {
        if let Some(member) = self.members.get_mut(&id) {
            member.present = false;
        }
        self.sweep(cx);
    }

    // What sessions and links say.

    /// A session is agreed with somebody who holds the room's secret, or one of before, and showed this key.
    pub fn paired(&mut self, id: MemberId, key: PublicKey, under: Under, cx: &mut Cx<'_>) {
        let familiar = self.known.contains(&IdentityKey(*key.as_bytes()));
        if under == Under::Past && !familiar && key != self.invitation.creator {
            return self.refuse(id, cx);
        }
        let count = self.members.values().filter(|member| member.paired).count();
        let full = count + 1 >= usize::from(self.invitation.policy.members);
        let Some(member) = self.members.get_mut(&id) else { return self.refuse(id, cx) };
        let other = member.key.is_some_and(|known| known != key);
        if other || full && member.key.is_none() || key == self.own.public() {
            return self.refuse(id, cx);
        }
        member.key = Some(key);
        (member.paired, member.lost, member.keyed) = (true, None, false);
        if self.is_out(id, Some(key)) {
            if self.is_creator() {
                self.say(id, RoomWord::Rule(self.rule_for(id)), cx);
            }
            return self.refuse(id, cx);
        }
        // Only the creator's word makes another secret than the one that is remembered the room's.
        self.doubtful &= under == Under::Past || key != self.invitation.creator;
        self.borrow_relays(cx);
        let (name, room) = (self.shown.clone(), self.name.clone().filter(|_| self.is_creator()));
        self.say(id, RoomWord::Hello(MemberHello { name, room, poise: self.poise }), cx);
        if self.is_creator() && self.lets_in(id) {
            self.say(id, RoomWord::Rule(self.rule_for(id)), cx);
        }
        self.let_in(cx);
        self.roll_at = Some(cx.now.time.after(ROLL_MS));
    }

    /// Ends a session that should not be.
    fn refuse(&mut self, id: MemberId, cx: &mut Cx<'_>) {
        cx.fact(Fact::Shun(PeerId::Member(self.id, id)));
    }

    /// The session with somebody is gone.
    pub fn unpaired(&mut self, id: MemberId, cx: &mut Cx<'_>) {
        let now = cx.now.time;
        let Some(member) = self.members.get_mut(&id).filter(|member| member.paired) else { return };
        (member.paired, member.link, member.keyed, member.theirs) = (false, None, false, None);
        (member.lost, member.reach_at, member.ready) = (Some(now), now, true);
        // They say it again when they are back.
        (member.shows, member.wants) = Default::default();
        self.sound(SoundOrder::Gone { member: id }, cx);
        self.floor(FloorInput::Gone(id), cx);
        self.roll_at = Some(now.after(ROLL_MS));
        self.tell(RoomEvent::Changed, cx);
        self.sweep(cx);
    }

    pub fn up(&mut self, id: MemberId, link: LinkId, route: Route, cx: &mut Cx<'_>) {
        let Some(member) = self.members.get_mut(&id) else { return };
        (member.link, member.no_way) = (Some((link, route)), false);
        let (theirs, wants) = (member.theirs.take(), member.wants);
        self.sound(SoundOrder::Member { member: id, link }, cx);
        if wants != Wants::default() {
            self.sound(SoundOrder::Wanted { member: id, wants }, cx);
        }
        if let Some(key) = theirs {
            self.open_with(id, &key, cx);
        }
        self.floor(FloorInput::Up(id), cx);
        self.tell(RoomEvent::Changed, cx);
    }

    /// A link to somebody was tried, and there was no way that the policy and both ends allow.
    pub fn no_way(&mut self, id: MemberId, cx: &mut Cx<'_>) {
        if let Some(member) = self.members.get_mut(&id) {
            member.no_way = true;
            self.tell(RoomEvent::Changed, cx);
        }
    }

    pub fn routed(&mut self, id: MemberId, route: Route, cx: &mut Cx<'_>) {
        if let Some((_, old)) = self.members.get_mut(&id).and_then(|member| member.link.as_mut()) {
            *old = route;
            self.tell(RoomEvent::Changed, cx);
        }
    }

    /// A link that was silent is heard again: what was said of the floor meanwhile may be stale.
    pub fn restored(&mut self, id: MemberId, cx: &mut Cx<'_>) {
        if self.members.get(&id).is_some_and(|member| member.link.is_some()) {
            self.floor(FloorInput::Up(id), cx);
        }
    }

    // Who hears us.

    /// Gives our key to everybody who is let in and does not have it, one step on for those who never had.
    pub(super) fn let_in(&mut self, cx: &mut Cx<'_>) {
        let unkeyed = |room: &Self, id: &MemberId| room.members.get(id).is_some_and(|member| !member.keyed);
        let owed: Vec<MemberId> = self.inside().into_iter().filter(|id| unkeyed(self, id)).collect();
        if owed.is_empty() {
            return;
        }
        let new = owed.iter().any(|id| self.members.get(id).is_some_and(|member| !member.ever_keyed));
        let others = self.members.values().any(|member| member.ever_keyed);
        if new && others && self.sender.is_worn() {
            return self.renew(cx);
        }
        if new && others {
            self.sender.step(cx.now.time);
            if self.sender.is_used() {
                self.seal(cx);
            }
        }
        for id in owed {
            self.give_key(id, cx);
        }
    }

    fn give_key(&mut self, id: MemberId, cx: &mut Cx<'_>) {
        let Some(key) = self.sender.said() else { return };
        let mut first = false;
        if let Some(member) = self.members.get_mut(&id) {
            first = !member.keyed;
            (member.keyed, member.ever_keyed) = (true, true);
            let known = member.key.map(|key| IdentityKey(*key.as_bytes()));
            let room = self.known.len() < FAMILIAR;
            self.changed |= known.filter(|_| room).is_some_and(|key| self.known.insert(key));
        }
        self.say(id, RoomWord::Key(key), cx);
        if first {
            self.say_pictures(id, cx);
        }
    }

    /// A new key, given to everybody who is let in and to nobody else.
    pub(super) fn renew(&mut self, cx: &mut Cx<'_>) {
        self.sender.renew(cx.roll(), cx.now.time);
        for id in self.inside() {
            self.give_key(id, cx);
        }
    }

    pub(super) fn seal(&self, cx: &mut Cx<'_>) {
        if let Some(key) = self.sender.key() {
            self.sound(SoundOrder::SealWith(key), cx);
        }
    }

    fn open_with(&self, id: MemberId, key: &MediaKey, cx: &mut Cx<'_>) {
        if let Ok(base) = sidetone_crypto::sframe::BaseKey::from_bytes(key.base.as_slice()) {
            let key = SenderKey { generation: key.generation, base };
            self.sound(SoundOrder::OpenWith { member: id, key }, cx);
        }
    }

    // What members say.

    pub fn heard(&mut self, id: MemberId, word: RoomWord, cx: &mut Cx<'_>) {
        let creator = self.is_their_creator(id);
        match word {
            RoomWord::Hello(hello) => self.hello(id, hello, cx),
            RoomWord::Rule(rule) if creator => self.ruled(rule, cx),
            RoomWord::Close(_) if creator => cx.fact(Fact::RoomOver(self.id, RoomEnd::Closed)),
            RoomWord::Key(key) => self.key(id, key, cx),
            RoomWord::Shows(shows) => self.they_show(id, shows, cx),
            RoomWord::Wants(wants) => self.they_want(id, wants, cx),
            _ if !self.lets_in(id) => {}
            RoomWord::Roll(roll) => self.rolled(id, roll, cx),
            RoomWord::Text(text) => self.tell(RoomEvent::Text(id, text), cx),
            RoomWord::React(reaction) => self.tell(RoomEvent::Reaction(id, reaction), cx),
            RoomWord::Poise(poise) => self.posed(id, poise, cx),
            RoomWord::MuteAsked(_) => self.tell(RoomEvent::MuteAsked(id), cx),
            RoomWord::Leaving(_) => self.gone(id, cx),
            RoomWord::Rule(_) | RoomWord::Close(_) => {}
        }
    }

    fn hello(&mut self, id: MemberId, hello: MemberHello, cx: &mut Cx<'_>) {
        if self.is_their_creator(id) && self.name.is_none() {
            self.name = hello.room.clone();
        }
        // Whoever does not meet us under our secret, or put us out, does not say who they are.
        self.waiting = None;
        let knocks = self.is_creator() && !self.lets_in(id);
        let Some(member) = self.members.get_mut(&id) else { return };
        member.hello = Some(hello);
        if knocks && !std::mem::replace(&mut member.knocked, true) {
            self.tell(RoomEvent::Knocking(id), cx);
        }
        self.arrived(id, cx);
    }

    /// Tells the user of a member once it is known and let in.
    pub(super) fn arrived(&mut self, id: MemberId, cx: &mut Cx<'_>) {
        let lets_in = self.lets_in(id);
        let Some(member) = self.members.get_mut(&id) else { return };
        if lets_in && member.hello.is_some() && !std::mem::replace(&mut member.joined, true) {
            self.tell(RoomEvent::Joined(id), cx);
        }
        self.tell(RoomEvent::Changed, cx);
    }

    fn key(&mut self, id: MemberId, key: MediaKey, cx: &mut Cx<'_>) {
        let Some(member) = self.members.get_mut(&id) else { return };
        match member.link {
            // Also of one that the creator has let in and we have not heard of it: there is no link to it before.
            None => member.theirs = Some(key),
            Some(_) => self.open_with(id, &key, cx),
        }
    }

    fn posed(&mut self, id: MemberId, poise: Poise, cx: &mut Cx<'_>) {
        if let Some(hello) = self.members.get_mut(&id).and_then(|member| member.hello.as_mut()) {
            hello.poise = poise;
            self.tell(RoomEvent::Changed, cx);
        }
    }

    fn rolled(&mut self, id: MemberId, mut roll: Roll, cx: &mut Cx<'_>) {
        roll.members.truncate(MEMBERS);
        let now = cx.now.time;
        for listed in &roll.members {
            let known = self.members.contains_key(&listed.member) || listed.member == self.us;
            if !known
                && self.members.len() < KNOWN
                && !self.is_out(listed.member, PublicKey::from_bytes(listed.key.0).ok())
            {
                let reach_at = now.after(PATIENCE_MS);
                self.members.insert(listed.member, Member { reach_at, ..Member::default() });
            }
        }
        if let Some(member) = self.members.get_mut(&id) {
            member.roll = roll.members;
        }
        self.tell(RoomEvent::Changed, cx);
        self.sweep(cx);
    }

    // Who goes.

    /// Whether somebody with whom we have a session has one with this member.
    pub(super) fn is_listed(&self, id: MemberId) -> bool {
        let lists = |member: &Member| member.paired && member.roll.iter().any(|listed| listed.member == id);
        self.members.values().any(lists)
    }

    /// A member is not there any more: nothing of ours is for it from now on.
    pub(super) fn gone(&mut self, id: MemberId, cx: &mut Cx<'_>) {
        let Some(member) = self.members.remove(&id) else { return };
        if member.paired {
            cx.fact(Fact::Shun(PeerId::Member(self.id, id)));
            self.sound(SoundOrder::Gone { member: id }, cx);
            self.floor(FloorInput::Gone(id), cx);
        }
        if member.ever_keyed {
            self.renew(cx);
        }
        if member.joined {
            self.tell(RoomEvent::Left(id), cx);
        }
        self.roll_at = Some(cx.now.time.after(ROLL_MS));
        self.tell(RoomEvent::Changed, cx);
    }

    /// Gives up whoever nobody vouches for any more.
    pub(super) fn sweep(&mut self, cx: &mut Cx<'_>) {
        let now = cx.now.time;
        let away = |member: &Member| member.lost.is_some_and(|lost| lost.after(AWAY_MS) <= now);
        let over = |(id, member): &(&MemberId, &Member)| {
            !member.paired && !self.is_listed(**id) && (!member.present || away(member))
        };
        let over: Vec<MemberId> = self.members.iter().filter(over).map(|(id, _)| *id).collect();
        for id in over {
            let present = self.members.get(&id).is_some_and(|member| member.present);
            self.gone(id, cx);
            if present {
                // The server still names it: it may come back, as somebody new.
                self.newcomer(id, cx);
            }
        }
    }
}
