//! The driver: the one thread that owns the engine, the store, the links and the media thread's orders.
//!
//! # The law
//! One step is one transaction. It is committed before a frame or a record leaves, and both before the app hears. If it
//! cannot be committed, the engine knows what the disk does not: nothing of the step leaves, the links and the socket are
//! closed and the driver answers [`Error::Storage`] from then on. A client that is opened again goes on from the last
//! committed step, exactly as after a crash.
//!
//! # Threads
//! The driver has a thread of its own because a step may block for an fsync (milliseconds) or for Argon2 (tens of
//! them). Sockets and links run on one more thread, which never blocks, so that a call's packets do not wait for the
//! disk. The third is the media thread, the fourth moves files.
//!
//! # When a queue is full
//! Words of the app ([`WORDS`]): the caller waits. Socket, links: see there; neither loses anything. Events: see
//! [`crate::event`].

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use sidetone_engine::stranger::{Leaving, StrangerCommand, StrangerView};
use sidetone_engine::transfer::view::{TransferFailure, TransferNews, TransferOrder};
use sidetone_engine::{
    Answer, Ask, CallState, Command, Down, Effect, Engine, Event as Told, Input, LinkId, MediaOrder, Microphone,
    Network, News, Order, Scope, SoundNews, SoundOrder, Time,
};
use sidetone_media::Muted;
use sidetone_wire::frame::Frame;
use sidetone_wire::id::{CallId, RoomId, TicketId, TransferId};
use tokio::sync::{Notify, mpsc, oneshot, watch};
use zeroize::Zeroize;

use crate::built;
use crate::clock;
use crate::convert;
use crate::error::Error;
use crate::event::{Event, Queue};
use crate::journal::{Journal, Phase};
use crate::link;
use crate::media::{MediaThread, Port};
use crate::receipt::Receipts;
use crate::room::Finger;
use crate::socket::{Socket, SocketCounts, SocketNews};
use crate::store::{Store, StoreError, Write};
use crate::stranger;
use crate::transfer::pump::{self, Pump};
use crate::video::Video;
use crate::witness::Witness;

pub mod links;
mod news;

use links::{FromLink, GivenUp, Links};

/// Words of the app that may wait.
pub const WORDS: usize = 64;
/// The longest sleep: a phone that slept itself may find its timers late by as much.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// How long the socket may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(1);

/// What the app says to the driver.
pub enum Word {
    /// A command, and where its outcome goes.
    Do(Command, oneshot::Sender<Result<Answer, Error>>),
    /// A look inside. It must not take long.
    Look(Look),
    /// Say when every link that was closed is gone and the media thread has done what it was told.
    Burned(oneshot::Sender<()>),
    /// Let go of the store until the client is resumed, and say when that is done.
    Pause(oneshot::Sender<Result<(), StoreError>>),
    /// Leave the server until the app is seen again.
    Rest,
}

/// What is called with what there is to see, or with the error that is the answer to everything.
pub type Look = Box<dyn FnOnce(Result<&Inside, Error>) + Send>;

/// What the app may look at.
pub struct Inside {
    /// Every decision.
    pub engine: Engine,
    /// Everything kept.
    pub store: Store,
    /// How calls came about.
    pub journal: Journal,
    /// The socket's counts.
    pub socket: Arc<SocketCounts>,
    /// The links.
    pub links: Links,
    /// The media thread.
    pub media: MediaThread,
    /// The pictures of the call that is on.
    pub video: Video,
    /// What passed with whom.
    pub receipts: Receipts,
    /// What the links say of their ways.
    pub witness: Witness,
    /// The file pump.
    pub files: Pump,
    /// Where work for searches is handed in.
    pub proofs: mpsc::Sender<(TicketId, Option<u64>)>,
    /// How each link travels, with its round-trip time.
    pub routes: BTreeMap<LinkId, link::Route>,
}

/// The ends of the channels that the driver listens to.
pub struct Ears {
    /// Words of the app; closed when the client is dropped.
    pub words: mpsc::Receiver<Word>,
    /// True once the client is to be closed.
    pub stop: watch::Receiver<bool>,
    /// True while the store is to be let go.
    pub paused: watch::Receiver<bool>,
    /// The app is seen again, or the phone woke.
    pub woken: Arc<Notify>,
    /// The network that the phone is in, as the app last said.
    pub moved: watch::Receiver<Option<Network>>,
    /// News of the socket.
    pub socket: mpsc::Receiver<SocketNews>,
    /// Work for searches that was done.
    pub proofs: mpsc::Receiver<(TicketId, Option<u64>)>,
    /// What the user's finger does, as the app last said.
    pub finger: watch::Receiver<Finger>,
    /// News of the sound of rooms.
    pub sound: mpsc::Receiver<(RoomId, SoundNews)>,
    /// News of the links.
    pub links: mpsc::Receiver<(LinkId, FromLink)>,
    /// News of the file pump.
    pub files: mpsc::Receiver<pump::Told>,
}

/// The running driver.
pub struct Driver {
    inside: Inside,
    queue: Arc<Queue>,
    socket: Option<Socket>,
    frames: Option<mpsc::Sender<Frame>>,
    asks: BTreeMap<Ask, oneshot::Sender<Result<Answer, Error>>>,
    next_ask: u64,
    effects: Vec<Effect>,
    /// When the step under way began, for the journal.
    now_us: u64,
    /// What the driver itself has to tell the engine.
    pending: VecDeque<Input>,
    /// Where the user's finger was when it was last looked at.
    finger: Finger,
}

impl Driver {
    /// A driver that has not begun.
    pub fn new(inside: Inside, queue: Arc<Queue>, socket: Socket) -> Self {
        let (asks, pending) = (BTreeMap::new(), VecDeque::new());
        Self {
            inside,
            queue,
            socket: Some(socket),
            frames: None,
            asks,
            next_ask: 0,
            effects: Vec::new(),
            now_us: 0,
            pending,
            finger: Finger::default(),
        }
    }

    /// Drives until the client is closed or dropped, then frees everything.
    pub async fn run(mut self, mut ears: Ears) {
        let failure = self.drive(&mut ears).await.err().map(Error::Storage);
        // Else the pump could wait for ever for somebody to listen.
        ears.files.close();
        let queue = Arc::clone(&self.queue);
        match &failure {
            None => self.farewell(),
            Some(error) => {
                tracing::error!(%error, "the client stops");
                for waiting in std::mem::take(&mut self.asks).into_values() {
                    let _ = waiting.send(Err(error.clone()));
                }
                queue.push(Event::Stopped(error.clone()));
            }
        }
        self.free().await;
        if let Some(error) = failure {
            refuse(&mut ears, &error).await;
        }
        queue.close();
    }

    async fn drive(&mut self, ears: &mut Ears) -> Result<(), StoreError> {
        let switches = (ears.stop.clone(), ears.paused.clone());
        // What was kept may be due already.
        self.step(Input::Tick)?;
        loop {
            while let Some(input) = self.pending.pop_front() {
                self.step(input)?;
            }
            let sleep = self.until_deadline();
            tokio::select! {
                _ = ears.stop.wait_for(|stop| *stop) => return Ok(()),
                word = ears.words.recv() => match word {
                    Some(Word::Pause(done)) => match self.pause(switches.clone(), done).await? {
                        Stopped::Yes => return Ok(()),
                        Stopped::No => {}
                    },
                    Some(word) => self.word(word)?,
                    None => return Ok(()),
                },
                Some(news) = ears.socket.recv() => self.socket(news)?,
                Some((id, news)) = ears.links.recv() => self.link(id, news)?,
                Ok(()) = ears.finger.changed() => {
                    let finger = *ears.finger.borrow_and_update();
                    self.finger(finger)?;
                }
                Some((room, news)) = ears.sound.recv() => self.step(Input::Sound(room, news))?,
                Some((ticket, number)) = ears.proofs.recv() => self.step(Input::Proved(ticket, number))?,
                Some((transfer, news)) = ears.files.recv() => self.step(Input::Transfer(transfer, news))?,
                () = ears.woken.notified() => self.wake()?,
                Ok(()) = ears.moved.changed() => {
                    let network = ears.moved.borrow_and_update().clone();
                    network.map_or(Ok(()), |network| self.network(network))?;
                }
                () = tokio::time::sleep(sleep) => self.step(Input::Tick)?,
            }
        }
    }

    /// Does nothing until the client is resumed or closed: what comes meanwhile waits where it is.
    async fn pause(
        &mut self,
        (mut stop, mut paused): (watch::Receiver<bool>, watch::Receiver<bool>),
        done: oneshot::Sender<Result<(), StoreError>>,
    ) -> Result<Stopped, StoreError> {
        let outcome = self.inside.store.pause();
        // Who does not wait any more does not want to know.
        let _ = done.send(outcome);
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return Ok(Stopped::Yes),
            _ = paused.wait_for(|paused| !*paused) => {}
        }
        self.inside.store.resume()?;
        self.wake()?;
        Ok(Stopped::No)
    }

    fn until_deadline(&self) -> Duration {
        let Some(Time(at)) = self.inside.engine.deadline() else { return LONGEST_SLEEP };
        // The engine counts whole milliseconds: waking within the one before would be too early.
        let rest = at.saturating_mul(1_000).saturating_sub(clock::micros());
        Duration::from_micros(rest.max(500)).min(LONGEST_SLEEP)
    }

    fn word(&mut self, word: Word) -> Result<(), StoreError> {
        match word {
            Word::Look(look) => {
                self.inside.journal.sound(self.inside.media.figures().firsts_us());
                look(Ok(&self.inside));
                Ok(())
            }
            Word::Do(command, outcome) => {
                let ask = self.ask();
                self.asks.insert(ask, outcome);
                self.step(Input::Command(ask, command))
            }
            Word::Burned(done) => {
                self.inside.links.when_closed(self.inside.media.when_done(), done);
                Ok(())
            }
            Word::Pause(_) => Ok(()),
            Word::Rest => {
                self.socket.iter().for_each(Socket::rest);
                Ok(())
            }
        }
    }

    fn finger(&mut self, finger: Finger) -> Result<(), StoreError> {
        let before = std::mem::replace(&mut self.finger, finger);
        for command in finger.since(before) {
            // Nobody awaits the outcome: the floor's events tell it.
            let command = self.command(Command::Room(command));
            self.step(command)?;
        }
        Ok(())
    }

    fn socket(&mut self, news: SocketNews) -> Result<(), StoreError> {
        match news {
            SocketNews::Open(frames) => {
                self.frames = Some(frames);
                self.step(Input::Online(true))
            }
            SocketNews::Frame(frame) => self.step(Input::Server(frame)),
            SocketNews::Closed => {
                self.frames = None;
                self.step(Input::Online(false))
            }
        }
    }

    fn wake(&mut self) -> Result<(), StoreError> {
        if let Some(socket) = &self.socket {
            socket.rouse();
            socket.nudge();
        }
        self.step(Input::Tick)
    }

    /// A link that cannot do what it must is gone, for the engine as for the peer.
    fn give_up(&mut self, id: LinkId) {
        tracing::warn!("a link was given up");
        self.inside.routes.remove(&id);
        self.inside.witness.gone(self.now_us, id);
        self.pending.push_back(Input::Link(id, News::Down(Down::Failed)));
    }

    fn step(&mut self, input: Input) -> Result<(), StoreError> {
        self.now_us = clock::micros();
        let mut effects = std::mem::take(&mut self.effects);
        self.inside.engine.step(clock::now(), input, &mut effects);
        let kept = self.save(&mut effects);
        if kept.is_ok() {
            let mut told = Vec::new();
            for effect in effects.drain(..) {
                self.act(effect, &mut told);
            }
            told.into_iter().for_each(|effect| self.tell(effect));
        }
        self.effects = effects;
        self.effects.clear();
        kept
    }

    fn save(&mut self, effects: &mut [Effect]) -> Result<(), StoreError> {
        let mut writes = effects.iter().filter_map(write).peekable();
        if writes.peek().is_none() {
            return Ok(());
        }
        let kept = self.inside.store.keep(writes);
        for effect in effects {
            if let (Effect::Save(change), true) = (&*effect, kept.is_ok()) {
                self.inside.receipts.saved(change);
            }
            match effect {
                Effect::Save(change) | Effect::Hold(change) | Effect::Amend(_, change) => change.value.zeroize(),
                Effect::Forget(_) if kept.is_ok() => {
                    // A pump that is behind by thousands of orders has nothing left that could be opened.
                    let _ = self.inside.files.tell(pump::Word::Forget);
                    (self.inside.journal, self.inside.receipts) = Default::default();
                    self.queue.clear();
                }
                _ => {}
            }
        }
        kept
    }

    /// Carries out what leaves; keeps what is told for later.
    fn act(&mut self, effect: Effect, told: &mut Vec<Effect>) {
        self.inside.receipts.see(&effect);
        match effect {
            Effect::Save(_) | Effect::Hold(_) | Effect::Amend(..) | Effect::Forget(_) | Effect::Keyed(..) => {}
            Effect::Send(frame) => self.send(frame),
            Effect::Link(id, order) => self.order(id, order),
            Effect::Media(call, order) => self.media(call, order),
            Effect::Sound(room, order) => self.sound(room, order),
            Effect::Transfer(transfer, order) => self.file(transfer, order),
            Effect::Prove(puzzle) => stranger::prove(puzzle, self.inside.proofs.clone()),
            Effect::Answer(..) | Effect::Tell(_) => told.push(effect),
        }
    }

    /// A socket that takes nothing more is as good as closed: dropping its sender makes it so.
    fn send(&mut self, frame: Frame) {
        if self.frames.as_ref().is_some_and(|frames| frames.try_send(frame).is_err()) {
            self.frames = None;
        }
    }

    fn order(&mut self, id: LinkId, order: Order) {
        match &order {
            Order::Open { relays, ways, .. } => {
                let servers = relays.as_ref().map(convert::servers).unwrap_or_default();
                if let Some(policy) = convert::policy(*ways, self.inside.links.policy()) {
                    self.inside.witness.opened(self.now_us, id, policy, &servers);
                }
                let signaling = self.inside.socket.traffic.total();
                self.inside.receipts.open(self.now_us, id, signaling);
                if let Some(friend) = id.peer.friend() {
                    self.inside.journal.link(self.now_us, friend, Phase::LinkOpened);
                }
            }
            Order::Candidate(candidate) => {
                if let Some(candidate) = convert::candidate(candidate) {
                    self.inside.witness.heard(id, &candidate);
                }
            }
            Order::Close => {
                self.inside.routes.remove(&id);
                self.inside.witness.gone(self.now_us, id);
                self.inside.receipts.closed(self.now_us, id, self.inside.socket.traffic.total());
            }
            _ => {}
        }
        if let Err(GivenUp) = self.inside.links.obey(id, order) {
            self.give_up(id);
        }
    }

    fn file(&mut self, transfer: TransferId, order: TransferOrder) {
        let link = match &order {
            TransferOrder::Receive { link, .. } | TransferOrder::Send { link, .. } => Some(*link),
            _ => None,
        };
        // Without the link the engine will soon hear that it is down.
        let port = link.and_then(|link| self.inside.links.bulk(link));
        if !self.inside.files.tell(pump::Word::Order(transfer, order, port)) {
            let failed = TransferNews::Failed(TransferFailure::Storage);
            self.pending.push_back(Input::Transfer(transfer, failed));
        }
    }

    fn media(&mut self, call: CallId, order: MediaOrder) {
        let media = &self.inside.media;
        match order {
            MediaOrder::Start { link, send, receive } => {
                self.inside.links.make_way(Some(link));
                // Without the link the engine will soon hear that it is down.
                if let Some((pictures, sound)) = self.inside.links.video(link) {
                    self.inside.video.begin(call, pictures, sound.clone(), &send, &receive);
                    media.begin(call, Box::new(sound), send, receive);
                }
            }
            MediaOrder::Move { link } => {
                self.inside.links.make_way(Some(link));
                if let Some((pictures, sound)) = self.inside.links.video(link) {
                    self.inside.video.move_to(call, pictures, sound.clone());
                    media.move_to(call, Box::new(sound));
                }
            }
            MediaOrder::SealWith(key) => {
                self.inside.video.seal_with(call, &key);
                media.seal_with(call, key);
            }
            MediaOrder::OpenWith(key) => {
                self.inside.video.open_with(call, &key);
                media.open_with(call, key);
            }
            MediaOrder::Show(shows) => self.inside.video.show(call, shows),
            MediaOrder::Wanted(wants) => self.inside.video.wanted(call, wants),
            MediaOrder::Microphone(Microphone::On) => media.mute(call, Muted::No),
            MediaOrder::Microphone(Microphone::Off) => media.mute(call, Muted::Yes),
            MediaOrder::Hearing(hearing) => media.set_hearing(call, hearing),
            MediaOrder::Stop => {
                self.inside.video.stop(call);
                media.end(call);
                self.inside.links.make_way(None);
            }
        }
    }

    fn sound(&mut self, room: RoomId, order: SoundOrder) {
        let ports = match &order {
            // Without the link the engine will soon hear that it is down.
            SoundOrder::Member { link, .. } => self.inside.links.video(*link),
            _ => None,
        };
        let port = ports.as_ref().map(|(_, sound)| Box::new(sound.clone()) as Box<dyn Port>);
        self.inside.video.room(room, &order, ports);
        if !matches!(order, SoundOrder::Show(_) | SoundOrder::Wanted { .. }) {
            self.inside.media.room(room, order, port);
        }
    }

    fn tell(&mut self, effect: Effect) {
        match effect {
            Effect::Answer(ask, outcome) => {
                if let Some(waiting) = self.asks.remove(&ask) {
                    // Who does not wait any more does not want to know.
                    let _ = waiting.send(outcome.map_err(Error::from));
                }
            }
            Effect::Tell(event) => {
                if let Told::Call(view) = &event {
                    if !built::CALLS {
                        let refusal = built::refusal(view).map(|command| self.command(command));
                        return self.pending.extend(refusal);
                    }
                    if matches!(view.state, CallState::Ended(_)) {
                        self.inside.journal.sound(self.inside.media.figures().firsts_us());
                    }
                    self.inside.journal.call(self.now_us, view);
                }
                if event == Told::Preferences {
                    self.inside.links.prefer(self.inside.engine.preferences().routes);
                }
                self.inside.receipts.told(self.now_us, &event, self.inside.socket.traffic.total());
                self.queue.push(Event::from(event));
            }
            _ => {}
        }
    }

    fn ask(&mut self) -> Ask {
        self.next_ask += 1;
        Ask(self.next_ask)
    }

    /// A command whose outcome nobody awaits.
    fn command(&mut self, command: Command) -> Input {
        Input::Command(self.ask(), command)
    }

    /// Ends a call and leaves a stranger, so that the other phone need not wait.
    fn farewell(&mut self) {
        if self.inside.engine.stranger() != StrangerView::Lobby(None) {
            let leave = self.command(Command::Stranger(StrangerCommand::Leave(Leaving::End)));
            let _ = self.step(leave);
        }
        if let Some(call) = self.inside.engine.call() {
            let leave = self.command(Command::HangUp(call.call));
            // A store that fails now has nothing to lose any more.
            let _ = self.step(leave);
        }
    }

    async fn free(mut self) {
        self.frames = None;
        let Inside { links, media, video, store, files, .. } = self.inside;
        video.close();
        drop(media);
        links.close_all().await;
        files.close().await;
        if let Some(socket) = self.socket.take() {
            let _ = tokio::time::timeout(FAREWELL, socket.close()).await;
        }
        store.close();
    }
}

/// Whether the client was closed while it was paused.
enum Stopped {
    Yes,
    No,
}

fn write(effect: &Effect) -> Option<Write<'_>> {
    match effect {
        Effect::Save(change) => Some(Write::Change(change)),
        Effect::Hold(change) => Some(Write::Hold(change)),
        Effect::Amend(place, change) => Some(Write::Amend(place, change)),
        Effect::Forget(Scope::All) => Some(Write::ForgetAll),
        _ => None,
    }
}

/// Answers everything with the error until the client is closed.
async fn refuse(ears: &mut Ears, error: &Error) {
    loop {
        tokio::select! {
            _ = ears.stop.wait_for(|stop| *stop) => return,
            word = ears.words.recv() => match word {
                Some(Word::Do(_, outcome)) => drop(outcome.send(Err(error.clone()))),
                Some(Word::Look(look)) => look(Err(error.clone())),
                Some(Word::Pause(done)) => drop(done.send(Ok(()))),
                Some(Word::Burned(done)) => drop(done.send(())),
                Some(Word::Rest) => {}
                None => return,
            },
        }
    }
}
