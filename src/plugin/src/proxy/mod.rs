//! Envoy as the plugin sees it.
//!
//! [`Proxy`] is the whole of the host's interface that we use; [`crate::abi`] implements it for Envoy, the tests for a
//! map in memory. No method may panic, whatever the host answers.

use std::rc::Rc;
use std::time::Duration;

use log::Level;

/// A handle that every part of the plugin holds.
pub type ProxyHandle = Rc<dyn Proxy>;

/// The host's services.
pub trait Proxy {
    /// Writes one line to Envoy's log. Only the `logger` calls this.
    fn log(&self, level: Level, line: &str);

    /// Nanoseconds since 1970 by the wall clock; `None` when the host refuses.
    fn wall_nanos(&self) -> Option<u64>;

    /// Nanoseconds since some moment, the same for all instances in this process, which never jump; `None` when the
    /// host refuses.
    fn monotonic_nanos(&self) -> Option<u64>;

    /// Fills the buffer with random bytes; false when the host refuses.
    fn random(&self, buffer: &mut [u8]) -> bool;

    /// How large this instance's linear memory is, in bytes. It never shrinks.
    fn memory_bytes(&self) -> u64;

    /// How often the current root context's tick is called; 0 stops it.
    fn set_tick_period(&self, milliseconds: u32) -> Result<(), Status>;

    /// Starts an HTTP request to a cluster. The answer comes to the root context that is being called now, under the
    /// token.
    fn call(&self, cluster: &str, headers: &[(&str, &str)], body: &[u8], timeout: Duration) -> Result<Token, Status>;

    /// The value under this key, and the number that a compare-and-swap of it needs.
    fn shared_data(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, Status>;

    /// Sets a key. `cas` 0 overwrites whatever there is; another one must be the number last read, or the answer is
    /// [`Status::CasMismatch`]. On a key that does not exist, Envoy takes any `cas`.
    fn set_shared_data(&self, key: &str, value: &[u8], cas: u32) -> Result<(), Status>;

    /// At most `limit` bytes of a buffer.
    fn buffer(&self, buffer: Buffer, limit: usize) -> Result<Vec<u8>, Status>;

    /// All headers of the callout's answer that is being delivered now: names in lower case, and what is not UTF-8
    /// replaced.
    fn answer_headers(&self) -> Result<Vec<(String, String)>, Status>;

    /// A header of the request that is being decoded now.
    fn request_header(&self, name: &str) -> Option<String>;

    /// Answers the request that is being decoded now, instead of an upstream.
    fn respond(&self, status: u16, headers: &[(&str, &str)], body: &[u8], details: &str) -> Result<(), Status>;

    /// Defines a metric, or finds it again.
    fn define_metric(&self, kind: MetricKind, name: &str) -> Result<u32, Status>;

    /// Adds to a counter.
    fn increment_metric(&self, id: u32, by: i64) -> Result<(), Status>;

    /// Sets a gauge, or records a value in a histogram.
    fn record_metric(&self, id: u32, value: u64) -> Result<(), Status>;
}

/// Names a callout of one root context.
pub type Token = u32;

/// A status other than OK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// An argument is wrong; of a callout: the cluster is not known to Envoy, or a header is missing.
    BadArgument,
    /// The key was changed since it was read.
    CasMismatch,
    /// The host could not; of a callout: the cluster has no healthy host, or a circuit breaker of it is open.
    InternalFailure,
    /// No such key.
    NotFound,
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::BadArgument => "bad argument",
            Self::CasMismatch => "changed meanwhile",
            Self::InternalFailure => "internal failure",
            Self::NotFound => "not found",
        })
    }
}

/// The buffers we read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Buffer {
    /// The body of the callout's answer that is being delivered now.
    AnswerBody,
    /// The VM's configuration.
    VmConfiguration,
    /// The plugin's configuration, while it is being configured.
    Configuration,
}

/// The kinds of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution.
    Histogram,
}

#[cfg(test)]
pub(crate) mod fake;
