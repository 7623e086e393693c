//! A host in memory, for unit tests: shared data with Envoy's rules, and clocks that a test turns.

#![allow(clippy::arithmetic_side_effects)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::Duration;

use log::Level;

use super::{Buffer, MetricKind, Proxy, Status, Token};

/// See the module.
#[derive(Default)]
pub(crate) struct FakeProxy {
    monotonic: Cell<u64>,
    wall_ahead: Cell<i64>,
    monotonic_refused: Cell<bool>,
    shared: RefCell<BTreeMap<String, (Vec<u8>, u32)>>,
    last_cas: Cell<u32>,
    metrics: RefCell<Vec<String>>,
    values: RefCell<BTreeMap<String, i64>>,
    lines: RefCell<Vec<(Level, String)>>,
    headers: RefCell<BTreeMap<String, String>>,
    randomness: Cell<u8>,
    interference: RefCell<Vec<Vec<u8>>>,
}

impl FakeProxy {
    /// Lets time pass on both clocks, in milliseconds.
    pub(crate) fn advance(&self, millis: u64) {
        self.monotonic.set(self.monotonic.get() + millis);
    }

    /// Sets the wall clock forward or back, in milliseconds.
    pub(crate) fn jump_wall(&self, millis: i64) {
        self.wall_ahead.set(self.wall_ahead.get() + millis);
    }

    /// Takes the monotonic clock away.
    pub(crate) fn refuse_monotonic(&self) {
        self.monotonic_refused.set(true);
    }

    /// The log.
    pub(crate) fn lines(&self) -> Vec<(Level, String)> {
        self.lines.borrow().clone()
    }

    /// A metric's value, if it was ever set.
    pub(crate) fn metric(&self, name: &str) -> Option<i64> {
        self.values.borrow().get(name).copied()
    }

    /// How many metrics there are.
    pub(crate) fn metric_count(&self) -> usize {
        self.metrics.borrow().len()
    }

    /// Before each of the next writes, somebody else writes one of these.
    pub(crate) fn interfere(&self, values: Vec<Vec<u8>>) {
        *self.interference.borrow_mut() = values;
    }

    fn write(&self, key: &str, value: &[u8]) {
        self.last_cas.set(self.last_cas.get() + 1);
        self.shared.borrow_mut().insert(key.to_owned(), (value.to_vec(), self.last_cas.get()));
    }
}

/// 2026-01-01T00:00:00Z in milliseconds.
pub(crate) const START: u64 = 1_767_225_600_000;

impl Proxy for FakeProxy {
    fn log(&self, level: Level, line: &str) {
        self.lines.borrow_mut().push((level, line.to_owned()));
    }

    fn wall_nanos(&self) -> Option<u64> {
        Some((START + self.monotonic.get()).checked_add_signed(self.wall_ahead.get()).unwrap() * 1_000_000)
    }

    fn monotonic_nanos(&self) -> Option<u64> {
        (!self.monotonic_refused.get()).then(|| self.monotonic.get() * 1_000_000)
    }

    fn random(&self, buffer: &mut [u8]) -> bool {
        self.randomness.set(self.randomness.get() + 1);
        buffer.fill(self.randomness.get());
        true
    }

    fn memory_bytes(&self) -> u64 {
        0
    }

    fn set_tick_period(&self, _milliseconds: u32) -> Result<(), Status> {
        Ok(())
    }

    fn call(&self, _: &str, _: &[(&str, &str)], _: &[u8], _: Duration) -> Result<Token, Status> {
        Err(Status::BadArgument)
    }

    fn shared_data(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, Status> {
        Ok(self.shared.borrow().get(key).cloned())
    }

    fn set_shared_data(&self, key: &str, value: &[u8], cas: u32) -> Result<(), Status> {
        let other = self.interference.borrow_mut().pop();
        if let Some(other) = other {
            self.write(key, &other);
        }
        let current = self.shared.borrow().get(key).map(|(_, cas)| *cas);
        if cas != 0 && current.is_some_and(|current| current != cas) {
            return Err(Status::CasMismatch);
        }
        self.write(key, value);
        Ok(())
    }

    fn buffer(&self, _buffer: Buffer, _limit: usize) -> Result<Vec<u8>, Status> {
        Ok(Vec::new())
    }

    fn answer_headers(&self) -> Result<Vec<(String, String)>, Status> {
        Ok(Vec::new())
    }

    fn request_header(&self, name: &str) -> Option<String> {
        self.headers.borrow().get(name).cloned()
    }

    fn respond(&self, _: u16, _: &[(&str, &str)], _: &[u8], _: &str) -> Result<(), Status> {
        Ok(())
    }

    fn define_metric(&self, _kind: MetricKind, name: &str) -> Result<u32, Status> {
        let mut metrics = self.metrics.borrow_mut();
        metrics.push(name.to_owned());
        Ok(u32::try_from(metrics.len() - 1).unwrap())
    }

    fn increment_metric(&self, id: u32, by: i64) -> Result<(), Status> {
        let name = self.metrics.borrow()[usize::try_from(id).unwrap()].clone();
        *self.values.borrow_mut().entry(name).or_default() += by;
        Ok(())
    }

    fn record_metric(&self, id: u32, value: u64) -> Result<(), Status> {
        let name = self.metrics.borrow()[usize::try_from(id).unwrap()].clone();
        self.values.borrow_mut().insert(name, i64::try_from(value).unwrap());
        Ok(())
    }
}
