//! Metrics, through Envoy's own statistics.
//!
//! Envoy prefixes each name with `wasmcustom.`. Labels are part of the name, as `.label.value`; these `stats_tags` of
//! the bootstrap configuration turn them into labels:
//!
//! ```yaml
//! stats_config:
//!   stats_tags:
//!   - { tag_name: certificate, regex: '^wasmcustom\.envoy_autocert\.\w+(?:\.\w+\.[^.]+)?(\.certificate\.(.+))$' }
//!   - { tag_name: class, regex: '^wasmcustom\.envoy_autocert\..*(\.class\.([^.]+))$' }
//!   - { tag_name: endpoint, regex: '^wasmcustom\.envoy_autocert\.\w+(\.endpoint\.([^.]+))' }
//!   - { tag_name: resolver, regex: '^wasmcustom\.envoy_autocert\.\w+(\.resolver\.([^.]+))' }
//!   - { tag_name: state, regex: '^wasmcustom\.envoy_autocert\.\w+(\.state\.([^.]+))$' }
//!   - { tag_name: status, regex: '^wasmcustom\.envoy_autocert\..*(\.status\.([^.]+))$' }
//!   - { tag_name: why, regex: '^wasmcustom\.envoy_autocert\..*(\.why\.([^.]+))$' }
//! ```
//!
//! | name, after `envoy_autocert.` | kind | |
//! |---|---|---|
//! | `acme_request_milliseconds.endpoint.E` | histogram | from sending a request to the CA to its answer |
//! | `acme_requests.endpoint.E.status.S` | counter | S: the HTTP status, `refused`, `timed_out` or `unreachable` |
//! | `certificate_not_after_seconds.resolver.R.certificate.NAME` | gauge | end of validity, seconds since 1970 |
//! | `certificates.state.S` | gauge | S: `valid`, `due`, `expired`, `missing`, `in_progress`, `failing` |
//! | `engine_active` | gauge | 1 while an instance in this Envoy runs the engine |
//! | `engine_memory_bytes` | gauge | linear memory of the instance that runs the engine |
//! | `engine_plan_milliseconds` | gauge | how long the last look at all that is wanted and stored took |
//! | `fallbacks.resolver.R` | counter | tries with a resolver that R falls back to |
//! | `failures.resolver.R.class.C` | counter | failed tries, by the class of the failure |
//! | `holds.resolver.R` | counter | tries put off since the CA may not be asked yet |
//! | `issuances.resolver.R.why.W` | counter | W: why it was due, e.g. `first`, `renewal`, `suggested` |
//! | `sidecar_request_milliseconds` | histogram | from sending a request to the sidecar to its answer |

use std::cell::RefCell;

use crate::proxy::{MetricKind, ProxyHandle};
use crate::table::Table;

/// The most names: Envoy never forgets one. Beyond it, new ones are not counted.
const MAX_NAMES: usize = 4096;

/// The most certificates with a gauge of their own.
const MAX_CERTIFICATES: usize = 1000;

/// The longest value of a label, in bytes; a DNS name has 253 at most.
const MAX_LABEL: usize = 255;

/// The metrics this instance has used.
pub(crate) struct Metrics {
    proxy: ProxyHandle,
    /// By name; `None` where the host refuses it.
    ids: RefCell<Table<String, Option<u32>>>,
    certificates: RefCell<usize>,
}

impl Metrics {
    /// An empty set of metrics.
    pub(crate) fn new(proxy: ProxyHandle) -> Self {
        Self { proxy, ids: RefCell::default(), certificates: RefCell::default() }
    }

    /// Counts one.
    pub(crate) fn count(&self, name: &str) {
        if let Some(id) = self.id(MetricKind::Counter, name) {
            let _ = self.proxy.increment_metric(id, 1);
        }
    }

    /// Sets a gauge.
    pub(crate) fn set(&self, name: &str, value: u64) {
        if let Some(id) = self.id(MetricKind::Gauge, name) {
            let _ = self.proxy.record_metric(id, value);
        }
    }

    /// Records a value in a histogram.
    pub(crate) fn record(&self, name: &str, value: u64) {
        if let Some(id) = self.id(MetricKind::Histogram, name) {
            let _ = self.proxy.record_metric(id, value);
        }
    }

    /// Sets the gauge of a certificate's end of validity.
    pub(crate) fn set_not_after(&self, resolver: &str, main: &str, not_after: i64) {
        let (resolver, main) = (label(resolver).replace('.', "_"), label(main));
        let name = format!("certificate_not_after_seconds.resolver.{resolver}.certificate.{main}");
        let mut certificates = self.certificates.borrow_mut();
        if self.ids.borrow().get(name.as_str()).is_none() {
            if *certificates >= MAX_CERTIFICATES {
                return;
            }
            *certificates = certificates.saturating_add(1);
        }
        self.set(&name, u64::try_from(not_after).unwrap_or_default());
    }

    fn id(&self, kind: MetricKind, name: &str) -> Option<u32> {
        let mut ids = self.ids.borrow_mut();
        if let Some(id) = ids.get(name) {
            return *id;
        }
        if ids.len() >= MAX_NAMES {
            return None;
        }
        let id = self.proxy.define_metric(kind, &format!("envoy_autocert.{name}")).ok();
        ids.insert(name.to_owned(), id);
        id
    }
}

/// A text as a label's value: what would end the value, or break a name, becomes `_`.
pub(crate) fn label(text: &str) -> String {
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    text.bytes().take(MAX_LABEL).map(|byte| if safe(byte) { char::from(byte) } else { '_' }).collect()
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::proxy::fake::FakeProxy;

    #[test]
    fn a_metric_is_defined_once_and_kept() {
        let proxy = Rc::new(FakeProxy::default());
        let metrics = Metrics::new(proxy.clone());
        metrics.count("issuances");
        metrics.count("issuances");
        metrics.set("engine_active", 1);
        assert_eq!(proxy.metric("envoy_autocert.issuances"), Some(2));
        assert_eq!(proxy.metric("envoy_autocert.engine_active"), Some(1));
        assert_eq!(proxy.metric_count(), 2);
    }

    #[test]
    fn certificates_beyond_the_bound_get_no_gauge_and_known_ones_keep_theirs() {
        let proxy = Rc::new(FakeProxy::default());
        let metrics = Metrics::new(proxy.clone());
        for number in 0..MAX_CERTIFICATES + 50 {
            metrics.set_not_after("le", &format!("{number}.example"), 1);
        }
        metrics.set_not_after("le", "0.example", 2);
        assert_eq!(proxy.metric_count(), MAX_CERTIFICATES);
        let name = "envoy_autocert.certificate_not_after_seconds.resolver.le.certificate.0.example";
        assert_eq!(proxy.metric(name), Some(2));
    }

    #[test]
    fn the_number_of_names_is_bounded() {
        let proxy = Rc::new(FakeProxy::default());
        let metrics = Metrics::new(proxy.clone());
        for number in 0..MAX_NAMES + 50 {
            metrics.count(&number.to_string());
        }
        assert_eq!(proxy.metric_count(), MAX_NAMES);
    }

    #[test]
    fn a_label_has_no_character_that_breaks_a_name() {
        assert_eq!(label("*.example.com"), "_.example.com");
        assert_eq!(label("2001:db8::1"), "2001_db8__1");
        assert_eq!(label(&"é\n".repeat(1000)).len(), MAX_LABEL);
    }
}
