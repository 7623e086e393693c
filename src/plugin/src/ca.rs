//! The way to the CA: ACME requests as callouts to Envoy clusters, whose TLS context verifies the CA's name and chain.
//!
//! Only https, and only to origins that the configuration knows: those of the resolvers' `caServer` and those listed in
//! `caClusters`. So no URL that a CA hands out leads anywhere else.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use acme::{Host, Request, Response, SendError};
use resolver::config::Config;

use crate::callouts::{Answer, Call, CallError};
use crate::metrics::label;
use crate::places::Places;
use crate::proxy::Status;
use crate::world::World;

/// The most that is read of an answer, in bytes: no ACME answer is near it.
const MAX_BODY: usize = 1024 * 1024;

/// How many requests are under way at once; Envoy's clusters take 1024 by default, and other plugins want some too.
const MAX_CALLS: usize = 256;

/// How long a cluster may be missing before a request fails: at Envoy's start, one that needs DNS comes a little later
/// than the plugin.
const WARMING: Duration = Duration::from_secs(10);

/// How often a missing cluster is looked for.
const WARMING_PAUSE: Duration = Duration::from_millis(50);

/// RFC 8555 §6.1 wants one.
const USER_AGENT: &str = concat!("envoy-autocert/", env!("CARGO_PKG_VERSION"));

/// Sends what the ACME flows ask for.
pub(crate) struct Ca {
    world: Rc<World>,
    clusters: BTreeMap<String, String>,
    places: Places,
}

impl Ca {
    /// The CAs of the world's configuration.
    pub(crate) fn new(world: Rc<World>) -> Self {
        let clusters = clusters(&world.config);
        Self { world, clusters, places: Places::new(MAX_CALLS) }
    }

    async fn exchange(&self, request: &Request) -> Result<Response, SendError> {
        let target = Target::of(&request.url)?;
        let Some(cluster) = self.clusters.get(&target.origin()) else {
            return Err(SendError::Refused(format!(
                "{} is not an origin of this configuration; if the CA is to be trusted with it, add `caClusters: \
                 {{\"{}\": <the name of its Envoy cluster>}}`",
                target.origin(),
                target.authority
            )));
        };
        let exchange = async {
            let _place = self.places.take().await;
            self.call(cluster, &target, request).await
        };
        match self.world.timers.within(request.timeout, exchange).await {
            Some(Ok(Answer { status, headers, body })) => Ok(Response { status, headers, body }),
            Some(Err(error)) => Err(send_error(error, cluster)),
            None => Err(SendError::TimedOut),
        }
    }

    async fn call(&self, cluster: &str, target: &Target<'_>, request: &Request) -> Result<Answer, CallError> {
        let mut headers = vec![
            (":method", request.method.as_str()),
            (":path", target.path),
            (":authority", target.authority),
            (":scheme", "https"),
            ("user-agent", USER_AGENT),
        ];
        headers.extend(request.headers.iter().map(|(name, value)| (*name, value.as_str())));
        let patience = self.world.timers.sleep(WARMING);
        let mut patience = std::pin::pin!(patience);
        loop {
            let call =
                Call { cluster, headers: &headers, body: &request.body, timeout: request.timeout, max_body: MAX_BODY };
            match self.world.callouts.call(call).await {
                Err(CallError::Dispatch(Status::BAD_ARGUMENT)) if futures::poll!(&mut patience).is_pending() => {
                    self.world.timers.sleep(WARMING_PAUSE).await;
                }
                result => return result,
            }
        }
    }
}

impl Host for Ca {
    async fn send(&self, request: Request) -> Result<Response, SendError> {
        let start = self.world.clock.steady();
        let result = self.exchange(&request).await;
        let took = self.world.clock.steady().saturating_sub(start);
        let status = match &result {
            Ok(response) => response.status.to_string(),
            Err(SendError::Refused(_)) => "refused".to_owned(),
            Err(SendError::TimedOut) => "timed_out".to_owned(),
            Err(SendError::Unreachable(_)) => "unreachable".to_owned(),
        };
        let endpoint = label(request.endpoint);
        self.world.metrics.count(&format!("acme_requests.endpoint.{endpoint}.status.{status}"));
        self.world.metrics.record(&format!("acme_request_milliseconds.endpoint.{endpoint}"), took);
        result
    }

    async fn sleep(&self, duration: Duration) {
        self.world.timers.sleep(duration).await;
    }

    fn now_millis(&self) -> i64 {
        i64::try_from(self.world.clock.wall()).unwrap_or(i64::MAX)
    }

    fn random(&self) -> u64 {
        u64::try_from(self.world.random() >> 64).unwrap_or_default()
    }
}

/// An https URL, in the parts a callout needs.
#[derive(Debug, PartialEq, Eq)]
struct Target<'a> {
    /// As in the URL: with a port if it has one.
    authority: &'a str,
    /// With the query; `/` at least.
    path: &'a str,
}

impl<'a> Target<'a> {
    fn of(url: &'a str) -> Result<Self, SendError> {
        let refused = |why: &str| SendError::Refused(format!("{}: {why}", crate::log::one_line(url)));
        let rest = url.strip_prefix("https://").ok_or_else(|| refused("only https URLs are asked"))?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let path = path.split('#').next().unwrap_or_default();
        if authority.is_empty() || authority.contains('@') || !url.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(refused("this is not a URL of a CA"));
        }
        match path {
            "" => Ok(Self { authority, path: "/" }),
            path if path.starts_with('/') => Ok(Self { authority, path }),
            _ => Err(refused("a URL of a CA has a path")),
        }
    }

    fn origin(&self) -> String {
        origin(self.authority)
    }
}

/// `host:port` in lower case, the port always there.
fn origin(authority: &str) -> String {
    let authority = authority.to_ascii_lowercase();
    let after_host = authority.rfind(']').unwrap_or_default();
    if authority.get(after_host..).is_some_and(|rest| rest.contains(':')) { authority } else { authority + ":443" }
}

/// Origin → cluster. A resolver's CA that `caClusters` does not name has the cluster named like its host.
fn clusters(config: &Config) -> BTreeMap<String, String> {
    let mut clusters = BTreeMap::new();
    for resolver in config.resolvers.values() {
        if let Ok(target) = Target::of(&resolver.ca_server) {
            let origin = target.origin();
            let host = origin.rsplit_once(':').map_or(origin.as_str(), |(host, _)| host);
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let cluster = config.ca_clusters.get(host).map_or(host, String::as_str).to_owned();
            clusters.insert(origin, cluster);
        }
    }
    clusters.extend(config.ca_clusters.iter().map(|(key, cluster)| (origin(key), cluster.clone())));
    clusters
}

fn send_error(error: CallError, cluster: &str) -> SendError {
    match error {
        CallError::Dispatch(Status::BAD_ARGUMENT) => SendError::Refused(format!(
            "Envoy has no cluster `{cluster}`: define it (`envoy-autocert render` prints one), or name another in \
             `caClusters`"
        )),
        CallError::TimedOut => SendError::TimedOut,
        CallError::CutShort | CallError::Dispatch(_) | CallError::TooLarge(_) | CallError::Unreachable(_) => {
            SendError::Unreachable(format!("cluster `{cluster}`: {error}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        for (url, authority, path) in [
            ("https://ca.example/dir", "ca.example", "/dir"),
            ("https://ca.example", "ca.example", "/"),
            ("https://localhost:14000/order/1?x=y", "localhost:14000", "/order/1?x=y"),
            ("https://[::1]:14000/dir#part", "[::1]:14000", "/dir"),
        ] {
            assert_eq!(Target::of(url), Ok(Target { authority, path }), "{url}");
        }
    }

    #[test]
    fn only_plain_https_urls_are_asked() {
        for url in [
            "http://ca.example/dir",
            "HTTPS://ca.example/dir",
            "https://",
            "https:///dir",
            "https://user@ca.example/dir",
            "https://ca.example?x=y",
            "https://ca.example/a b",
            "https://ca.example/\r\nx: y",
            "",
        ] {
            assert!(matches!(Target::of(url), Err(SendError::Refused(_))), "{url}");
        }
    }

    #[test]
    fn an_origin_always_has_its_port() {
        assert_eq!(origin("CA.example"), "ca.example:443");
        assert_eq!(origin("ca.example:14000"), "ca.example:14000");
        assert_eq!(origin("[::1]"), "[::1]:443");
        assert_eq!(origin("[::1]:14000"), "[::1]:14000");
    }
}
