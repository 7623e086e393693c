//! The virtual world: a clock that jumps to the next thing that happens, and a network between the flows and the CA.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::task::noop_waker;

use super::ca::Ca;
use super::fault::{Fault, Faults};
use crate::host::{Host, Request, Response, SendError};

/// More polls than this of one future mean that it spins.
const MAX_STEPS: u64 = 20_000_000;

/// A virtual clock with timers and a source of randomness.
pub struct World {
    now_millis: Cell<i64>,
    skew: Cell<i64>,
    next_timer: Cell<u64>,
    timers: RefCell<BTreeMap<(i64, u64), Waker>>,
    random: Cell<u64>,
}

impl World {
    /// A world whose clock stands at 2026-01-01 and whose randomness follows from the seed.
    pub fn new(seed: u64) -> Rc<Self> {
        Rc::new(Self {
            now_millis: Cell::new(1_767_225_600_000),
            skew: Cell::new(0),
            next_timer: Cell::new(0),
            timers: RefCell::default(),
            random: Cell::new(seed),
        })
    }

    /// Milliseconds since 1970 by the wall clock.
    pub fn now_millis(&self) -> i64 {
        self.now_millis.get().saturating_add(self.skew.get())
    }

    /// Milliseconds by a clock that nobody sets: the wall clock's, had it never jumped.
    pub fn steady_millis(&self) -> i64 {
        self.now_millis.get()
    }

    /// Lets time pass in which nothing happens, as when the machine sleeps: who sleeps wakes late.
    pub fn pass(&self, duration: Duration) {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        self.now_millis.set(self.now_millis.get().saturating_add(millis));
    }

    /// Sets the wall clock forward or back. Sleepers are not woken: they wait by a clock of their own.
    pub fn jump(&self, millis: i64) {
        self.skew.set(self.skew.get().saturating_add(millis));
    }

    /// The next random number (splitmix64).
    pub fn random(&self) -> u64 {
        let state = self.random.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.random.set(state);
        let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Sleeps on the virtual clock.
    pub fn sleep(self: &Rc<Self>, duration: Duration) -> impl Future<Output = ()> + use<> {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let id = self.next_timer.get();
        self.next_timer.set(id + 1);
        Sleep { world: self.clone(), deadline: self.now_millis.get().saturating_add(millis), id }
    }

    /// Runs a future to its end, or until the clock has gone on by `limit`: then `None`, and the future can be polled
    /// again later. Panics when nothing can ever happen any more.
    pub fn run_for<F: Future + ?Sized>(&self, limit: Duration, mut future: Pin<&mut F>) -> Option<F::Output> {
        let end = self.now_millis.get().saturating_add(i64::try_from(limit.as_millis()).unwrap_or(i64::MAX));
        for _ in 0..MAX_STEPS {
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&noop_waker())) {
                return Some(output);
            }
            let next = self.timers.borrow().keys().next().map(|(deadline, _)| *deadline);
            let next = next.expect("the flow waits for something that never happens");
            if next > end {
                self.now_millis.set(end);
                return None;
            }
            self.now_millis.set(next.max(self.now_millis.get()));
            let later = self.timers.borrow_mut().split_off(&(next + 1, 0));
            for waker in std::mem::replace(&mut *self.timers.borrow_mut(), later).into_values() {
                waker.wake();
            }
        }
        panic!("the flow spins without the clock going on");
    }

    /// Runs a future to its end.
    pub fn run<F: Future>(&self, future: F) -> F::Output {
        let limit = Duration::from_secs(100 * 365 * 86_400);
        self.run_for(limit, std::pin::pin!(future)).expect("the flow did not end within a century")
    }
}

struct Sleep {
    world: Rc<World>,
    deadline: i64,
    id: u64,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.world.now_millis.get() >= self.deadline {
            return Poll::Ready(());
        }
        self.world.timers.borrow_mut().insert((self.deadline, self.id), context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.world.timers.borrow_mut().remove(&(self.deadline, self.id));
    }
}

/// The way to a CA: latency, and faults by seed.
pub struct Network {
    /// The clock it runs on.
    pub world: Rc<World>,
    /// The CA at its end.
    pub ca: Rc<RefCell<Ca>>,
    /// The faults of the network.
    pub faults: RefCell<Faults>,
}

impl Network {
    /// A network without faults to this CA.
    pub fn new(world: &Rc<World>, ca: Ca) -> Self {
        Self { world: world.clone(), ca: Rc::new(RefCell::new(ca)), faults: RefCell::new(Faults::none()) }
    }
}

impl Host for Network {
    async fn send(&self, request: Request) -> Result<Response, SendError> {
        self.world.sleep(Duration::from_millis(1 + self.world.random() % 20)).await;
        let fault = self.faults.borrow_mut().next(&request, self.world.random());
        let answer = match &fault {
            Some(Fault::LostRequest) => Err(SendError::Unreachable("connection refused".into())),
            Some(Fault::Answer(response)) => Ok(response.clone()),
            _ => Ok(self.ca.borrow_mut().answer(&request, self.world.now_millis())),
        };
        self.world.sleep(Duration::from_millis(1 + self.world.random() % 20)).await;
        match fault {
            Some(Fault::LostAnswer) => Err(SendError::Unreachable("connection reset".into())),
            Some(Fault::Stall) => {
                self.world.sleep(request.timeout).await;
                Err(SendError::TimedOut)
            }
            _ => answer,
        }
    }

    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> {
        self.world.sleep(duration)
    }

    fn now_millis(&self) -> i64 {
        self.world.now_millis()
    }

    fn random(&self) -> u64 {
        self.world.random()
    }
}
