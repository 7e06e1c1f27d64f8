//! What holds in a room by the word of its creator: who is in, who is out, under which secret.
//!
//! Whoever is put out for good still has the room's link. So the creator draws another secret and says it to those who stay,
//! over the sessions it has with them: from then on handshakes are made under it, and the old link opens nothing. Sessions that
//! are there stay. Whoever was away meanwhile knows only the secret of before, and is met under it if its key was let in once;
//! the creator then tells it the new one.

use sidetone_crypto::identity::PublicKey;
use sidetone_crypto::room::{Door, Invitation};
use sidetone_wire::id::{IdentityKey, MemberId, RoomId, Secret};
use sidetone_wire::member::{Outcast, RoomWord, Rule};

use crate::cx::{Cx, Fact};
use crate::room::{RoomEnd, RoomEvent};
use crate::rooms::live::{Member, ROLL_MS, Room};

/// Outcasts and admitted ones that are remembered.
const RULED: usize = 64;
/// Secrets of before under which those who were let in are still met.
const PAST: usize = 3;

impl Room {
    // Who may be here.

    pub(super) fn is_out(&self, id: MemberId, key: Option<PublicKey>) -> bool {
        let key = key.map(|key| IdentityKey(*key.as_bytes()));
        self.rule.out.iter().any(|out| out.member == id || key.is_some() && out.banned == key)
    }

    /// Whether a member that showed its key is let in.
    pub(super) fn lets_in(&self, id: MemberId) -> bool {
        let Some(member) = self.members.get(&id) else { return false };
        if member.key.is_none() || self.is_out(id, member.key) {
            return false;
        }
        let open = self.invitation.policy.door == Door::Open && !self.rule.locked;
        open || self.is_their_creator(id) || self.rule.admitted.contains(&id)
    }

    /// The same room by a link: one with another secret than ours may be newer, as after somebody was put out for good, or
    /// made up. `None` for one that is no invitation to this room.
    pub fn invited(mut self, invitation: Invitation) -> Option<Self> {
        let Invitation { secret, policy, creator } = invitation;
        let same =
            RoomId(secret.id()) == self.id && (policy, creator) == (self.invitation.policy, self.invitation.creator);
        if !same {
            return None;
        }
        // Its creator knows best.
        let psk = secret.psk(&policy, &creator);
        if psk != self.psk && !self.past.contains(&psk) && !self.is_creator() {
            self.change_secret(&Secret(*secret.bytes()));
            self.doubtful = true;
        }
        Some(self)
    }

    // What the creator says.

    /// The creator says what holds.
    pub(super) fn ruled(&mut self, mut rule: Rule, cx: &mut Cx<'_>) {
        if rule.version <= self.rule.version {
            return;
        }
        rule.out.truncate(RULED);
        rule.admitted.truncate(RULED);
        self.rule = rule;
        self.changed = true;
        if let Some(secret) = self.rule.secret.clone() {
            self.change_secret(&secret);
        }
        if self.is_out(self.us, Some(self.own.public())) {
            let key = IdentityKey(*self.own.public().as_bytes());
            let banned = self.rule.out.iter().any(|out| out.banned == Some(key));
            let end = if banned { RoomEnd::Banned } else { RoomEnd::Kicked };
            return cx.fact(Fact::RoomOver(self.id, end));
        }
        self.obey(cx);
    }

    /// Goes on under another secret: sessions that are there stay, new ones are agreed under it.
    fn change_secret(&mut self, secret: &Secret) {
        if secret.as_bytes() == self.invitation.secret.bytes() {
            return;
        }
        let Invitation { policy, creator, .. } = self.invitation;
        self.invitation.secret = self.invitation.secret.renewed(secret.as_bytes());
        let new = self.invitation.secret.psk(&policy, &creator);
        self.past.insert(0, std::mem::replace(&mut self.psk, new));
        self.past.truncate(PAST);
        self.changed = true;
    }

    /// Puts out whoever is out, and lets in whoever is in.
    fn obey(&mut self, cx: &mut Cx<'_>) {
        // Whoever is out for good is not known any more, also once the list has grown too long for it.
        let banned: Vec<IdentityKey> = self.rule.out.iter().filter_map(|out| out.banned).collect();
        self.known.retain(|key| !banned.contains(key));
        let is_out = |(id, member): &(&MemberId, &Member)| self.is_out(**id, member.key);
        let out: Vec<MemberId> = self.members.iter().filter(is_out).map(|(id, _)| *id).collect();
        for id in out {
            self.gone(id, cx);
        }
        self.let_in(cx);
        let known: Vec<MemberId> = self.members.keys().copied().collect();
        for id in known {
            self.arrived(id, cx);
        }
        self.roll_at = Some(cx.now.time.after(ROLL_MS));
    }

    // What the creator does.

    /// Changes what holds and says so. Everybody who is put out hears why.
    pub fn rule(&mut self, change: impl FnOnce(&mut Rule), cx: &mut Cx<'_>) {
        change(&mut self.rule);
        self.rule.version = self.rule.version.saturating_add(1);
        let (out, admitted) = (self.rule.out.len(), self.rule.admitted.len());
        self.rule.out.drain(..out.saturating_sub(RULED));
        self.rule.admitted.drain(..admitted.saturating_sub(RULED));
        // Whoever still knocks is told nothing of the others.
        let told = |(id, member): &(&MemberId, &Member)| {
            member.paired && (self.lets_in(**id) || self.is_out(**id, member.key))
        };
        let told: Vec<MemberId> = self.members.iter().filter(told).map(|(id, _)| *id).collect();
        for id in told {
            self.say(id, RoomWord::Rule(self.rule_for(id)), cx);
        }
        self.changed = true;
        self.obey(cx);
        self.tell(RoomEvent::Changed, cx);
    }

    /// What holds, for a member: whoever is out does not learn the room's secret.
    pub(super) fn rule_for(&self, id: MemberId) -> Rule {
        let out = self.is_out(id, self.members.get(&id).and_then(|member| member.key));
        let secret = self.rule.secret.clone().filter(|_| !out);
        Rule { secret, ..self.rule.clone() }
    }

    /// Puts a member out. Whoever is put out for good keeps the link: the room gets another secret.
    pub fn put_out(&mut self, id: MemberId, banned: bool, cx: &mut Cx<'_>) {
        let key = self.members.get(&id).and_then(|member| member.key).map(|key| IdentityKey(*key.as_bytes()));
        let outcast = Outcast { member: id, banned: key.filter(|_| banned) };
        if banned {
            let secret = Secret(cx.roll());
            self.change_secret(&secret);
            self.rule.secret = Some(secret);
        }
        self.rule(
            |rule| {
                rule.admitted.retain(|admitted| *admitted != id);
                rule.out.push(outcast);
            },
            cx,
        );
    }
}
