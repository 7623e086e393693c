//! Checks for HTTP connection managers that answer nobody.

use super::gather::Envoy;
use super::typed::typed_config;
use super::{Finding, Report};

/// Reports managers without filters: Envoy accepts them, and requests to them hang.
pub(super) fn check(envoy: &Envoy<'_>, report: &mut Report) {
    for (_, chain) in envoy.chains() {
        for filter in chain.at.list("filters") {
            let Some(manager) = typed_config(&filter).filter(|typed| typed.name == "HttpConnectionManager") else {
                continue;
            };
            if manager.at.list("http_filters").is_empty() {
                let expected = "filters, the last one envoy.filters.http.router: without it no request is answered";
                report.mistake(Finding::missing(&manager.at, "http_filters", expected));
            }
        }
    }
}
