//! The TLS listener: one port for websockets and for the relay, told apart by what the client asked for in its handshake
//! (ALPN), or else by its first byte: a STUN message begins with 0 or 1, HTTP with a letter.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::serve::Listener;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::Clock;
use super::certificates::{Certificates, TURN};
use super::gate::{Crowd, Gate, Pass};
use super::patience::{FIRST, PatientStream};
use crate::relay::{Counters, Lines};

/// Handshakes at once; who comes then waits in the system's queue.
const HANDSHAKES: usize = 256;
/// Connections that wait for HTTP.
const WAITING: usize = 64;

type Opened = (PatientStream<TlsStream<TcpStream>>, SocketAddr);

/// Accepts and shakes hands, and says where each connection is to go.
pub(super) struct Door {
    pub(super) listener: TcpListener,
    pub(super) clock: Clock,
    pub(super) crowd: Crowd,
    /// The relay, if there is one; else who wants it is turned away.
    pub(super) lines: Option<Lines>,
    pub(super) counters: Arc<Counters>,
}

impl Door {
    /// Opens it; websockets come out of what this returns.
    pub(super) fn open(self, addr: SocketAddr, certificates: &Certificates) -> (Inside, JoinHandle<()>) {
        let (http, opened) = mpsc::channel(WAITING);
        let acceptor = TlsAcceptor::from(certificates.config());
        (Inside { opened, addr }, tokio::spawn(self.run(acceptor, http)))
    }

    async fn run(mut self, acceptor: TlsAcceptor, http: mpsc::Sender<Opened>) {
        let mut gate = Gate::new(self.crowd);
        let handshakes = Arc::new(Semaphore::new(HANDSHAKES));
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let Ok(turn) = Arc::clone(&handshakes).acquire_owned().await else { return };
            let (stream, addr) = Listener::accept(&mut self.listener).await;
            let Some(pass) = gate.admit(self.clock.now().ticks_ms, addr.ip()) else {
                self.counters.turned_away();
                continue;
            };
            // What is small goes at once: frames are whole answers, and voice does not wait.
            let _ = stream.set_nodelay(true);
            let (acceptor, http, lines) = (acceptor.clone(), http.clone(), self.lines.clone());
            connections.spawn(async move {
                let known = timeout(FIRST, know(acceptor, stream)).await;
                drop(turn);
                if let Ok(Ok(visitor)) = known {
                    lead(visitor, addr, pass, &http, lines).await;
                }
            });
        }
    }
}

/// A connection and what it wants.
struct Visitor {
    stream: TlsStream<TcpStream>,
    wants_turn: bool,
    /// What had to be read to know it.
    begun: Option<u8>,
}

async fn know(acceptor: TlsAcceptor, stream: TcpStream) -> io::Result<Visitor> {
    let mut stream = acceptor.accept(stream).await?;
    let asked = stream.get_ref().1.alpn_protocol().map(|asked| asked == TURN);
    if let Some(wants_turn) = asked {
        return Ok(Visitor { stream, wants_turn, begun: None });
    }
    let first = stream.read_u8().await?;
    Ok(Visitor { stream, wants_turn: first < 4, begun: Some(first) })
}

async fn lead(visitor: Visitor, addr: SocketAddr, pass: Pass, http: &mpsc::Sender<Opened>, lines: Option<Lines>) {
    let Visitor { stream, wants_turn, begun } = visitor;
    if !wants_turn {
        // Whoever takes it has it to its end; a server that stops takes none.
        let _ = http.send((PatientStream::new(stream, begun, Some(pass)), addr)).await;
    } else if let Some(lines) = lines {
        lines.carry(stream, addr, begun.as_slice()).await;
        drop(pass);
    }
}

/// Connections that want HTTP, as a listener.
pub(super) struct Inside {
    opened: mpsc::Receiver<Opened>,
    addr: SocketAddr,
}

impl Inside {
    pub(super) fn addr(&self) -> SocketAddr {
        self.addr
    }
}

impl Listener for Inside {
    type Io = PatientStream<TlsStream<TcpStream>>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> Opened {
        match self.opened.recv().await {
            Some(opened) => opened,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.addr)
    }
}
