//! The connection to the CA: ACME requests as callouts to Envoy clusters, whose TLS context verifies the CA's name and
//! chain.
//!
//! Only https, and only to origins that the configuration knows: those of the resolvers' `caServer` and those listed in
//! `caClusters`. So no URL that a CA hands out leads anywhere else.

use std::rc::Rc;
use std::time::Duration;

use acme::origin::{Origin, path_and_query};
use acme::{Host, MAX_ANSWER, Request, Response, SendError};
use config::{CaCluster, Config};

use crate::callouts::{Answer, Call, CallError, WITHOUT_REASON};
use crate::context::Context;
use crate::metrics::label;
use crate::proxy::Status;
use crate::semaphore::Semaphore;

/// How many requests are under way at once: enough for the orders side by side, and a number that a public CA's rate
/// limits for a client take well.
const MAX_CALLS: usize = 64;

/// How long a cluster may be missing before a request fails: at Envoy's start, one that needs DNS comes a little later
/// than the plugin.
const WARMING: Duration = Duration::from_secs(10);

/// How often a missing cluster is looked for.
const WARMING_PAUSE: Duration = Duration::from_millis(50);

/// By how much Envoy's timeout may come too early: it counts from the start of the turn of its event loop, in which the
/// request was signed, and others too.
const TIMER_SLACK: Duration = Duration::from_millis(50);

/// RFC 8555 §6.1 wants one.
const USER_AGENT: &str = concat!("envoy-autocert/", env!("CARGO_PKG_VERSION"));

/// Sends what the ACME flows ask for.
pub(crate) struct Ca {
    context: Rc<Context>,
    clusters: Vec<CaCluster>,
    semaphore: Semaphore,
}

impl Ca {
    /// The CAs of the context's configuration.
    pub(crate) fn new(context: Rc<Context>) -> Self {
        let clusters = clusters(&context.config);
        Self { context, clusters, semaphore: Semaphore::new(MAX_CALLS) }
    }

    async fn exchange(&self, request: &Request) -> Result<Response, SendError> {
        let url = &request.url;
        let (Some(origin), Some(path)) = (Origin::of(url), path_and_query(url)) else {
            return Err(SendError::Refused("it is not the https URL of a CA".to_owned()));
        };
        let Some(CaCluster { cluster, .. }) = self.clusters.iter().find(|known| known.origin == origin) else {
            let authority = origin.authority();
            return Err(SendError::Refused(format!(
                "{authority} is not an origin of this configuration; if the CA is to be trusted with it, add \
                 `caClusters: {{\"{authority}\": <the name of its Envoy cluster>}}`",
            )));
        };
        let exchange = async {
            let _permit = self.semaphore.acquire().await;
            self.call(cluster, &origin.authority(), &path, request).await
        };
        let start = self.context.clock.steady();
        let result = self.context.timers.within(request.timeout, exchange).await;
        let took = Duration::from_millis(self.context.clock.steady().saturating_sub(start));
        match result {
            Some(Ok(Answer { status, headers, body })) => Ok(Response { status, headers, body }),
            // An answer whose headers came in time, and its end did not: Envoy resets it, and says no more.
            Some(Err(CallError::CutShort)) if took.saturating_add(TIMER_SLACK) >= request.timeout => {
                Err(SendError::TimedOut)
            }
            Some(Err(error)) => Err(send_error(error, cluster)),
            None => Err(SendError::TimedOut),
        }
    }

    async fn call(&self, cluster: &str, authority: &str, path: &str, request: &Request) -> Result<Answer, CallError> {
        let mut headers = vec![
            (":method", request.method.as_str()),
            (":path", path),
            (":authority", authority),
            (":scheme", "https"),
            ("user-agent", USER_AGENT),
        ];
        headers.extend(request.headers.iter().map(|(name, value)| (*name, value.as_str())));
        let patience = self.context.timers.sleep(WARMING);
        let mut patience = std::pin::pin!(patience);
        loop {
            let call = Call {
                cluster,
                headers: &headers,
                body: &request.body,
                timeout: request.timeout,
                max_body: MAX_ANSWER,
            };
            match self.context.callouts.call(call).await {
                Err(CallError::Dispatch(Status::BadArgument)) if futures::poll!(&mut patience).is_pending() => {
                    self.context.timers.sleep(WARMING_PAUSE).await;
                }
                result => return result,
            }
        }
    }
}

impl Host for Ca {
    async fn send(&self, request: Request) -> Result<Response, SendError> {
        let start = self.context.clock.steady();
        let result = self.exchange(&request).await;
        let took = self.context.clock.steady().saturating_sub(start);
        let status = match &result {
            Ok(response) => response.status.to_string(),
            Err(SendError::Refused(_)) => "refused".to_owned(),
            Err(SendError::TimedOut) => "timed_out".to_owned(),
            Err(SendError::Unreachable(_)) => "unreachable".to_owned(),
        };
        let endpoint = label(request.endpoint);
        self.context.metrics.count(&format!("acme_requests.endpoint.{endpoint}.status.{status}"));
        self.context.metrics.record(&format!("acme_request_milliseconds.endpoint.{endpoint}"), took);
        result
    }

    async fn sleep(&self, duration: Duration) {
        self.context.timers.sleep(duration).await;
    }

    fn now_millis(&self) -> i64 {
        i64::try_from(self.context.clock.wall()).unwrap_or(i64::MAX)
    }

    fn random(&self) -> u64 {
        u64::try_from(self.context.random() >> 64).unwrap_or_default()
    }
}

/// The clusters of all CAs: those of `caClusters`, and for each other `caServer` the one that is named like its host.
fn clusters(config: &Config) -> Vec<CaCluster> {
    let mut clusters = config.ca_clusters.clone();
    for origin in config.resolvers.iter().filter_map(|resolver| Origin::of(&resolver.ca_server)) {
        if !clusters.iter().any(|known| known.origin == origin) {
            let cluster = origin.host().trim_start_matches('[').trim_end_matches(']').to_owned();
            clusters.push(CaCluster { origin, cluster });
        }
    }
    clusters
}

fn send_error(error: CallError, cluster: &str) -> SendError {
    match error {
        CallError::Dispatch(Status::BadArgument) => SendError::Refused(format!(
            "Envoy has no cluster `{cluster}`: define it (`envoy-autocert render` prints one), or name another in \
             `caClusters`"
        )),
        CallError::TimedOut => SendError::TimedOut,
        // So says Envoy when nobody listens and when it refuses the certificate alike. The reason it keeps for its access
        // logs, which callouts do not have (envoyproxy/envoy#44746).
        CallError::Unreachable(why) if why.ends_with("remote connection failure") || why.ends_with(WITHOUT_REASON) => {
            SendError::Unreachable(format!(
                "cluster `{cluster}`: {why}; if its certificate was refused, Envoy's statistics \
                 cluster.{cluster}.ssl.fail_verify_* tell why"
            ))
        }
        CallError::CutShort | CallError::Dispatch(_) | CallError::TooLarge(_) | CallError::Unreachable(_) => {
            SendError::Unreachable(format!("cluster `{cluster}`: {error}"))
        }
    }
}
