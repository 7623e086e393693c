//! A web server that reads whole requests, and answers with every kind of slow response.
//!
//! | path | answer |
//! |---|---|
//! | `/download` | a body that comes for [`LONG`], a piece now and then |
//! | `/endless` | a body without end |
//! | `/events` | server-sent events: one, and one more after [`LONG`] of silence |
//! | `/socket` | an upgrade to `websocket`, which echoes |
//! | others | `whole` and the length of the request's body, when all of that has come |

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Result;
use futures::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::sleep;

/// Duration of a slow response.
pub const LONG: Duration = Duration::from_secs(6);

/// Number of pieces of a long download.
const PIECES: u32 = 30;
/// Length of a piece, in bytes.
const PIECE: usize = 16 * 1024;

/// Length of the long download, in bytes.
pub const DOWNLOAD: usize = PIECES as usize * PIECE;

/// The server, on a thread of its own that ends with it.
#[derive(Debug)]
pub struct Site {
    address: SocketAddr,
    _stop: watch::Sender<()>,
}

impl Site {
    /// Starts the server on a free port.
    ///
    /// # Errors
    /// When there is no port or no runtime.
    pub fn start() -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let (stop, mut stopped) = watch::channel(());
        let address = listener.local_addr()?;
        std::thread::spawn(move || {
            runtime.block_on(async move {
                tokio::select! {
                    () = serve(listener) => {}
                    // The only change is the end.
                    _ = stopped.changed() => {}
                }
            });
        });
        Ok(Self { address, _stop: stop })
    }

    /// The server's address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn serve(listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
        tokio::spawn(connection.with_upgrades());
    }
}

type Body = BoxBody<Bytes, Infallible>;

async fn answer(request: Request<Incoming>) -> Result<Response<Body>> {
    match request.uri().path() {
        "/download" => Ok(Response::new(pieces(Some(PIECES), LONG / PIECES))),
        "/endless" => Ok(Response::new(pieces(None, Duration::ZERO))),
        "/events" => Ok(events()?),
        "/socket" => Ok(socket(request)?),
        _ => {
            let body = request.into_body().collect().await?.to_bytes();
            Ok(Response::new(Full::from(format!("whole {}", body.len())).boxed()))
        }
    }
}

fn pieces(count: Option<u32>, pause: Duration) -> Body {
    let next = move |sent: u32| async move {
        if count == Some(sent) {
            return None;
        }
        sleep(pause).await;
        Some((Ok(Frame::data(Bytes::from_static(&[0; PIECE]))), sent.wrapping_add(1)))
    };
    StreamBody::new(stream::unfold(0, next)).boxed()
}

fn events() -> Result<Response<Body>> {
    let next = |sent: u32| async move {
        match sent {
            0 => {}
            1 => sleep(LONG).await,
            _ => return None,
        }
        Some((Ok(Frame::data(Bytes::from(format!("data: {sent}\n\n")))), sent.wrapping_add(1)))
    };
    let body = StreamBody::new(stream::unfold(0, next)).boxed();
    Ok(Response::builder().header("content-type", "text/event-stream").body(body)?)
}

fn socket(request: Request<Incoming>) -> Result<Response<Body>> {
    tokio::spawn(async move {
        if let Ok(upgraded) = hyper::upgrade::on(request).await {
            let (mut from, mut to) = tokio::io::split(TokioIo::new(upgraded));
            // Until the client closes the connection.
            let _ = tokio::io::copy(&mut from, &mut to).await;
        }
    });
    let answer = Response::builder().status(StatusCode::SWITCHING_PROTOCOLS);
    Ok(answer.header("connection", "upgrade").header("upgrade", "websocket").body(Full::default().boxed())?)
}
