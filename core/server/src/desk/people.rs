//! People: who is what to whom.

use sidetone_wire::account::{Code, Name, Page, Person, Refusal, Relation, Reply, Roster, User};
use sidetone_wire::frame::Event;
use sidetone_wire::id::UserId;
use sidetone_wire::limits::{ROSTER_PAGE, ROSTER_PEOPLE};

use super::requests::done;
use super::{Bus, Desk, Store, refuse};
use crate::name::Username;
use crate::store::{Act, Edge, Known, Stance};

/// What an account sees of a person. What the other decided in silence does not show.
fn relation(edge: Edge) -> Option<Relation> {
    match (edge.ours, edge.theirs) {
        (Some(Stance::Wants), Some(Stance::Wants)) => Some(Relation::Friend),
        (Some(Stance::Wants), _) => Some(Relation::AskedByUs),
        (Some(Stance::Blocks), _) => Some(Relation::Blocked),
        (None, Some(Stance::Wants)) => Some(Relation::AskedUs),
        (Some(Stance::Declined), _) | (None, _) => None,
    }
}

fn flipped(edge: Edge) -> Edge {
    Edge { ours: edge.theirs, theirs: edge.ours }
}

fn seen(known: Known, relation: Relation, online: bool) -> Person {
    let online = online && relation == Relation::Friend;
    Person { user: known.user, name: known.name, identity: known.identity, relation, online }
}

impl<B: Bus, S: Store> Desk<B, S> {
    pub(super) async fn roster(&mut self, us: UserId, page: Page) -> Result<Reply, Refusal> {
        let skip = usize::try_from(page.page).unwrap_or(usize::MAX).saturating_mul(ROSTER_PAGE);
        let mut rows = self.store.roster(us, skip, ROSTER_PAGE + 1).await?;
        let more = rows.len() > ROSTER_PAGE;
        rows.truncate(ROSTER_PAGE);
        let users: Vec<_> = rows.iter().map(|(known, _)| known.user).collect();
        let online = self.bus.online(&users).await?;
        let people = rows
            .into_iter()
            .zip(online)
            .filter_map(|((known, edge), online)| relation(edge).map(|relation| seen(known, relation, online)))
            .collect();
        Ok(Reply::Roster(Roster { people, more }))
    }

    pub(super) async fn befriend(&mut self, us: UserId, name: Name) -> Result<Reply, Refusal> {
        let Some(name) = Username::parse(&name.name) else { return refuse(Code::NameInvalid) };
        let Some(other) = self.store.find(name.as_str()).await? else { return refuse(Code::NoSuchUser) };
        if other.user == us || self.store.edge(us, other.user).await?.ours == Some(Stance::Wants) {
            return refuse(Code::Already);
        }
        for full in [us, other.user] {
            if self.store.roster_len(full).await? >= ROSTER_PEOPLE {
                return refuse(Code::RosterFull);
            }
        }
        self.person_after(us, other, Act::Ask).await
    }

    pub(super) async fn accept(&mut self, us: UserId, them: UserId) -> Result<Reply, Refusal> {
        let Some(other) = self.store.person(them).await? else { return refuse(Code::NoSuchUser) };
        match self.store.edge(us, them).await? {
            edge if edge.is_friendship() => refuse(Code::Already),
            Edge { ours: None | Some(Stance::Declined), theirs: Some(Stance::Wants) } => {
                self.person_after(us, other, Act::Accept).await
            }
            _ => refuse(Code::NoSuchUser),
        }
    }

    pub(super) async fn decline(&mut self, us: UserId, them: UserId) -> Result<Reply, Refusal> {
        self.act(us, them, Act::Decline).await.map(|_| done())
    }

    pub(super) async fn unfriend(&mut self, us: UserId, them: UserId) -> Result<Reply, Refusal> {
        self.act(us, them, Act::Leave).await.map(|_| done())
    }

    pub(super) async fn block(&mut self, us: UserId, them: UserId) -> Result<Reply, Refusal> {
        if us == them || self.store.person(them).await?.is_none() {
            return refuse(Code::NoSuchUser);
        }
        let edge = self.store.edge(us, them).await?;
        if edge == Edge::default() && self.store.roster_len(us).await? >= ROSTER_PEOPLE {
            return refuse(Code::RosterFull);
        }
        self.act(us, them, Act::Block).await.map(|_| done())
    }

    pub(super) async fn unblock(&mut self, us: UserId, them: UserId) -> Result<Reply, Refusal> {
        self.act(us, them, Act::Unblock).await.map(|_| done())
    }

    async fn person_after(&mut self, us: UserId, other: Known, act: Act) -> Result<Reply, Refusal> {
        let edge = self.act(us, other.user, act).await?;
        let Some(relation) = relation(edge) else { return refuse(Code::NoSuchUser) };
        let online = self.bus.online(&[other.user]).await? == [true];
        Ok(Reply::Person(seen(other, relation, online)))
    }

    /// Does an act and tells the other person if, and only if, it changes what they see.
    async fn act(&mut self, us: UserId, them: UserId, act: Act) -> Result<Edge, Refusal> {
        let (before, after) = self.store.relate(us, them, act).await?;
        let (was, is) = (relation(flipped(before)), relation(flipped(after)));
        if was != is {
            let news = match is {
                None => Some(Event::Gone(User { user: us })),
                Some(is) => self.store.person(us).await?.map(|known| Event::Person(seen(known, is, true))),
            };
            if let Some(news) = news {
                self.tell(them, &news).await?;
            }
        }
        Ok(after)
    }
}
