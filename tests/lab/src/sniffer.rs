//! A packet capture of this machine, as long as one likes.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{AddressFamily, Protocol, RecvFlags, SocketFlags, SocketType, recv, socket_with, sockopt};

use crate::Unavailable;
use crate::packet::Passed;

/// Packets of IPv4, as the kernel numbers them.
const IPV4: u16 = 0x0800;
/// The longest packet there is.
const LONGEST: usize = 65_536;
/// Packets may wait for the reader.
const BUFFER_BYTES: usize = 32 << 20;
/// How long nothing must come until all was read.
const QUIET: Duration = Duration::from_millis(200);

/// Counts what every process of this namespace receives over IPv4, on loopback too, from its start on.
#[derive(Debug)]
pub struct Sniffer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Passed>>,
}

impl Sniffer {
    /// Begins.
    ///
    /// # Errors
    /// [`Unavailable`] without the right to see packets.
    pub fn start() -> Result<Self, Unavailable> {
        let refused = |error: Errno| Unavailable::Refused("a packet capture", error.to_string());
        let every = Protocol::from_raw(u32::from(IPV4.to_be()).try_into().expect("it is not zero"));
        let (family, flags) = (AddressFamily::PACKET, SocketFlags::CLOEXEC);
        let socket = socket_with(family, SocketType::DGRAM, flags, Some(every)).map_err(refused)?;
        sockopt::set_socket_recv_buffer_size_force(&socket, BUFFER_BYTES).map_err(refused)?;
        sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(QUIET)).map_err(refused)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("sniffer".into()).spawn(move || listen(&socket, &stopped));
        let thread = thread.map_err(|error| Unavailable::Refused("a thread", error.to_string()))?;
        Ok(Self { stop, thread: Some(thread) })
    }

    /// Ends, once everything that came before was read.
    ///
    /// # Panics
    /// If reading failed.
    #[must_use]
    pub fn finish(mut self) -> Passed {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it ends once");
        thread.join().expect("it reads on")
    }
}

impl Drop for Sniffer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn listen(socket: &OwnedFd, stopped: &AtomicBool) -> Passed {
    let mut passed = Passed::default();
    let mut buffer = vec![0; LONGEST];
    loop {
        match recv(socket, buffer.as_mut_slice(), RecvFlags::empty()) {
            Ok((length, _)) => passed.take(buffer.get(..length).unwrap_or_default()),
            Err(Errno::AGAIN) if stopped.load(Ordering::Relaxed) => return passed,
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => panic!("packets cannot be read: {error}"),
        }
    }
}
