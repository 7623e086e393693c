//! [`Proxy`] by Envoy's host calls. No other file calls the host.

// Three calls are not in the crate, or not whole.
#![allow(unsafe_code)]

use std::time::{Duration, UNIX_EPOCH};

use log::Level;
use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, LogLevel, MapType, MetricType};

use crate::proxy::{Buffer, MetricKind, Proxy, Status, Token};

/// The host, by its imported functions.
pub(super) struct Envoy;

/// The longest timeout that Envoy takes, in milliseconds.
const MAX_TIMEOUT: Duration = Duration::from_millis(i32::MAX.unsigned_abs() as u64);

/// No gRPC status in a local answer.
const NO_GRPC_STATUS: i32 = -1;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    /// Answers the request that is being decoded. The crate's `send_http_response` passes no `details`, which is what the
    /// access log shows of who answered.
    fn proxy_send_local_response(
        status: u32,
        details: *const u8,
        details_size: usize,
        body: *const u8,
        body_size: usize,
        headers: *const u8,
        headers_size: usize,
        grpc_status: i32,
    ) -> u32;
}

impl Proxy for Envoy {
    fn log(&self, level: Level, line: &str) {
        let level = match level {
            Level::Error => LogLevel::Error,
            Level::Warn => LogLevel::Warn,
            Level::Info => LogLevel::Info,
            Level::Debug => LogLevel::Debug,
            Level::Trace => LogLevel::Trace,
        };
        // A line that can't be written is lost, and nothing can be told.
        let _ = hostcalls::log(level, line);
    }

    fn wall_nanos(&self) -> Option<u64> {
        let since = hostcalls::get_current_time().ok()?.duration_since(UNIX_EPOCH).ok()?;
        u64::try_from(since.as_nanos()).ok()
    }

    fn monotonic_nanos(&self) -> Option<u64> {
        // SAFETY: the host writes eight bytes where the callee has them.
        unsafe { wasi::clock_time_get(wasi::CLOCKID_MONOTONIC, 0) }.ok()
    }

    fn random(&self, buffer: &mut [u8]) -> bool {
        // SAFETY: the host writes as many bytes as it is told.
        unsafe { wasi::random_get(buffer.as_mut_ptr(), buffer.len()) }.is_ok()
    }

    fn memory_bytes(&self) -> u64 {
        /// The size of a page of linear memory.
        const PAGE: u64 = 64 * 1024;
        u64::try_from(core::arch::wasm32::memory_size::<0>()).unwrap_or(u64::MAX).saturating_mul(PAGE)
    }

    fn set_tick_period(&self, milliseconds: u32) -> Result<(), Status> {
        hostcalls::set_tick_period(Duration::from_millis(milliseconds.into())).map_err(status)
    }

    fn call(&self, cluster: &str, headers: &[(&str, &str)], body: &[u8], timeout: Duration) -> Result<Token, Status> {
        let timeout = timeout.clamp(Duration::from_millis(1), MAX_TIMEOUT);
        hostcalls::dispatch_http_call(cluster, headers.to_vec(), Some(body), Vec::new(), timeout).map_err(status)
    }

    fn shared_data(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, Status> {
        // An empty value is told as none, with a number.
        Ok(match hostcalls::get_shared_data(key).map_err(status)? {
            (None, None) => None,
            (value, cas) => Some((value.unwrap_or_default(), cas.unwrap_or_default())),
        })
    }

    fn set_shared_data(&self, key: &str, value: &[u8], cas: u32) -> Result<(), Status> {
        hostcalls::set_shared_data(key, Some(value), Some(cas)).map_err(status)
    }

    fn buffer(&self, buffer: Buffer, limit: usize) -> Result<Vec<u8>, Status> {
        let kind = match buffer {
            Buffer::AnswerBody => BufferType::HttpCallResponseBody,
            Buffer::VmConfiguration => BufferType::VmConfiguration,
            Buffer::Configuration => BufferType::PluginConfiguration,
        };
        Ok(hostcalls::get_buffer(kind, 0, limit).map_err(status)?.unwrap_or_default())
    }

    fn answer_headers(&self) -> Result<Vec<(String, String)>, Status> {
        let headers = hostcalls::get_map_bytes(MapType::HttpCallResponseHeaders).map_err(status)?;
        let text = |value: Vec<u8>| String::from_utf8_lossy(&value).into_owned();
        Ok(headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), text(value))).collect())
    }

    fn request_header(&self, name: &str) -> Option<String> {
        let value = hostcalls::get_map_value_bytes(MapType::HttpRequestHeaders, name).ok()??;
        String::from_utf8(value).ok()
    }

    fn respond(&self, status: u16, headers: &[(&str, &str)], body: &[u8], details: &str) -> Result<(), Status> {
        let headers = serialized(headers);
        // SAFETY: the host only reads.
        let answered = unsafe {
            proxy_send_local_response(
                status.into(),
                details.as_ptr(),
                details.len(),
                body.as_ptr(),
                body.len(),
                headers.as_ptr(),
                headers.len(),
                NO_GRPC_STATUS,
            )
        };
        if answered == 0 { Ok(()) } else { Err(Status::InternalFailure) }
    }

    fn define_metric(&self, kind: MetricKind, name: &str) -> Result<u32, Status> {
        let kind = match kind {
            MetricKind::Counter => MetricType::Counter,
            MetricKind::Gauge => MetricType::Gauge,
            MetricKind::Histogram => MetricType::Histogram,
        };
        hostcalls::define_metric(kind, name).map_err(status)
    }

    fn increment_metric(&self, id: u32, by: i64) -> Result<(), Status> {
        hostcalls::increment_metric(id, by).map_err(status)
    }

    fn record_metric(&self, id: u32, value: u64) -> Result<(), Status> {
        hostcalls::record_metric(id, value).map_err(status)
    }
}

/// Statuses that the crate returns rather than panics on are all known here.
fn status(status: proxy_wasm::types::Status) -> Status {
    match status {
        proxy_wasm::types::Status::BadArgument => Status::BadArgument,
        proxy_wasm::types::Status::CasMismatch => Status::CasMismatch,
        proxy_wasm::types::Status::NotFound => Status::NotFound,
        _ => Status::InternalFailure,
    }
}

/// Header fields as bytes: a count, all lengths, then all names and values, each closed by a zero byte.
fn serialized(headers: &[(&str, &str)]) -> Vec<u8> {
    let length = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = length(headers.len()).to_vec();
    for (name, value) in headers {
        bytes.extend(length(name.len()));
        bytes.extend(length(value.len()));
    }
    for text in headers.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend(text.as_bytes());
        bytes.push(0);
    }
    bytes
}
