//! The metrics for Prometheus. No label or value is a secret.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{Method, StatusCode};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::health::{Envoy, Report};
use dns01::Solver;
use sds;
use storage::{DiskStatus, StorageStatus, Store};

/// The prefix of every metric's name.
const PREFIX: &str = "envoy_autocert";

/// All metrics.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    report: Arc<Mutex<Option<Report>>>,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    path: String,
    status: u16,
}

impl Metrics {
    /// Creates the metrics of this store, this SDS server and this solver of DNS-01 challenges.
    pub fn new(store: Arc<dyn Store>, sds: Arc<sds::Status>, solver: Solver) -> Self {
        let mut registry = Registry::with_prefix(PREFIX);
        let requests = Family::<RequestLabels, Counter>::default();
        registry.register("api_requests", "Requests to the API by method, path and status", requests.clone());
        let report = Arc::<Mutex<Option<Report>>>::default();
        registry.register_collector(Box::new(Sources { store, sds, solver, report: report.clone() }));
        Self { registry, requests, report }
    }

    /// Counts an answered request.
    pub fn count_request(&self, method: &Method, path: String, status: StatusCode) {
        // Other methods are arbitrary text from the client.
        let known = [Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::HEAD];
        let method = if known.contains(method) { method.as_str() } else { "other" }.to_owned();
        self.requests.get_or_create(&RequestLabels { method, path, status: status.as_u16() }).inc();
    }

    /// All metrics in the OpenMetrics text format; `report` supplies those that `/status` shows as well.
    pub fn text(&self, report: Report) -> String {
        *self.report.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
        let mut text = String::new();
        // Writing to a String can't fail; the collector below passes on nothing else.
        match prometheus_client::encoding::text::encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(fmt::Error) => String::new(),
        }
    }
}

/// Collects the values counted elsewhere.
struct Sources {
    store: Arc<dyn Store>,
    sds: Arc<sds::Status>,
    solver: Solver,
    report: Arc<Mutex<Option<Report>>>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sources")
    }
}

impl Collector for Sources {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        if let Some(report) = &*self.report.lock().unwrap_or_else(PoisonError::into_inner) {
            certificates(&mut encoder, report)?;
            health(&mut encoder, report)?;
        }
        self.storage(&mut encoder)?;
        self.engine(&mut encoder)?;
        self.sds(&mut encoder)?;
        let help = "TXT records of challenges that are set, or are still to be removed";
        gauge(&mut encoder, "dns_records", help, as_i64(self.solver.records()))
    }
}

impl Sources {
    fn storage(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let storages = self.store.storages();
        let saves = by_path(&storages, |disk| ConstCounter::new(disk.saves));
        family(encoder, "storage_saves", "Writes of a storage that succeeded", &saves)?;
        let failures = by_path(&storages, |disk| ConstCounter::new(disk.failures));
        family(encoder, "storage_save_failures", "Writes of a storage that failed", &failures)?;
        let seconds = by_path(&storages, |disk| ConstGauge::new(disk.last_save.as_secs_f64()));
        family(encoder, "storage_last_save_duration_seconds", "How long the last write took", &seconds)?;
        let writable = by_path(&storages, |disk| ConstGauge::new(i64::from(disk.error.is_none())));
        family(encoder, "storage_writable", "Whether the last write succeeded: 1 or 0", &writable)
    }

    fn engine(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let lease = self.store.lease();
        let present = i64::from(lease.holder.is_some());
        gauge(encoder, "engine_present", "Whether an engine holds the lease: 1 or 0", present)?;
        let Some(age) = lease.heartbeat_age else { return Ok(()) };
        gauge(encoder, "engine_heartbeat_age_seconds", "Since the engine was last heard of", age.as_secs_f64())
    }

    fn sds(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let sds = self.sds.snapshot();
        gauge(encoder, "sds_streams", "Open SDS and ADS streams", as_i64(sds.streams))?;
        counter(encoder, "sds_pushes", "Responses sent to Envoys", sds.pushes)?;
        counter(encoder, "sds_rejections", "Responses that Envoys rejected", sds.rejections)?;
        let help = "Secrets that an Envoy rejected and has not accepted since";
        gauge(encoder, "sds_rejected_secrets", help, as_i64(sds.rejected.len()))
    }
}

fn certificates(encoder: &mut DescriptorEncoder<'_>, report: &Report) -> fmt::Result {
    let counts = report.certificates.counts;
    let states = [("expired", counts.expired), ("expiring", counts.expiring), ("valid", counts.valid)];
    let states = states.map(|(state, count)| ([("state", state)], as_i64(count)));
    let help = "Certificates from a CA by state; expiring ones have less than a day left";
    gauges(encoder, "certificates", help, &states)?;
    let help = "Certificates that could not be got or renewed the last time; /status says why";
    gauge(encoder, "certificates_failing", help, as_i64(counts.failing))?;
    let help = "Certificates whose order waits for a rate limit; /status says until when";
    gauge(encoder, "certificates_waiting", help, as_i64(counts.waiting))?;
    let help = "Certificates that an Envoy rejected or that were not served: the last good one is served instead";
    gauge(encoder, "certificates_rolled_back", help, as_i64(counts.rolled_back))?;
    let help = "Certificates that their CA revoked, as its list says, and that are not replaced yet";
    gauge(encoder, "certificates_revoked", help, as_i64(counts.revoked))?;
    let help = "Certificates near their end whose renewal is in memory alone, as the storage can't be written";
    gauge(encoder, "certificates_unsaved", help, as_i64(counts.unsaved))?;
    // Certificates may share a main name, and a series must be unique: the earliest end counts.
    let mut ends: BTreeMap<_, i64> = BTreeMap::new();
    for certificate in &report.stored {
        let main = certificate.names.first().map_or("", String::as_str);
        let labels = [("resolver", certificate.resolver.as_str()), ("main", main)];
        let end = ends.entry(labels).or_insert(certificate.not_after);
        *end = certificate.not_after.min(*end);
    }
    let ends: Vec<_> = ends.into_iter().collect();
    gauges(encoder, "certificate_not_after_seconds", "When a certificate expires, seconds since 1970", &ends)
}

fn health(encoder: &mut DescriptorEncoder<'_>, report: &Report) -> fmt::Result {
    gauge(encoder, "ready", "Whether the sidecar does what it should: 1 or 0", i64::from(report.ready))?;
    let help = "Rounds of requests sent through Envoy to wake an engine that was silent";
    counter(encoder, "watchdog_wakes", help, report.engine.wakes)?;
    let counts = report.deployments;
    let outcomes = [
        ("accepted", counts.accepted),
        ("rejected", counts.rejected),
        ("served", counts.served),
        ("unserved", counts.unserved),
        ("unverifiable", counts.unverifiable),
    ];
    let outcomes = outcomes.map(|(outcome, count)| ([("outcome", outcome)], ConstCounter::new(count)));
    family(encoder, "deployments", "New certificates by what became of their deployment", &outcomes)?;
    if let Some(reload) = &report.configuration {
        let help = "Whether the configuration that was read last is in force: 1, or 0 when it was refused";
        gauge(encoder, "config_last_reload_success", help, i64::from(reload.refused.is_none()))?;
        let help = "When the configuration that is in force was taken, seconds since 1970";
        gauge(encoder, "config_last_reload_success_timestamp_seconds", help, reload.taken_at)?;
    }
    let help = "CAs that Envoy can't reach, as run knows; /status says why";
    gauge(encoder, "cas_unreachable", help, as_i64(report.unreachable_cas.len()))?;
    let refusals = report.refusals.map(|(door, count)| ([("door", door)], ConstCounter::new(count)));
    family(
        encoder,
        "token_refusals",
        "Requests and SDS streams that were refused for want of a good token",
        &refusals,
    )?;
    let lists = &report.revocation_lists;
    let outcomes = [("failed", lists.failed), ("read", lists.read)];
    let outcomes = outcomes.map(|(outcome, count)| ([("outcome", outcome)], ConstCounter::new(count)));
    family(encoder, "revocation_lists", "Revocation lists that were fetched, by what became of it", &outcomes)?;
    let at = |envoy: &Envoy| envoy.last_rejection.as_ref().map(|rejected| rejected.at);
    let rejections: Vec<_> =
        report.envoys.iter().filter_map(|envoy| Some(([("node", envoy.node.as_str())], at(envoy)?))).collect();
    let help = "When an Envoy that is connected rejected a secret last, seconds since 1970";
    gauges(encoder, "sds_last_rejection_seconds", help, &rejections)
}

fn counter(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: u64) -> fmt::Result {
    let metric = ConstCounter::new(value);
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

fn gauge<N>(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: N) -> fmt::Result
where
    ConstGauge<N>: EncodeMetric,
{
    let metric = ConstGauge::new(value);
    metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)
}

fn gauges<const L: usize>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    values: &[([(&str, &str); L], i64)],
) -> fmt::Result {
    let gauges: Vec<_> = values.iter().map(|(labels, value)| (*labels, ConstGauge::new(*value))).collect();
    family(encoder, name, help, &gauges)
}

/// Metrics of one name, told apart by their labels.
fn family<const L: usize, M: EncodeMetric>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    metrics: &[([(&str, &str); L], M)],
) -> fmt::Result {
    let Some((_, first)) = metrics.first() else { return Ok(()) };
    let mut family = encoder.encode_descriptor(name, help, None, first.metric_type())?;
    for (labels, metric) in metrics {
        metric.encode(family.encode_family(labels)?)?;
    }
    Ok(())
}

fn by_path<M>(storages: &[StorageStatus], metric: impl Fn(&DiskStatus) -> M) -> Vec<([(&str, &str); 1], M)> {
    storages.iter().map(|storage| ([("path", storage.place.as_str())], metric(&storage.disk))).collect()
}

fn as_i64(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
