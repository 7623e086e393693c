//! The functions Envoy gives us. No other file calls the host.
//!
//! Ownership: a value that the host returns lies in memory that it asked of our `proxy_on_memory_allocate` during the
//! call; from then on it is ours, as a boxed slice of just that size.

// Every call to the host is foreign.
#![allow(unsafe_code)]

use std::ptr::null_mut;
use std::time::Duration;

use super::pairs;
use crate::proxy::{Buffer, Level, MetricKind, Proxy, Status, Token};

/// The host, by its imported functions.
pub(super) struct Envoy;

/// `proxy_map_type_t`: the headers of the request that is being decoded.
const REQUEST_HEADERS: u32 = 0;
/// `proxy_map_type_t`: the headers of a callout's answer.
const ANSWER_HEADERS: u32 = 6;
/// `wasi_clock_id_t`: the monotonic clock.
const MONOTONIC: u32 = 1;
/// No gRPC status in a local answer.
const NO_GRPC_STATUS: i32 = -1;

#[link(wasm_import_module = "env")]
unsafe extern "C" {
    fn proxy_log(level: u32, text: *const u8, size: usize) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_http_call(
        cluster: *const u8,
        cluster_size: usize,
        headers: *const u8,
        headers_size: usize,
        body: *const u8,
        body_size: usize,
        trailers: *const u8,
        trailers_size: usize,
        timeout_milliseconds: u32,
        token: *mut u32,
    ) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        value: *mut *mut u8,
        value_size: *mut usize,
        cas: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(key: *const u8, key_size: usize, value: *const u8, value_size: usize, cas: u32) -> u32;
    fn proxy_get_buffer_bytes(kind: u32, start: usize, size: usize, data: *mut *mut u8, data_size: *mut usize) -> u32;
    fn proxy_get_header_map_pairs(kind: u32, data: *mut *mut u8, data_size: *mut usize) -> u32;
    fn proxy_get_header_map_value(
        kind: u32,
        name: *const u8,
        name_size: usize,
        value: *mut *mut u8,
        value_size: *mut usize,
    ) -> u32;
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
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, by: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
}

#[link(wasm_import_module = "wasi_snapshot_preview1")]
unsafe extern "C" {
    fn random_get(buffer: *mut u8, size: usize) -> u32;
    fn clock_time_get(clock: u32, precision: u64, time: *mut u64) -> u32;
}

impl Proxy for Envoy {
    fn log(&self, level: Level, line: &str) {
        // SAFETY: the host only reads the text. A log line that can't be written is lost, and nothing can be told.
        let _ = unsafe { proxy_log(level as u32, line.as_ptr(), line.len()) };
    }

    fn wall_nanos(&self) -> Option<u64> {
        let mut time = 0;
        // SAFETY: the host writes eight bytes.
        ok(unsafe { proxy_get_current_time_nanoseconds(&mut time) }).ok().map(|()| time)
    }

    fn monotonic_nanos(&self) -> Option<u64> {
        let mut time = 0;
        // SAFETY: the host writes eight bytes.
        ok(unsafe { clock_time_get(MONOTONIC, 0, &mut time) }).ok().map(|()| time)
    }

    fn random(&self, buffer: &mut [u8]) -> bool {
        // SAFETY: the host writes as many bytes as it is told.
        unsafe { random_get(buffer.as_mut_ptr(), buffer.len()) == 0 }
    }

    fn memory_bytes(&self) -> u64 {
        /// The size of a page of linear memory.
        const PAGE: u64 = 64 * 1024;
        u64::try_from(core::arch::wasm32::memory_size::<0>()).unwrap_or(u64::MAX).saturating_mul(PAGE)
    }

    fn set_tick_period(&self, milliseconds: u32) -> Result<(), Status> {
        // SAFETY: no memory is passed.
        ok(unsafe { proxy_set_tick_period_milliseconds(milliseconds) })
    }

    fn call(&self, cluster: &str, headers: &[(&str, &str)], body: &[u8], timeout: Duration) -> Result<Token, Status> {
        let headers = pairs::encode(headers);
        let trailers = pairs::encode(&[]);
        let timeout = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX).clamp(1, i32::MAX.unsigned_abs());
        let mut token = 0;
        // SAFETY: the host only reads what it is given, and writes the token's four bytes.
        ok(unsafe {
            proxy_http_call(
                cluster.as_ptr(),
                cluster.len(),
                headers.as_ptr(),
                headers.len(),
                body.as_ptr(),
                body.len(),
                trailers.as_ptr(),
                trailers.len(),
                timeout,
                &mut token,
            )
        })?;
        Ok(token)
    }

    fn shared_data(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, Status> {
        let (mut value, mut size, mut cas) = (null_mut(), 0, 0);
        // SAFETY: the host reads the key, and writes a pointer, a size and a number.
        match ok(unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), &mut value, &mut size, &mut cas) }) {
            Ok(()) => Ok(Some((taken(value, size), cas))),
            Err(Status::NOT_FOUND) => Ok(None),
            Err(status) => Err(status),
        }
    }

    fn set_shared_data(&self, key: &str, value: &[u8], cas: u32) -> Result<(), Status> {
        // SAFETY: the host only reads.
        ok(unsafe { proxy_set_shared_data(key.as_ptr(), key.len(), value.as_ptr(), value.len(), cas) })
    }

    fn buffer(&self, buffer: Buffer, limit: usize) -> Result<Vec<u8>, Status> {
        let (mut data, mut size) = (null_mut(), 0);
        // SAFETY: the host writes a pointer and a size.
        match ok(unsafe { proxy_get_buffer_bytes(buffer as u32, 0, limit, &mut data, &mut size) }) {
            Ok(()) => Ok(taken(data, size)),
            Err(Status::NOT_FOUND) => Ok(Vec::new()),
            Err(status) => Err(status),
        }
    }

    fn answer_headers(&self) -> Result<Vec<(String, String)>, Status> {
        let (mut data, mut size) = (null_mut(), 0);
        // SAFETY: the host writes a pointer and a size.
        ok(unsafe { proxy_get_header_map_pairs(ANSWER_HEADERS, &mut data, &mut size) })?;
        Ok(pairs::decode(&taken(data, size)).unwrap_or_default())
    }

    fn request_header(&self, name: &str) -> Option<String> {
        let (mut value, mut size) = (null_mut(), 0);
        // SAFETY: the host reads the name, and writes a pointer and a size.
        ok(unsafe { proxy_get_header_map_value(REQUEST_HEADERS, name.as_ptr(), name.len(), &mut value, &mut size) })
            .ok()?;
        String::from_utf8(taken(value, size)).ok()
    }

    fn respond(&self, status: u16, headers: &[(&str, &str)], body: &[u8], details: &str) -> Result<(), Status> {
        let headers = pairs::encode(headers);
        // SAFETY: the host only reads.
        ok(unsafe {
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
        })
    }

    fn define_metric(&self, kind: MetricKind, name: &str) -> Result<u32, Status> {
        let mut id = 0;
        // SAFETY: the host reads the name and writes four bytes.
        ok(unsafe { proxy_define_metric(kind as u32, name.as_ptr(), name.len(), &mut id) })?;
        Ok(id)
    }

    fn increment_metric(&self, id: u32, by: i64) -> Result<(), Status> {
        // SAFETY: no memory is passed.
        ok(unsafe { proxy_increment_metric(id, by) })
    }

    fn record_metric(&self, id: u32, value: u64) -> Result<(), Status> {
        // SAFETY: no memory is passed.
        ok(unsafe { proxy_record_metric(id, value) })
    }
}

/// Memory for a value that the host is about to hand over; null when there is none left.
pub(super) fn allocate(size: usize) -> *mut u8 {
    let mut memory = Vec::new();
    if memory.try_reserve_exact(size).is_err() {
        return null_mut();
    }
    memory.resize(size, 0_u8);
    Box::into_raw(memory.into_boxed_slice()).cast()
}

fn ok(status: u32) -> Result<(), Status> {
    if status == 0 { Ok(()) } else { Err(Status(status)) }
}

/// Takes over what the host put into memory from [`allocate`].
fn taken(data: *mut u8, size: usize) -> Vec<u8> {
    if data.is_null() || size == 0 {
        return Vec::new();
    }
    // SAFETY: the host returns memory it asked of `allocate` for just this size during this very call.
    unsafe { Vec::from_raw_parts(data, size, size) }
}
