//! A route for one alternative of a router's rule.

use super::alternatives::Condition;
use crate::model::HttpRouter;
use serde_json::Value;

/// Maximum number of routes of a listener: routers without a host are repeated for each host.
pub(crate) const MOST_ROUTES: usize = 500_000;

/// A route for one alternative of a router's rule.
pub(crate) struct Candidate<'s> {
    pub(crate) router: &'s HttpRouter,
    /// The conditions, without hosts.
    pub(crate) conditions: Vec<Condition>,
    /// The hosts that the route is for; empty for all.
    pub(crate) hosts: Vec<String>,
    /// The hosts that are excluded.
    pub(crate) others: Vec<String>,
}

/// Callback for the action of a router's routes (`route`, `direct_response` …); the flag says that the route is for
/// every host.
pub type Action<'a> = &'a dyn Fn(&HttpRouter, bool) -> Value;
