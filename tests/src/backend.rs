//! A web server behind Envoy that answers each request with the request itself, so that a test sees what arrived.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;

/// Interval at which a held response looks whether it may go.
const PAUSE: Duration = Duration::from_millis(10);

/// Time limit of a silent connection.
const IDLE: Duration = Duration::from_secs(30);

/// The server. It ends with the process; when dropped, it accepts no more connections.
#[derive(Debug)]
pub struct Backend {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    requests: Mutex<Vec<String>>,
    file: Option<Vec<u8>>,
    held: AtomicBool,
    over: AtomicBool,
}

impl Backend {
    /// Listens at an address; port 0 is any.
    ///
    /// # Errors
    /// When the address is taken.
    pub fn start(address: SocketAddr) -> Result<Self> {
        Self::with(address, Shared::default())
    }

    /// The same, but every response is this file.
    ///
    /// # Errors
    /// When the address is taken.
    pub fn of_file(address: SocketAddr, file: Vec<u8>) -> Result<Self> {
        Self::with(address, Shared { file: Some(file), ..Shared::default() })
    }

    fn with(address: SocketAddr, shared: Shared) -> Result<Self> {
        let listener = TcpListener::bind(address)?;
        let backend = Self { address: listener.local_addr()?, shared: Arc::new(shared) };
        let shared = backend.shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.over.load(Ordering::Relaxed) {
                    return;
                }
                let shared = shared.clone();
                std::thread::spawn(move || serve(&stream, &shared));
            }
        });
        Ok(backend)
    }

    /// The address of the server.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The heads of all requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Holds responses back from now on, or releases them.
    pub fn hold(&self, held: bool) {
        self.shared.held.store(held, Ordering::Relaxed);
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.hold(false);
        self.shared.over.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

/// Serves one request after the other, until the client closes the connection.
fn serve(stream: &TcpStream, shared: &Shared) {
    let _ = stream.set_read_timeout(Some(IDLE));
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            match reader.read_line(&mut head) {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        shared.requests.lock().unwrap_or_else(PoisonError::into_inner).push(head.clone());
        while shared.held.load(Ordering::Relaxed) {
            std::thread::sleep(PAUSE);
        }
        let body = shared.file.as_deref().unwrap_or(head.as_bytes());
        let answer = format!("HTTP/1.1 200 OK\r\nx-backend: yes\r\ncontent-length: {}\r\n\r\n", body.len());
        if reader.get_mut().write_all(answer.as_bytes()).is_err() || reader.get_mut().write_all(body).is_err() {
            return;
        }
    }
}
