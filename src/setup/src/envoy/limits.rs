//! Limits for strangers: the number of connections, and the timeouts for whatever they begin and never end.
//!
//! Promises: however many clients there are, file descriptors are left for the admin interface, for HTTP-01 challenges
//! and for upstream servers; an idle connection, a handshake and a request's headers always have a timeout, whatever
//! the user's options are; a connection's buffers are small. Clients that read and write are never cut off by these
//! limits, so upgrades and long downloads go on.
//!
//! Connections of a listener that ignores the global limit are subtracted from its count when they end (seen in Envoy
//! 1.40), so the global limit is not enough: each listener has a limit of its own too.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::model::{Setup, Timeouts};

/// Timeout for the first bytes of a connection: a client sends them with its next packet.
const FIRST_BYTES: Duration = Duration::from_secs(5);
/// Timeout for the headers of a request, from its first byte on.
const HEAD: Duration = Duration::from_secs(10);
/// Timeout of a TLS handshake, including the secret that it waits for. CAs give up sooner.
pub(super) const HANDSHAKE: &str = "10s";
/// Timeout for the rest of a response if a client keeps the window of its HTTP/2 stream closed, and the server is done:
/// Envoy's own default for idle streams.
const FLUSH: &str = "300s";
/// Buffer of a connection in each direction, in bytes, as in Envoy's guide for edge proxies.
pub(crate) const BUFFER: u32 = 32 * 1024;
/// HTTP/2 windows, in bytes, and streams per connection, as in Envoy's guide for edge proxies.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
const STREAMS: u32 = 100;
/// Backlog of connections to accept, as long as Linux allows by default: in a burst of connections, none has to send a
/// second SYN.
const BACKLOG: u32 = 4096;
/// TCP keepalive as in Go, and so in Traefik: after 15 s of silence, nine probes.
const PROBES: [(&str, u32); 3] = [("keepalive_time", 15), ("keepalive_interval", 15), ("keepalive_probes", 9)];

/// The monitor of the overload manager for the global limit.
pub const MONITOR: &str = "envoy.resource_monitors.global_downstream_max_connections";

/// Clients if the number of file descriptors is unknown: Envoy needs some 19,300 descriptors for them.
const USUAL: u32 = 7_500;
/// Descriptors for Envoy itself, such as listeners, threads, logs, the sidecar; at most a quarter.
const OWN: u64 = 512;

/// Limits of connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// From clients, to all listeners except those that answer HTTP-01 challenges.
    pub clients: u32,
    /// From clients, to each listener that answers HTTP-01 challenges.
    pub challenges: u32,
    /// To the servers of each service, and requests that wait for a connection.
    pub servers: u32,
}

impl Connections {
    /// Limits for this number of clients. Clients get two fifths of the descriptors, as a request may need another one
    /// to its server, so challenges and servers get three tenths each.
    pub fn of_clients(clients: u32) -> Self {
        let clients = clients.max(1);
        let others = u32::try_from(u64::from(clients).saturating_mul(3).div_ceil(4)).unwrap_or(u32::MAX);
        Self { clients, challenges: others, servers: others }
    }

    /// Limits for an Envoy with this number of file descriptors.
    pub fn of_descriptors(descriptors: u64) -> Self {
        let shared = descriptors.saturating_sub(OWN.min(descriptors / 4));
        Self::of_clients(u32::try_from(shared.saturating_mul(2) / 5).unwrap_or(u32::MAX))
    }
}

impl Default for Connections {
    fn default() -> Self {
        Self::of_clients(USUAL)
    }
}

/// The overload manager with the global limit.
pub fn overload_manager(connections: Connections) -> Value {
    json!({ "resource_monitors": [{
        "name": MONITOR,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.resource_monitors.downstream_connections.v3.\
                      DownstreamConnectionsConfig",
            "max_active_downstream_connections": connections.clients,
        },
    }] })
}

/// The limit of each listener, as runtime keys.
pub(super) fn of_listeners(setup: &Setup, is_challenged: impl Fn(&str) -> bool, of: Connections) -> Map<String, Value> {
    let limit = |name: &String| {
        let most = if is_challenged(name) { of.challenges } else { of.clients };
        (runtime_key(name), json!(most))
    };
    setup.entry_points.iter().map(|point| limit(&point.name)).collect()
}

/// Runtime key for the maximum size of a response to Envoy's own requests, such as the plugin's to a CA. No cluster
/// option bounds it, so it applies to all of Envoy's asynchronous clients; the default is 32 MiB.
pub(crate) const ANSWERS: &str = "http.async_response_buffer_limit";

/// The comment on this key.
pub(super) const OF_ANSWERS: &str =
    "The most of an answer to the plugin that Envoy keeps, in bytes; its default is 32 MiB.";

/// Bounds responses, as a runtime key.
pub(crate) fn of_answers(runtime: &mut Map<String, Value>) {
    runtime.insert(ANSWERS.to_owned(), json!(acme::MAX_ANSWER));
}

/// The runtime key for the limit of a listener.
pub(crate) fn runtime_key(listener: &str) -> String {
    format!("envoy.resource_limits.listener.{listener}.connection_limit")
}

/// Adds the limits of a listener itself.
pub(super) fn bound(listener: &mut Value, is_challenged: bool) {
    if is_challenged {
        listener["ignore_global_conn_limit"] = json!(true);
    }
    listener["per_connection_buffer_limit_bytes"] = json!(BUFFER);
    listener["tcp_backlog_size"] = json!(BACKLOG);
    listener["tcp_keepalive"] = PROBES.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
}

/// Adds the listener filter that reads the first bytes of a connection.
pub(super) fn inspector(listener: &mut Value, timeouts: &Timeouts) {
    listener["listener_filters_timeout"] = json!(timeouts.first_bytes());
    listener["listener_filters"] = json!([{
        "name": "envoy.filters.listener.tls_inspector",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
        },
    }]);
}

/// Adds the limits of a connection manager.
pub(super) fn of_manager(manager: &mut Value, timeouts: &Timeouts) {
    manager["request_headers_timeout"] = json!(timeouts.head());
    // Timeout of the whole request, until its response has begun: so upgrades and bidirectional gRPC calls go on.
    manager["request_timeout"] = json!(timeouts.whole_request());
    manager["common_http_protocol_options"] = json!({ "idle_timeout": timeouts.idle_connection() });
    // As in Traefik, responses have no timeout.
    manager["stream_idle_timeout"] = json!("0s");
    manager["stream_flush_timeout"] = json!(FLUSH);
    manager["http2_protocol_options"] = json!({
        "max_concurrent_streams": STREAMS,
        "initial_stream_window_size": STREAM_WINDOW,
        "initial_connection_window_size": CONNECTION_WINDOW,
    });
}

/// The circuit breakers of a service: its share of every resource.
pub(super) fn of_service(connections: Connections) -> Value {
    let most = connections.servers;
    json!({ "thresholds": [{ "max_connections": most, "max_pending_requests": most, "max_requests": most }] })
}

/// Traefik's timeouts in Envoy's form: 0s disables a timeout.
impl Timeouts {
    /// The timeout of listener filters, which every listener with HTTP has for this reason.
    fn first_bytes(&self) -> String {
        seconds(Some(self.read.map_or(FIRST_BYTES, |read| read.min(FIRST_BYTES))))
    }

    fn head(&self) -> String {
        seconds(Some(self.read.map_or(HEAD, |read| read.min(HEAD))))
    }

    fn whole_request(&self) -> String {
        seconds(self.read)
    }

    pub(super) fn whole_answer(&self) -> String {
        seconds(self.write)
    }

    fn idle_connection(&self) -> String {
        seconds(self.idle)
    }
}

fn seconds(duration: Option<Duration>) -> String {
    let duration = duration.unwrap_or_default();
    match duration.subsec_nanos() {
        0 => format!("{}s", duration.as_secs()),
        nanos => format!("{}s", format!("{}.{nanos:09}", duration.as_secs()).trim_end_matches('0')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_it_fits_into_the_descriptors_that_there_are() {
        for descriptors in [64, 1024, 4096, 20_000, 65_536, 1_048_576, 1_073_741_816] {
            let Connections { clients, challenges, servers } = Connections::of_descriptors(descriptors);
            let all = u64::from(clients) + u64::from(challenges) + u64::from(servers);
            assert!(all + OWN.min(descriptors / 4) <= descriptors + 2, "{descriptors}: {all}");
            assert!(u64::from(clients) * 5 <= descriptors * 2);
            assert!(clients > 0 && all * 10 >= descriptors * 7, "{descriptors}: {all}");
        }
    }

    #[test]
    fn what_is_begun_has_an_end_also_when_a_whole_request_has_none() {
        let times = |read: Option<u64>| {
            let timeouts = Timeouts { read: read.map(Duration::from_millis), ..Timeouts::default() };
            [timeouts.first_bytes(), timeouts.head(), timeouts.whole_request()]
        };
        assert_eq!(times(Some(60_000)), ["5s", "10s", "60s"]);
        assert_eq!(times(Some(1_500)), ["1.5s", "1.5s", "1.5s"]);
        assert_eq!(times(None), ["5s", "10s", "0s"]);
    }

    #[test]
    fn there_is_one_connection_at_least() {
        let none = Connections::of_descriptors(0);
        assert_eq!((none, none.clients), (Connections::of_clients(0), 1));
    }
}
