//! `engine`: options for processing orders. Traefik has no such options.

use std::time::Duration;

use super::duration;
use super::mistake::Mistake;
use super::node::Node;

/// Maximum of `maxOrders`. More orders would only queue at the CA: Let's Encrypt takes 20 requests a second.
const MOST_ORDERS: u64 = 1000;

/// Bounds of the retry delays. The minimum is for tests: public CAs have rate limits.
const LEAST_RETRY: Duration = Duration::from_millis(100);
const MOST_RETRY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn read(node: &Node<'_>, mistakes: &mut Vec<Mistake>) -> EngineOptions {
    let mut options = EngineOptions::default();
    let Some(mut table) = node.table(mistakes) else { return options };
    if let Some(most) = table.take("maxOrders").and_then(|node| node.whole(1, MOST_ORDERS, mistakes)) {
        options.max_orders = usize::try_from(most).unwrap_or(usize::MAX);
    }
    let mut wait = |key| table.take(key).and_then(|node| duration::read(&node, LEAST_RETRY, MOST_RETRY, mistakes));
    let (least, most) = (wait("retryMin"), wait("retryMax"));
    options.retry_max = most.unwrap_or(options.retry_max);
    options.retry_min = least.unwrap_or(options.retry_min.min(options.retry_max));
    if options.retry_min > options.retry_max
        && let Some(node) = table.take("retryMin")
    {
        mistakes.push(node.mistake("a duration no longer than engine.retryMax"));
    }
    table.finish(mistakes);
    options
}

/// Options for processing orders. Traefik has no such options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineOptions {
    /// `engine.maxOrders`: maximum number of concurrent orders.
    pub max_orders: usize,
    /// `engine.retryMin`: the delay after a certificate's first failure; the delay doubles with each further failure.
    pub retry_min: Duration,
    /// `engine.retryMax`: the maximum delay.
    pub retry_max: Duration,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { max_orders: 20, retry_min: Duration::from_secs(60), retry_max: Duration::from_secs(6 * 60 * 60) }
    }
}
