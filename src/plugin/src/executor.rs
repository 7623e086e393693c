//! Runs the one task of a root context: whenever Envoy calls in, until it can't go on.
//!
//! There is one future; whatever runs side by side in it is joined by combinators. So this needs no queue: a flag says
//! whether something woke it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// How often the task is polled in one call of Envoy's, so that a task that wakes itself without end can't hold the
/// thread. An honest step takes a few.
const MAX_POLLS: usize = 1_000;

/// A future that runs in steps.
pub(crate) struct Task {
    future: Option<Pin<Box<dyn Future<Output = ()>>>>,
    woken: Arc<Flag>,
    waker: Waker,
}

/// The state of a task after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The task waits for a timer or an answer.
    Waits,
    /// The task has used up its polls: come back soon.
    Restless,
    /// The task is over.
    Done,
}

impl Task {
    /// A task that starts with the first step.
    pub(crate) fn new(future: impl Future<Output = ()> + 'static) -> Self {
        let woken = Arc::new(Flag(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&woken));
        Self { future: Some(Box::pin(future)), woken, waker }
    }

    /// Goes on until it waits.
    pub(crate) fn step(&mut self) -> Step {
        let Some(future) = &mut self.future else { return Step::Done };
        let mut context = Context::from_waker(&self.waker);
        for _ in 0..MAX_POLLS {
            if !self.woken.0.swap(false, Ordering::Relaxed) {
                return Step::Waits;
            }
            if let Poll::Ready(()) = future.as_mut().poll(&mut context) {
                self.future = None;
                return Step::Done;
            }
        }
        Step::Restless
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use futures::channel::oneshot;

    use super::*;

    #[test]
    fn a_task_goes_on_when_it_is_woken() {
        let (sender, receiver) = oneshot::channel::<()>();
        let mut task = Task::new(async move {
            let _ = receiver.await;
        });
        assert_eq!(task.step(), Step::Waits);
        assert_eq!(task.step(), Step::Waits);
        sender.send(()).unwrap();
        assert_eq!(task.step(), Step::Done);
        assert_eq!(task.step(), Step::Done);
    }

    #[test]
    fn a_task_that_wakes_itself_without_end_is_interrupted() {
        let mut task = Task::new(std::future::poll_fn(|context| {
            context.waker().wake_by_ref();
            Poll::Pending
        }));
        assert_eq!(task.step(), Step::Restless);
    }
}
