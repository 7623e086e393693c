//! What strangers may hold of Envoy: how many connections, and for how long they may keep what they have begun waiting.
//!
//! Promises: however many clients there are, descriptors are left for the administration interface, for challenges over
//! HTTP and for servers; silence, a handshake and a head are never waited for without end, whatever the user says; what
//! a connection makes Envoy buffer is small. Whoever reads and writes is never cut off by what is here, so upgrades and
//! long downloads go on.
//!
//! Connections of a listener that ignores the global limit are taken from it when they end (seen in Envoy 1.40), so it is
//! not relied on alone: each listener has a limit of its own too.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::model::{Setup, Timeouts};

/// How long the first bytes of a connection may take: whoever connects sends them with his next packet.
const FIRST_BYTES: Duration = Duration::from_secs(5);
/// How long the head of a request may take, from its first byte on.
const HEAD: Duration = Duration::from_secs(10);
/// How long a TLS handshake may take, with the secret that it waits for. CAs give up sooner.
pub(super) const HANDSHAKE: &str = "10s";
/// How long the rest of an answer may wait for a client that lets the window of its HTTP/2 stream stay shut, when its
/// server is done with it: Envoy's own default for silent streams.
const FLUSH: &str = "300s";
/// What a connection may make Envoy buffer in each direction, in bytes, as in Envoy's guide for edge proxies.
pub(crate) const BUFFER: u32 = 32 * 1024;
/// Windows of HTTP/2, in bytes, and streams of a connection, as in Envoy's guide for edge proxies.
const STREAM_WINDOW: u32 = 64 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
const STREAMS: u32 = 100;
/// Connections that wait to be accepted, of which Linux allows as many by default: a crowd that comes all at once keeps
/// nobody waiting for a second SYN.
const BACKLOG: u32 = 4096;
/// A client that has vanished is found like by Traefik, that is by Go: silent for 15 s, then asked nine times.
const PROBES: [(&str, u32); 3] = [("keepalive_time", 15), ("keepalive_interval", 15), ("keepalive_probes", 9)];

/// The monitor of the overload manager that has the global limit.
pub const MONITOR: &str = "envoy.resource_monitors.global_downstream_max_connections";

/// Of clients where nobody says how many descriptors there are: Envoy needs some 19,300 descriptors for it.
const USUAL: u32 = 7_500;
/// Descriptors for what Envoy has of its own, such as listeners, threads, logs, the sidecar; of few, a quarter.
const OWN: u64 = 512;

/// How many connections there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connections {
    /// From clients, to all listeners but those where challenges are answered over HTTP.
    pub clients: u32,
    /// From clients, to each listener where challenges are answered over HTTP.
    pub challenges: u32,
    /// To the servers of each service, and requests that wait for one.
    pub servers: u32,
}

impl Connections {
    /// With these from clients. They get two fifths of the descriptors, as a request may need another one to its server,
    /// so that challenges and servers get three tenths each.
    pub fn of_clients(clients: u32) -> Self {
        let clients = clients.max(1);
        let others = u32::try_from(u64::from(clients).saturating_mul(3).div_ceil(4)).unwrap_or(u32::MAX);
        Self { clients, challenges: others, servers: others }
    }

    /// For an Envoy that may have this many files open.
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

/// The limit of each listener, as keys of the runtime.
pub(super) fn of_listeners(setup: &Setup, is_challenged: impl Fn(&str) -> bool, of: Connections) -> Map<String, Value> {
    let limit = |name: &String| {
        let most = if is_challenged(name) { of.challenges } else { of.clients };
        (runtime_key(name), json!(most))
    };
    setup.entry_points.iter().map(|point| limit(&point.name)).collect()
}

/// The most that Envoy keeps of an answer to a request of its own, such as the plugin's to a CA: what is read of it. No
/// option of a cluster bounds it, so it is for all that Envoy asks for itself; its default is 32 MiB.
pub(crate) const ANSWERS: &str = "http.async_response_buffer_limit";

/// What is said of it.
pub(super) const OF_ANSWERS: &str =
    "The most of an answer to the plugin that Envoy keeps, in bytes; its default is 32 MiB.";

/// Bounds answers, as a key of the runtime.
pub(crate) fn of_answers(runtime: &mut Map<String, Value>) {
    runtime.insert(ANSWERS.to_owned(), json!(acme::MAX_ANSWER));
}

/// The key of the runtime with the limit of a listener.
pub(crate) fn runtime_key(listener: &str) -> String {
    format!("envoy.resource_limits.listener.{listener}.connection_limit")
}

/// What a listener has besides.
pub(super) fn bound(listener: &mut Value, is_challenged: bool) {
    if is_challenged {
        listener["ignore_global_conn_limit"] = json!(true);
    }
    listener["per_connection_buffer_limit_bytes"] = json!(BUFFER);
    listener["tcp_backlog_size"] = json!(BACKLOG);
    listener["tcp_keepalive"] = PROBES.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
}

/// What looks at the first bytes of a connection.
pub(super) fn inspector(listener: &mut Value, timeouts: &Timeouts) {
    listener["listener_filters_timeout"] = json!(timeouts.first_bytes());
    listener["listener_filters"] = json!([{
        "name": "envoy.filters.listener.tls_inspector",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector",
        },
    }]);
}

/// What a connection manager has.
pub(super) fn of_manager(manager: &mut Value, timeouts: &Timeouts) {
    manager["request_headers_timeout"] = json!(timeouts.head());
    // The whole request, unless its answer has begun: so upgrades and calls of gRPC in both directions go on.
    manager["request_timeout"] = json!(timeouts.whole_request());
    manager["common_http_protocol_options"] = json!({ "idle_timeout": timeouts.idle_connection() });
    // As in Traefik, an answer is waited for and read for as long as it takes.
    manager["stream_idle_timeout"] = json!("0s");
    manager["stream_flush_timeout"] = json!(FLUSH);
    manager["http2_protocol_options"] = json!({
        "max_concurrent_streams": STREAMS,
        "initial_stream_window_size": STREAM_WINDOW,
        "initial_connection_window_size": CONNECTION_WINDOW,
    });
}

/// The circuit breakers of a service: its share, in everything.
pub(super) fn of_service(connections: Connections) -> Value {
    let most = connections.servers;
    json!({ "thresholds": [{ "max_connections": most, "max_pending_requests": most, "max_requests": most }] })
}

/// Traefik's times, as Envoy takes them: 0s is without end.
impl Timeouts {
    /// Listener filters wait for these, which every listener with HTTP therefore has.
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
