//! Bounds on what a client can make the SDS server hold or send, each with its reason.

use std::time::Duration;

/// The largest request, in bytes: a reconnecting delta stream names every secret and its version in one message, about
/// 150 bytes for each.
pub const MAX_REQUEST_BYTES: usize = 32 * 1024 * 1024;

/// Size at which a partial response is cut, in bytes. Small responses let the first certificates be used while the rest
/// are on their way, and cost little memory when many clients connect at once.
pub const MAX_BATCH_BYTES: usize = 256 * 1024;

/// The largest response with the state of the world, in bytes. gRPC clients refuse messages over 4 MiB by default.
pub const MAX_WORLD_BYTES: usize = 2 * 1024 * 1024;

/// The most secrets one stream may subscribe to. Twice the number of certificates this sidecar is made for.
pub const MAX_NAMES: usize = 200_000;

/// The most bytes the names of one stream may take together.
pub const MAX_NAME_BYTES: usize = 32 * 1024 * 1024;

/// Responses whose acknowledgement is still awaited. The contents of older ones are forgotten: a client that
/// acknowledges nothing must not grow the memory.
pub const MAX_UNACKNOWLEDGED: usize = 1024;

/// The most streams of all clients. Off ADS every secret of every Envoy is a stream, which costs some 20 KiB here
/// (measured); with ADS an Envoy has one for all.
pub const MAX_STREAMS: usize = 32_768;

/// The most connections at once. Envoy opens one on each of its threads; all clients belong to users who may have keys.
pub const MAX_CONNECTIONS: usize = 1024;

/// Time limit for a client's HTTP/2 preface: Envoy sends it at once. Before that a client can't be probed.
pub const GREETING: Duration = Duration::from_secs(10);

/// The most nodes and rejections kept apart in the status; their names come from clients.
pub const MAX_STATUS_ENTRIES: usize = 1024;

/// The longest text of a client's that is kept or logged (node, secret's name, error), in characters.
pub const MAX_TEXT: usize = 512;

/// Responses that wait for a slow reader. The session makes the next one only when there is room, from the certificates
/// that are the best then.
pub const RESPONSE_QUEUE: usize = 1;

/// Interval of probes on a silent connection, and time limit of the answer: a suspended client frees its streams.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(60);
/// See [`KEEPALIVE_INTERVAL`].
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
