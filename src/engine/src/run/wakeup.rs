//! The end of an engine's turn: a wait for the first event that calls for another turn.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use futures::future::LocalBoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};

use super::attempt::Ended;
use super::background::BackgroundDone;

/// An event that begins the engine's next turn.
#[allow(clippy::large_enum_variant, reason = "each is taken apart as soon as it is returned")]
pub(super) enum Wakeup {
    /// An attempt has ended.
    AttemptEnded(Ended),
    /// A background task is done.
    BackgroundDone(BackgroundDone),
    /// More attempts may run than before: a running one has begun to wait for DNS.
    RoomForMore,
    /// The scheduler's idle time is over.
    Timer,
    /// The feed has other wants, or was told that the stored state may have changed.
    WantsChanged,
}

/// Drives attempts and background tasks until one of them ends, or until there is another reason for a turn.
///
/// Of several events at once, the first of this order is returned: attempt, background task, room, timer, wants. The
/// others are not lost: they are still there in the next turn. Attempts are polled before `has_room` is asked, since an
/// attempt begins to wait for DNS while it is polled.
pub(super) async fn wakeup(
    attempts: &mut FuturesUnordered<LocalBoxFuture<'_, Ended>>,
    background: &mut FuturesUnordered<LocalBoxFuture<'_, BackgroundDone>>,
    has_room: impl Fn() -> bool,
    timer: impl Future<Output = ()>,
    wants_changed: impl Future<Output = ()>,
) -> Wakeup {
    let mut timer = pin!(timer);
    let mut wants_changed = pin!(wants_changed);
    poll_fn(|context| {
        // An empty set is ready with nothing: then there is nothing to wait for.
        if let Poll::Ready(Some(ended)) = attempts.poll_next_unpin(context) {
            return Poll::Ready(Wakeup::AttemptEnded(ended));
        }
        if let Poll::Ready(Some(done)) = background.poll_next_unpin(context) {
            return Poll::Ready(Wakeup::BackgroundDone(done));
        }
        if has_room() {
            return Poll::Ready(Wakeup::RoomForMore);
        }
        if timer.as_mut().poll(context).is_ready() {
            return Poll::Ready(Wakeup::Timer);
        }
        wants_changed.as_mut().poll(context).map(|()| Wakeup::WantsChanged)
    })
    .await
}
