//! A coturn of our own, with a certificate of our own.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use sidetone::Protocol;
use sidetone_server::TlsConfig;

/// What a server and a relay share.
pub const SECRET: &str = "shared by a server and a relay";
/// Longer than it takes to start; reached only when it does not.
const PATIENCE: Duration = Duration::from_secs(30);

/// A certificate for this machine in two files, and its root.
pub struct Papers {
    dir: tempfile::TempDir,
    /// The root, in DER.
    pub root: Vec<u8>,
}

#[allow(clippy::new_without_default, reason = "it writes files")]
impl Papers {
    /// Makes them.
    ///
    /// # Panics
    /// Without a folder to write to.
    pub fn new() -> Self {
        Self::of(vec!["localhost".to_owned()])
    }

    /// The same for other names and addresses.
    ///
    /// # Panics
    /// Without a folder to write to.
    pub fn of(names: Vec<String>) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let made = rcgen::generate_simple_self_signed(names).expect("a certificate");
        std::fs::write(dir.path().join("chain.pem"), made.cert.pem()).expect("a file");
        std::fs::write(dir.path().join("key.pem"), made.signing_key.serialize_pem()).expect("a file");
        Self { dir, root: made.cert.der().to_vec() }
    }

    /// A TLS listener that shows them.
    pub fn tls(&self) -> TlsConfig {
        let at = |name: &str| self.dir.path().join(name);
        let mut tls = TlsConfig::new((Ipv4Addr::LOCALHOST, 0).into(), at("chain.pem"), at("key.pem"));
        tls.name = Some("localhost".into());
        tls
    }
}

/// Where a relay is reached, by every protocol.
pub struct Doors {
    /// For datagrams and for connections.
    pub plain: SocketAddr,
    /// The port for TLS.
    pub tls: u16,
}

impl Doors {
    /// As phones are told.
    pub fn url(&self, protocol: Protocol) -> String {
        match protocol {
            Protocol::Udp => format!("turn:{}?transport=udp", self.plain),
            Protocol::Tcp => format!("turn:{}?transport=tcp", self.plain),
            Protocol::Tls => format!("turns:localhost:{}?transport=tcp", self.tls),
        }
    }
}

/// A coturn of our own, ended with its holder.
pub struct Coturn {
    child: Child,
    /// Where it is reached.
    pub doors: Doors,
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that is free for datagrams and for connections.
///
/// # Panics
/// If this machine has no ports left.
pub fn free() -> u16 {
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = listener.local_addr().expect("bound").port();
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

impl Coturn {
    /// Starts it; `None` where it is not installed, which is said where nobody can overlook it.
    ///
    /// # Panics
    /// If it is there and does not start.
    pub fn start(papers: &Papers) -> Option<Self> {
        let Some(program) =
            ["/usr/bin/turnserver", "/usr/sbin/turnserver"].into_iter().find(|at| Path::new(at).exists())
        else {
            let _ = writeln!(std::io::stderr(), "NOT TESTED: phones through coturn: turnserver is not installed");
            return None;
        };
        // Another process may take a port between our look and its start.
        (0..5).find_map(|_| Self::try_start(program, papers, [free(), free()])).or_else(|| panic!("it does not start"))
    }

    fn try_start(program: &str, papers: &Papers, [plain, tls]: [u16; 2]) -> Option<Self> {
        let dir = papers.dir.path().display();
        let mut child = Command::new(program)
            .args(["-n", "--no-cli", "--use-auth-secret", "--realm=sidetone", "--allow-loopback-peers"])
            .args(["--listening-ip=127.0.0.1", "--relay-ip=127.0.0.1", "--log-file=stdout"])
            .args([format!("--static-auth-secret={SECRET}"), format!("--listening-port={plain}")])
            .args([format!("--tls-listening-port={tls}"), format!("--cert={dir}/chain.pem")])
            .args([format!("--pkey={dir}/key.pem"), format!("--pidfile={dir}/pid"), format!("--userdb={dir}/users")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it is there");
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until && child.try_wait().expect("ours").is_none() {
            if [plain, tls].iter().all(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok()) {
                let doors = Doors { plain: (Ipv4Addr::LOCALHOST, plain).into(), tls };
                return Some(Self { child, doors });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = child.kill();
        let _ = child.wait();
        None
    }
}
