//! Whom this account knows: requests, friends, blocks, presence, and the one key each of them may have.

use std::collections::{BTreeMap, BTreeSet};

use sidetone_crypto::identity::PublicKey;
use sidetone_wire::account::{Name, Page, Person, Relation, Request, Roster as RosterPage, User};
use sidetone_wire::frame::Presence;
use sidetone_wire::id::{IdentityKey, UserId};
use sidetone_wire::limits::{NAME_CHARS, ROSTER_PEOPLE};

use crate::cx::{Cx, Fact, Purpose, Wish};
use crate::effect::{Answer, CommandError, Event};
use crate::input::{Addresses, Ask, Verified};
use crate::preferences::addresses;
use crate::row::{FriendRow, Row};
use crate::view::{Friend, Standing};

/// Longest name, in UTF-8.
const NAME_BYTES: usize = 4 * *NAME_CHARS.end();

pub(crate) struct Roster {
    /// Boxed: ten thousand are sorted and moved when an account opens.
    people: BTreeMap<UserId, Box<Entry>>,
    /// Those of them who are online.
    online: BTreeSet<UserId>,
    /// Who was named so far while the whole roster is read.
    reading: Option<BTreeSet<UserId>>,
    page: u32,
    /// Counts the readings: a page of an earlier one says nothing about this one.
    run: u32,
}

struct Entry {
    row: FriendRow,
    /// The key of the row, as a point.
    key: PublicKey,
    standing: Standing,
    online: bool,
}

impl Entry {
    fn of(row: FriendRow) -> Self {
        let standing = match row.standing {
            1 => Standing::AskedUs,
            2 => Standing::AskedByUs,
            3 => Standing::Friend,
            4 => Standing::Blocked,
            _ => Standing::Former,
        };
        Self { key: PublicKey::kept(row.identity.0), row, standing, online: false }
    }

    /// The key, if this person is a friend under the pinned one.
    fn trusted(&self) -> Option<PublicKey> {
        let trusted = self.standing == Standing::Friend && self.row.changed.is_none();
        trusted.then_some(self.key)
    }
}

impl Roster {
    pub fn new() -> Self {
        Self { people: BTreeMap::new(), online: BTreeSet::new(), reading: None, page: 0, run: 0 }
    }

    pub fn restore(&mut self, rows: impl IntoIterator<Item = (UserId, FriendRow)>) {
        self.people = rows.into_iter().map(|(user, row)| (user, Box::new(Entry::of(row)))).collect();
    }

    /// The key of a friend under whom nothing changed.
    pub fn trusted(&self, user: UserId) -> Option<PublicKey> {
        self.people.get(&user)?.trusted()
    }

    pub fn is_friend(&self, user: UserId) -> bool {
        self.people.get(&user).is_some_and(|entry| entry.standing == Standing::Friend)
    }

    /// Whether safety numbers were compared under the key that is in use.
    pub fn is_verified(&self, user: UserId) -> bool {
        self.people.get(&user).is_some_and(|entry| entry.row.verified && entry.trusted().is_some())
    }

    /// Whether a friend may learn our addresses, if that was chosen for this one.
    pub fn addresses(&self, user: UserId) -> Option<Addresses> {
        self.people.get(&user)?.row.addresses.map(addresses)
    }

    pub fn set_addresses(&mut self, ask: Ask, user: UserId, addresses: Option<Addresses>, cx: &mut Cx<'_>) {
        let friend = self.people.get_mut(&user).filter(|entry| entry.standing == Standing::Friend);
        let Some(entry) = friend else { return cx.answer(ask, Err(CommandError::NotFriends)) };
        entry.row.addresses = addresses.map(|addresses| addresses as u8);
        cx.save(entry.row.put(user, 0));
        cx.tell(Event::Friend(user));
        cx.answer(ask, Ok(Answer::Done));
    }

    pub fn is_online(&self, user: UserId) -> bool {
        self.people.get(&user).is_some_and(|entry| entry.online)
    }

    pub fn friend(&self, user: UserId, unread: u32) -> Option<Friend> {
        let Entry { row, key, standing, online } = &**self.people.get(&user)?;
        let changed_key = row.changed.map(|key| PublicKey::kept(key.0));
        Some(Friend {
            user,
            name: row.name.clone(),
            standing: *standing,
            online: *online,
            verified: row.verified,
            key: *key,
            changed_key,
            unread,
            addresses: row.addresses.map(addresses),
        })
    }

    /// Friends who are online.
    pub fn online(&self) -> &BTreeSet<UserId> {
        &self.online
    }

    /// Everybody but those of the past.
    pub fn users(&self) -> impl Iterator<Item = UserId> + '_ {
        self.people.iter().filter(|(_, entry)| entry.standing != Standing::Former).map(|(user, _)| *user)
    }

    /// Reads the whole roster again, page by page.
    pub fn read(&mut self, cx: &mut Cx<'_>) {
        if self.reading.is_none() {
            self.reading = Some(BTreeSet::new());
            self.page = 0;
            self.run = self.run.wrapping_add(1);
            cx.request(Request::Roster(Page { page: 0 }), Purpose::Roster(self.run));
        }
    }

    /// Reading it failed: it is read again with the next conversation.
    pub fn unread(&mut self) {
        self.reading = None;
    }

    pub fn page(&mut self, run: u32, page: RosterPage, cx: &mut Cx<'_>) {
        let Some(mut named) = self.reading.take_if(|_| run == self.run) else { return };
        for person in page.people {
            named.insert(person.user);
            self.person(person, cx);
        }
        if page.more && named.len() < ROSTER_PEOPLE {
            self.page = self.page.saturating_add(1);
            self.reading = Some(named);
            return cx.request(Request::Roster(Page { page: self.page }), Purpose::Roster(self.run));
        }
        let gone: Vec<UserId> = self.users().filter(|user| !named.contains(user)).collect();
        for user in gone {
            self.gone(user, cx);
        }
    }

    /// The server says how it stands with a person. Their name and standing are the server's to say; their key, once
    /// pinned, is not.
    pub fn person(&mut self, person: Person, cx: &mut Cx<'_>) {
        let standing = match person.relation {
            Relation::AskedUs => Standing::AskedUs,
            Relation::AskedByUs => Standing::AskedByUs,
            Relation::Friend => Standing::Friend,
            Relation::Blocked => Standing::Blocked,
            Relation::Unknown => return,
        };
        let Some(key) = self.checked(&person) else { return };
        let entry = self.people.entry(person.user).or_insert_with(|| {
            Box::new(Entry {
                row: new_row(&person.name, person.identity),
                key,
                standing: Standing::Former,
                online: false,
            })
        });
        let before = (entry.row.clone(), entry.standing, entry.online);
        let trusted = entry.trusted().is_some();
        entry.standing = standing;
        entry.online = person.online && standing == Standing::Friend;
        entry.row.name = person.name;
        entry.row.standing = standing as u8;
        if entry.row.pinned {
            entry.row.changed = (entry.row.identity != person.identity).then_some(person.identity);
        } else {
            entry.row.identity = person.identity;
            entry.key = key;
            entry.row.pinned = standing == Standing::Friend;
        }
        if before.0 != entry.row {
            cx.save(entry.row.put(person.user, 0));
        }
        let distrusted = trusted && entry.trusted().is_none();
        match entry.online {
            true => self.online.insert(person.user),
            false => self.online.remove(&person.user),
        };
        if before != (entry.row.clone(), entry.standing, entry.online) {
            cx.tell(Event::Friend(person.user));
        }
        if distrusted {
            cx.fact(Fact::Distrusted(person.user));
        }
    }

    /// The key that the server names for a person with a proper name: known already, or a proper point and there is room for
    /// its owner.
    fn checked(&self, person: &Person) -> Option<PublicKey> {
        if person.name.len() > NAME_BYTES {
            return None;
        }
        let entry = self.people.get(&person.user);
        match entry.filter(|entry| entry.row.identity == person.identity) {
            Some(entry) => Some(entry.key),
            None if entry.is_none() && self.people.len() >= 2 * ROSTER_PEOPLE => None,
            None => PublicKey::from_bytes(person.identity.0).ok(),
        }
    }

    pub fn gone(&mut self, user: UserId, cx: &mut Cx<'_>) {
        self.part(user, Standing::Former, cx);
    }

    pub fn blocked(&mut self, user: UserId, cx: &mut Cx<'_>) {
        self.part(user, Standing::Blocked, cx);
    }

    fn part(&mut self, user: UserId, standing: Standing, cx: &mut Cx<'_>) {
        let Some(entry) = self.people.get_mut(&user) else { return };
        if entry.standing == standing {
            return;
        }
        entry.standing = standing;
        entry.online = false;
        self.online.remove(&user);
        entry.row.standing = standing as u8;
        cx.save(entry.row.put(user, 0));
        cx.tell(Event::Friend(user));
        cx.fact(Fact::Distrusted(user));
    }

    pub fn presence(&mut self, presence: Presence, cx: &mut Cx<'_>) {
        let Some(entry) = self.people.get_mut(&presence.user) else { return };
        if entry.standing == Standing::Friend && entry.online != presence.online {
            entry.online = presence.online;
            match presence.online {
                true => self.online.insert(presence.user),
                false => self.online.remove(&presence.user),
            };
            cx.tell(Event::Friend(presence.user));
        }
    }

    /// Nobody is known to be online while we are not.
    pub fn offline(&mut self, cx: &mut Cx<'_>) {
        for user in std::mem::take(&mut self.online) {
            if let Some(entry) = self.people.get_mut(&user) {
                entry.online = false;
                cx.tell(Event::Friend(user));
            }
        }
    }

    /// Notes that a friend has no live session, whatever presence said.
    pub fn unreachable(&mut self, user: UserId, cx: &mut Cx<'_>) {
        self.presence(Presence { user, online: false }, cx);
    }

    pub fn befriend(&mut self, ask: Ask, name: String, key: Option<PublicKey>, cx: &mut Cx<'_>) {
        cx.request(Request::Befriend(Name { name }), Purpose::Ask(ask, Wish::Befriend(key)));
    }

    /// The server found the person asked for.
    pub fn found(&mut self, ask: Ask, person: Person, key: Option<PublicKey>, cx: &mut Cx<'_>) {
        let user = person.user;
        if key.is_some_and(|key| *key.as_bytes() != person.identity.0) {
            cx.request(Request::Unfriend(User { user }), Purpose::Nothing);
            return cx.answer(ask, Err(CommandError::KeyChanged));
        }
        self.person(person, cx);
        if let Some(entry) = self.people.get_mut(&user).filter(|entry| key.is_some() && !entry.row.pinned) {
            entry.row.pinned = true;
            cx.save(entry.row.put(user, 0));
        }
        cx.answer(ask, Ok(Answer::Person(user)));
    }

    pub fn set_verified(&mut self, ask: Ask, user: UserId, verified: Verified, cx: &mut Cx<'_>) {
        let friend = self.people.get_mut(&user).filter(|entry| entry.standing == Standing::Friend);
        let Some(entry) = friend else { return cx.answer(ask, Err(CommandError::NotFriends)) };
        if entry.row.changed.is_some() && verified == Verified::Yes {
            return cx.answer(ask, Err(CommandError::KeyChanged));
        }
        entry.row.verified = verified == Verified::Yes;
        cx.save(entry.row.put(user, 0));
        cx.tell(Event::Friend(user));
        cx.answer(ask, Ok(Answer::Done));
    }

    /// Pins the key that the user was shown: only that one.
    pub fn accept_key(&mut self, ask: Ask, user: UserId, key: PublicKey, cx: &mut Cx<'_>) {
        let Some(entry) = self.people.get_mut(&user) else { return cx.answer(ask, Err(CommandError::NotFriends)) };
        if entry.row.changed != Some(IdentityKey(*key.as_bytes())) {
            return cx.answer(ask, Err(CommandError::KeyChanged));
        }
        entry.row.identity = IdentityKey(*key.as_bytes());
        entry.key = key;
        entry.row.changed = None;
        entry.row.verified = false;
        cx.save(entry.row.put(user, 0));
        cx.tell(Event::Friend(user));
        cx.answer(ask, Ok(Answer::Done));
    }
}

fn new_row(name: &str, identity: IdentityKey) -> FriendRow {
    let (name, standing) = (name.to_owned(), Standing::Former as u8);
    FriendRow { name, identity, changed: None, standing, verified: false, pinned: false, addresses: None }
}
