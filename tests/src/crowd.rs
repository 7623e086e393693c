//! Slow clients by the thousand, each kind keeping a server waiting in another way.
//!
//! Promises: a client whose connection is closed connects again at once, as a determined attacker would. All clients
//! run on one thread of their own, and end when the crowd is dropped.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

use crate::tls::Roots;

/// The wait before a client connects again.
const PAUSE: Duration = Duration::from_millis(200);
/// Number of clients that connect at once, so that the accept queue is not what is tested.
const AT_ONCE: usize = 64;
/// Receive buffer of a client that does not read, in bytes, so that a crowd does not fill the memory.
const UNREAD: u32 = 4096;
/// Descriptors of this process besides those of a crowd and of the servers that it reaches.
const OTHERS: u64 = 1_000;

/// How a client keeps a server waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slow {
    /// Connects and sends nothing.
    Silent,
    /// The head of its request never ends.
    HalfHead,
    /// Sends a ClientHello and nothing more.
    ClientHello,
    /// Completes the TLS handshake and sends nothing more.
    Handshake,
    /// Sends the body of its request a byte a second.
    Body,
    /// Opens HTTP/2 requests whose bodies never come.
    Streams,
    /// Asks for a large response and does not read it.
    Reader,
}

impl Slow {
    /// True if this kind of client speaks TLS.
    fn needs_tls(self) -> bool {
        matches!(self, Self::Handshake | Self::Body | Self::Streams | Self::Reader)
    }
}

/// The server that a crowd connects to.
#[derive(Clone, Debug)]
pub struct Target {
    /// The address.
    pub address: SocketAddr,
    /// The host name.
    pub name: String,
    /// The roots of the server's certificate.
    pub roots: Roots,
}

/// Slow clients of one kind.
#[derive(Debug)]
pub struct Crowd {
    stop: watch::Sender<bool>,
    counts: Arc<Counts>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Counts {
    waiting: AtomicUsize,
    sent_away: AtomicUsize,
}

impl Crowd {
    /// Connects this many clients, little by little: see [`Crowd::waiting`].
    ///
    /// # Errors
    /// When there is no thread or no runtime for it.
    pub fn gather(slow: Slow, count: usize, target: &Target) -> Result<Self> {
        Self::with(slow, count, target, true)
    }

    /// The same with clients that do not connect again.
    ///
    /// # Errors
    /// When there is no thread or no runtime for it.
    pub fn once(slow: Slow, count: usize, target: &Target) -> Result<Self> {
        Self::with(slow, count, target, false)
    }

    fn with(slow: Slow, count: usize, target: &Target, comes_again: bool) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, mut stopping) = watch::channel(false);
        let (counts, door) = (Arc::<Counts>::default(), Arc::new(Semaphore::new(AT_ONCE)));
        let target = target.clone();
        let all = counts.clone();
        let thread = std::thread::Builder::new().name("crowd".to_owned()).spawn(move || {
            runtime.block_on(async move {
                for _ in 0..count {
                    let target = target.clone();
                    let counts = all.clone();
                    let door = door.clone();
                    tokio::spawn(async move {
                        loop {
                            // The client is over, with or without an error.
                            let _ = client(slow, &target, &door, &counts).await;
                            counts.sent_away.fetch_add(1, Ordering::Relaxed);
                            if !comes_again {
                                return;
                            }
                            sleep(PAUSE).await;
                        }
                    });
                }
                // Either the value turns true, or the sender is dropped: both are the end.
                let _ = stopping.wait_for(|stop| *stop).await;
            });
        })?;
        Ok(Self { stop, counts, thread: Some(thread) })
    }

    /// Number of clients that keep the server waiting now.
    pub fn waiting(&self) -> usize {
        self.counts.waiting.load(Ordering::Relaxed)
    }

    /// Number of connections closed or refused by the server.
    pub fn sent_away(&self) -> usize {
        self.counts.sent_away.load(Ordering::Relaxed)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // The thread panics only by a bug of this file, which a test shows by what it counts.
            let _ = thread.join();
        }
    }
}

/// Raises this process's limit of files as far as it goes; returns how large a crowd can be, with a server for each
/// client.
///
/// # Errors
/// When the system does not let it.
pub fn room() -> Result<usize> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).context("more open files")?;
    let most = limit.maximum.unwrap_or(u64::MAX).saturating_sub(OTHERS) / 2;
    Ok(usize::try_from(most).unwrap_or(usize::MAX))
}

/// Runs one connection, until it is closed.
async fn client(slow: Slow, target: &Target, door: &Semaphore, counts: &Counts) -> Result<()> {
    let entering = door.acquire().await?;
    let socket = if target.address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if slow == Slow::Reader {
        socket.set_recv_buffer_size(UNREAD)?;
    }
    let stream: TcpStream = socket.connect(target.address).await?;
    if slow.needs_tls() {
        let stream = target.roots.over(stream, &target.name).await?;
        drop(entering);
        return wait(slow, stream, target, counts).await;
    }
    drop(entering);
    wait(slow, stream, target, counts).await
}

async fn wait(
    slow: Slow,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    target: &Target,
    counts: &Counts,
) -> Result<()> {
    let name = &target.name;
    let said = match slow {
        Slow::Silent | Slow::Handshake => Vec::new(),
        Slow::HalfHead => format!("GET / HTTP/1.1\r\nhost: {name}\r\nx-").into_bytes(),
        Slow::ClientHello => target.roots.client_hello(name)?,
        Slow::Body => format!("POST / HTTP/1.1\r\nhost: {name}\r\ncontent-length: 1000000\r\n\r\n").into_bytes(),
        Slow::Streams => open_streams(name),
        Slow::Reader => format!("GET /endless HTTP/1.1\r\nhost: {name}\r\n\r\n").into_bytes(),
    };
    stream.write_all(&said).await?;
    stream.flush().await?;
    counts.waiting.fetch_add(1, Ordering::Relaxed);
    let ended = match slow {
        Slow::Body => drip(&mut stream).await,
        Slow::Reader => not_read(&mut stream).await,
        _ => read_all(&mut stream).await,
    };
    counts.waiting.fetch_sub(1, Ordering::Relaxed);
    ended
}

async fn read_all(stream: &mut (impl AsyncRead + Unpin)) -> Result<()> {
    let mut said = [0; 4096];
    while stream.read(&mut said).await? > 0 {}
    Ok(())
}

/// Sends a byte a second, until there is a response.
async fn drip(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Result<()> {
    loop {
        let mut said = [0; 4096];
        tokio::select! {
            read = stream.read(&mut said) => {
                read?;
                return Ok(());
            }
            () = sleep(Duration::from_secs(1)) => stream.write_all(b"x").await?,
        }
    }
}

/// Reads the beginning of a response, then nothing for as long as anybody could wait.
async fn not_read(stream: &mut (impl AsyncRead + Unpin)) -> Result<()> {
    stream.read_exact(&mut [0; 64]).await?;
    sleep(Duration::from_secs(24 * 60 * 60)).await;
    Ok(())
}

/// A client's preface, and a request whose body does not come (RFC 9113, RFC 7541 with static names alone).
fn open_streams(name: &str) -> Vec<u8> {
    const SETTINGS: u8 = 4;
    const HEADERS: u8 = 1;
    const END_HEADERS: u8 = 4;
    let frame = |kind: u8, flags: u8, stream: u8, payload: &[u8]| {
        let length = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags, 0, 0, 0, stream];
        frame.extend_from_slice(payload);
        frame
    };
    // :method POST, :scheme https, :path /, and :authority with a literal value.
    let mut fields = vec![0x83, 0x87, 0x84, 0x01, u8::try_from(name.len()).unwrap_or_default()];
    fields.extend_from_slice(name.as_bytes());
    let mut said = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    said.extend(frame(SETTINGS, 0, 0, &[]));
    said.extend(frame(HEADERS, END_HEADERS, 1, &fields));
    said
}
