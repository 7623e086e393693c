//! Connections until their client has sent the HTTP/2 preface. Clients that fall silent later are found by keepalive
//! probes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Sleep, sleep};
use tonic::transport::server::Connected;

use super::authority::{Authorities, PREFACE};
use super::limits::GREETING;

/// A connection and its slot of [`super::limits::MAX_CONNECTIONS`]. Reading fails when the client's preface is late.
pub(super) struct Greeted {
    stream: UnixStream,
    authorities: Authorities,
    /// Number of preface bytes still missing, and their deadline.
    missing: usize,
    late: Pin<Box<Sleep>>,
    _place: OwnedSemaphorePermit,
}

impl Greeted {
    pub(super) fn new(stream: UnixStream, place: OwnedSemaphorePermit) -> Self {
        let authorities = Authorities::default();
        let late = Box::pin(sleep(GREETING));
        Self { stream, authorities, missing: PREFACE, late, _place: place }
    }
}

impl Connected for Greeted {
    type ConnectInfo = <UnixStream as Connected>::ConnectInfo;

    fn connect_info(&self) -> Self::ConnectInfo {
        self.stream.connect_info()
    }
}

impl AsyncRead for Greeted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Some(news) = buf.filled_mut().get_mut(before..) {
            self.authorities.read(news);
        }
        self.missing = self.missing.saturating_sub(buf.filled().len().saturating_sub(before));
        if self.missing > 0 && read.is_pending() && self.late.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for Greeted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
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
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::Arc;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Semaphore;
    use tokio::time::timeout;

    use super::*;

    async fn pair() -> (UnixStream, Greeted) {
        let (client, server) = UnixStream::pair().unwrap();
        (client, Greeted::new(server, Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap()))
    }

    #[tokio::test(start_paused = true)]
    async fn who_does_not_finish_the_preface_is_late() {
        let (mut client, mut server) = pair().await;
        client.write_all(b"PRI * HTTP").await.unwrap();
        let mut told = Vec::new();
        let late = server.read_to_end(&mut told).await.unwrap_err();
        assert_eq!((late.kind(), told.as_slice()), (io::ErrorKind::TimedOut, b"PRI * HTTP".as_slice()));
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_said_it_may_be_silent() {
        let (mut client, mut server) = pair().await;
        client.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        server.read_exact(&mut [0; PREFACE]).await.unwrap();
        assert!(timeout(GREETING + Duration::from_secs(60), server.read(&mut [0])).await.is_err());
    }
}
