//! Bounds on what a client can make the SDS server hold or send, each with its reason.

use std::time::Duration;

/// The largest request, in bytes: a reconnecting delta stream names every secret and its version in one message, about
/// 150 bytes for each.
pub const MAX_REQUEST_BYTES: usize = 32 * 1024 * 1024;

/// Where a response is cut, in bytes, when it need not hold everything. Small ones let the first certificates be used
/// while the rest are on their way, and cost little memory when many clients connect at once.
pub const MAX_BATCH_BYTES: usize = 256 * 1024;

/// The largest response with the state of the world, in bytes. gRPC clients refuse messages over 4 MiB by default.
pub const MAX_WORLD_BYTES: usize = 2 * 1024 * 1024;

/// The most secrets one stream may subscribe to. Twice the number of certificates this sidecar is made for.
pub const MAX_NAMES: usize = 200_000;

/// The most bytes the names of one stream may take together.
pub const MAX_NAME_BYTES: usize = 32 * 1024 * 1024;

/// Responses whose acknowledgement is still awaited. Of the older ones it is no longer known what they held; a client
/// that acknowledges nothing must not grow the memory.
pub const MAX_UNACKNOWLEDGED: usize = 1024;

/// The most streams of all clients. Off ADS every secret of every Envoy is a stream, which costs some 20 KiB here
/// (measured); with ADS an Envoy has one for all.
pub const MAX_STREAMS: usize = 32_768;

/// The most connections at once. Envoy opens one on each of its threads; they are of users who may have keys.
pub const MAX_CONNECTIONS: usize = 1024;

/// How long a client may take to say that it speaks HTTP/2: Envoy does so at once. Before that it can't be probed.
pub const GREETING: Duration = Duration::from_secs(10);

/// The most nodes and rejections that are told apart in the status; their names come from clients.
pub const MAX_STATUS_ENTRIES: usize = 1024;

/// The longest text of a client's that is kept or logged (node, secret's name, error), in characters.
pub const MAX_TEXT: usize = 512;

/// Responses that wait for a slow reader. The session makes the next one only when there is room, from what is the
/// best certificate then.
pub const RESPONSE_QUEUE: usize = 1;

/// How often a silent connection is probed, and how long the answer may take: a suspended client frees its streams.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(60);
/// See [`KEEPALIVE_INTERVAL`].
pub const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);
