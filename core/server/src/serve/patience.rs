//! A listener whose connections do not stay silent for ever: before a websocket is open the desk does not know of them.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use sidetone_wire::limits::{HELLO_MS, IDLE_MS};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, Sleep, sleep};

use super::door::Inside;
use super::gate::Pass;

/// The first bytes come within this.
pub(super) const FIRST: Duration = Duration::from_millis(HELLO_MS);
/// Later ones within this: the desk, which says why, is a little quicker.
const LATER: Duration = Duration::from_millis(IDLE_MS + 15_000);

/// Accepts connections that may be silent for so long.
pub(super) struct Patient(pub TcpListener);

/// Where a connection comes from.
#[derive(Clone, Copy)]
pub(super) struct From(pub SocketAddr);

pub(super) struct PatientStream<S> {
    stream: S,
    deadline: Pin<Box<Sleep>>,
    /// What was read of it already.
    begun: Option<u8>,
    _pass: Option<Pass>,
}

impl<S> PatientStream<S> {
    pub(super) fn new(stream: S, begun: Option<u8>, pass: Option<Pass>) -> Self {
        Self { stream, deadline: Box::pin(sleep(FIRST)), begun, _pass: pass }
    }
}

impl Listener for Patient {
    type Io = PatientStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (PatientStream<TcpStream>, SocketAddr) {
        let (stream, addr) = Listener::accept(&mut self.0).await;
        // Frames are whole answers: waiting to fill a packet only delays them.
        let _ = stream.set_nodelay(true);
        (PatientStream::new(stream, None, None), addr)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Connected<IncomingStream<'_, Patient>> for From {
    fn connect_info(stream: IncomingStream<'_, Patient>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Connected<IncomingStream<'_, Inside>> for From {
    fn connect_info(stream: IncomingStream<'_, Inside>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for PatientStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buf.remaining() > 0
            && let Some(first) = self.begun.take()
        {
            buf.put_slice(&[first]);
            return Poll::Ready(Ok(()));
        }
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if read.is_ready() {
            self.deadline.as_mut().reset(Instant::now() + LATER);
            return read;
        }
        self.deadline.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for PatientStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_says_nothing_ends() {
        let mut listener = Patient(TcpListener::bind(("127.0.0.1", 0)).await.unwrap());
        let silent = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut stream, _) = listener.accept().await;
        let begun = Instant::now();
        let error = stream.read_u8().await.unwrap_err();
        assert_eq!((error.kind(), begun.elapsed().as_secs()), (io::ErrorKind::TimedOut, FIRST.as_secs()));
        drop(silent);
    }
}
