//! Response bodies that arrive broken or slowly.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Bytes, Frame};

/// Pause between two dripped bytes: a response of a thousand takes minutes.
const DRIP: Duration = Duration::from_millis(200);

/// Size of one piece of an endless body.
const PIECE: usize = 64 * 1024;

pub(super) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// The whole body.
pub(super) fn whole(body: Vec<u8>) -> Body {
    Full::new(Bytes::from(body)).map_err(|never| match never {}).boxed_unsync()
}

/// Half of the body, then an error, which ends the connection.
pub(super) fn cut(body: &[u8]) -> Body {
    let half = Bytes::copy_from_slice(&body[..body.len() / 2]);
    let frames = [Ok(Frame::data(half)), Err(std::io::Error::other("cut"))];
    StreamBody::new(stream::iter(frames)).boxed_unsync()
}

/// The body, a byte at a time.
pub(super) fn drip(body: Vec<u8>) -> Body {
    let frames = stream::unfold(body.into_iter(), |mut bytes| async move {
        let byte = bytes.next()?;
        tokio::time::sleep(DRIP).await;
        Some((Ok(Frame::data(Bytes::copy_from_slice(&[byte]))), bytes))
    });
    StreamBody::new(frames).boxed_unsync()
}

/// The body again and again, for ever; the bytes sent are counted.
pub(super) fn endless(body: &[u8], sent: Arc<AtomicU64>) -> Body {
    let body = if body.is_empty() { b" " } else { body };
    let piece = Bytes::from(body.iter().copied().cycle().take(PIECE.max(body.len())).collect::<Vec<_>>());
    let frames = stream::unfold((piece, sent), |(piece, sent)| async move {
        sent.fetch_add(u64::try_from(piece.len()).unwrap_or_default(), Ordering::Relaxed);
        Some((Ok(Frame::data(piece.clone())), (piece, sent)))
    });
    StreamBody::new(frames).boxed_unsync()
}
