//! The host functions, as Envoy has them (proxy-wasm-cpp-host), for those that the plugin may use.

use wasmi::{Caller, Error, Extern, Linker};

use super::{Answer, Callout, Outcome, START, VmState};

const OK: u32 = 0;
const NOT_FOUND: u32 = 1;
/// Envoy's answer to a callout to an unknown cluster.
pub(crate) const BAD_ARGUMENT: u32 = 2;
const INVALID_MEMORY_ACCESS: u32 = 6;
const CAS_MISMATCH: u32 = 8;
/// Envoy's answer to a callout to a cluster without a healthy host, and for a function that
/// `capability_restriction_config` does not allow.
pub(crate) const INTERNAL_FAILURE: u32 = 10;

type Host<'a> = Caller<'a, VmState>;

/// Defines them all.
pub(super) fn define(linker: &mut Linker<VmState>) {
    define_context(linker).expect("no name twice");
    define_shared_data(linker).expect("no name twice");
    define_http(linker).expect("no name twice");
    define_metrics(linker).expect("no name twice");
    define_wasi(linker).expect("no name twice");
}

fn define_context(linker: &mut Linker<VmState>) -> Result<(), Error> {
    linker.func_wrap("env", "proxy_log", |host: Host<'_>, level: u32, text: u32, size: u32| {
        let Some(text) = read(&host, text, size) else { return INVALID_MEMORY_ACCESS };
        let line = String::from_utf8(text).expect("log lines are text");
        assert!(!line.contains('\n'), "a log entry is one line: {line}");
        host.data().process.with(|process| process.log.push((level, line)));
        OK
    })?;
    linker.func_wrap("env", "proxy_set_tick_period_milliseconds", |mut host: Host<'_>, period: u32| {
        let context = host.data().context;
        host.data_mut().ticks.insert(context, period);
        OK
    })?;
    linker.func_wrap("env", "proxy_get_current_time_nanoseconds", |mut host: Host<'_>, time: u32| {
        let wall = host.data().process.with(|process| (START + process.now).saturating_add_signed(process.wall_ahead));
        write(&mut host, time, &(wall * 1_000_000).to_le_bytes())
    })?;
    linker.func_wrap(
        "env",
        "proxy_get_buffer_bytes",
        |mut host: Host<'_>, kind: u32, start: u32, size: u32, data: u32, data_size: u32| {
            let buffer = match kind {
                4 => host.data().answer.body.clone(),
                6 => host.data().vm_configuration.clone(),
                7 => host.data().configuration.clone(),
                _ => return NOT_FOUND,
            };
            let start = usize::try_from(start).unwrap().min(buffer.len());
            let end = start.saturating_add(usize::try_from(size).unwrap()).min(buffer.len());
            give(&mut host, &buffer[start..end], data, data_size)
        },
    )?;
    Ok(())
}

fn define_shared_data(linker: &mut Linker<VmState>) -> Result<(), Error> {
    linker.func_wrap(
        "env",
        "proxy_get_shared_data",
        |mut host: Host<'_>, key: u32, key_size: u32, value: u32, value_size: u32, cas: u32| {
            let Some(key) = read_text(&host, key, key_size) else { return INVALID_MEMORY_ACCESS };
            let found = host.data().process.with(|process| process.shared.get(&key).cloned());
            let Some((found, number)) = found else { return NOT_FOUND };
            give(&mut host, &found, value, value_size);
            write(&mut host, cas, &number.to_le_bytes())
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_shared_data",
        |host: Host<'_>, key: u32, key_size: u32, value: u32, value_size: u32, cas: u32| {
            let Some(key) = read_text(&host, key, key_size) else { return INVALID_MEMORY_ACCESS };
            let Some(value) = read(&host, value, value_size) else { return INVALID_MEMORY_ACCESS };
            assert!(key.starts_with("envoy-autocert/"), "keys are prefixed: {key}");
            host.data().process.with(|process| {
                if cas != 0 && process.shared.get(&key).is_some_and(|(_, current)| *current != cas) {
                    return CAS_MISMATCH;
                }
                process.last_cas += 1;
                process.shared.insert(key, (value, process.last_cas));
                OK
            })
        },
    )?;
    Ok(())
}

fn define_http(linker: &mut Linker<VmState>) -> Result<(), Error> {
    linker.func_wrap("env", "proxy_http_call", http_call)?;
    linker.func_wrap("env", "proxy_get_header_map_pairs", |mut host: Host<'_>, kind: u32, data: u32, size: u32| {
        assert_eq!(kind, 6, "only a callout's answer is read as a whole");
        let Answer { headers, raw_headers, .. } = &host.data().answer;
        let text = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let raw = raw_headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
        let pairs = encode(&text.chain(raw).collect::<Vec<_>>());
        give(&mut host, &pairs, data, size)
    })?;
    linker.func_wrap(
        "env",
        "proxy_get_header_map_value",
        |mut host: Host<'_>, kind: u32, name: u32, name_size: u32, value: u32, value_size: u32| {
            assert_eq!(kind, 0, "only of a request single headers are read");
            let Some(name) = read_text(&host, name, name_size) else { return INVALID_MEMORY_ACCESS };
            let found = host.data().request.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone());
            match found {
                Some(found) => give(&mut host, &found, value, value_size),
                None => NOT_FOUND,
            }
        },
    )?;
    linker.func_wrap("env", "proxy_send_local_response", send_local_response)?;
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "the ABI has them")]
fn http_call(
    mut host: Host<'_>,
    cluster: u32,
    cluster_size: u32,
    headers: u32,
    headers_size: u32,
    body: u32,
    body_size: u32,
    trailers: u32,
    trailers_size: u32,
    timeout: u32,
    token_at: u32,
) -> u32 {
    let Some(cluster) = read_text(&host, cluster, cluster_size) else { return INVALID_MEMORY_ACCESS };
    let Some(headers) = read(&host, headers, headers_size) else { return INVALID_MEMORY_ACCESS };
    let Some(body) = read(&host, body, body_size) else { return INVALID_MEMORY_ACCESS };
    let Some(trailers) = read(&host, trailers, trailers_size) else { return INVALID_MEMORY_ACCESS };
    let headers = decode(&headers);
    assert_eq!(decode(&trailers), []);
    assert!(timeout > 0 && i32::try_from(timeout).is_ok(), "each callout has a timeout that Envoy takes: {timeout}");
    if let Some(status) = host.data().process.with(|process| process.dispatch.get(&cluster).copied()) {
        return status;
    }
    for needed in [":method", ":path", ":authority"] {
        if !headers.iter().any(|(name, _)| name == needed) {
            return BAD_ARGUMENT;
        }
    }
    let token = host.data().next_token;
    let context = host.data().context;
    host.data_mut().next_token += 1;
    host.data_mut().callouts.push(Callout { context, token, cluster, headers, body, timeout });
    write(&mut host, token_at, &token.to_le_bytes())
}

#[expect(clippy::too_many_arguments, reason = "the ABI has them")]
fn send_local_response(
    mut host: Host<'_>,
    status: u32,
    details: u32,
    details_size: u32,
    body: u32,
    body_size: u32,
    headers: u32,
    headers_size: u32,
    grpc_status: i32,
) -> u32 {
    let Some(details) = read_text(&host, details, details_size) else { return INVALID_MEMORY_ACCESS };
    let Some(body) = read_text(&host, body, body_size) else { return INVALID_MEMORY_ACCESS };
    let Some(headers) = read(&host, headers, headers_size) else { return INVALID_MEMORY_ACCESS };
    assert_eq!(grpc_status, -1);
    host.data_mut().response = Some(Outcome::Answered { status, details, headers: decode(&headers), body });
    OK
}

fn define_metrics(linker: &mut Linker<VmState>) -> Result<(), Error> {
    linker.func_wrap(
        "env",
        "proxy_define_metric",
        |mut host: Host<'_>, kind: u32, name: u32, size: u32, id: u32| {
            let Some(name) = read_text(&host, name, size) else { return INVALID_MEMORY_ACCESS };
            let number = host.data().process.with(|process| {
                process.metrics.push((kind, name));
                u32::try_from(process.metrics.len()).unwrap()
            });
            write(&mut host, id, &number.to_le_bytes())
        },
    )?;
    linker.func_wrap("env", "proxy_increment_metric", |host: Host<'_>, id: u32, by: i64| {
        change_metric(&host, id, |value| value + by)
    })?;
    linker.func_wrap("env", "proxy_record_metric", |host: Host<'_>, id: u32, value: u64| {
        change_metric(&host, id, |_| i64::try_from(value).unwrap())
    })?;
    Ok(())
}

fn change_metric(host: &Host<'_>, id: u32, change: impl FnOnce(i64) -> i64) -> u32 {
    host.data().process.with(|process| {
        let index = usize::try_from(id).unwrap().wrapping_sub(1);
        let Some((_, name)) = process.metrics.get(index) else { return NOT_FOUND };
        let value = process.values.entry(name.clone()).or_default();
        *value = change(*value);
        OK
    })
}

fn define_wasi(linker: &mut Linker<VmState>) -> Result<(), Error> {
    const WASI: &str = "wasi_snapshot_preview1";
    linker.func_wrap(WASI, "random_get", |mut host: Host<'_>, buffer: u32, size: u32| {
        if refused(&host, "random_get") {
            return INTERNAL_FAILURE;
        }
        let bytes = host.data().process.with(|process| {
            // SplitMix64, so that a run can be repeated.
            std::iter::repeat_with(|| {
                process.random = process.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let number = (process.random ^ (process.random >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                (number >> 40).to_le_bytes()[0]
            })
            .take(usize::try_from(size).unwrap())
            .collect::<Vec<u8>>()
        });
        write(&mut host, buffer, &bytes)
    })?;
    linker.func_wrap(WASI, "clock_time_get", |mut host: Host<'_>, clock: u32, _precision: u64, time: u32| {
        if refused(&host, "clock_time_get") {
            return INTERNAL_FAILURE;
        }
        assert_eq!(clock, 1, "the monotonic clock");
        let now = host.data().process.with(|process| process.now);
        write(&mut host, time, &(now * 1_000_000).to_le_bytes())
    })?;
    linker.func_wrap(WASI, "environ_sizes_get", |mut host: Host<'_>, count: u32, size: u32| {
        write(&mut host, count, &[0; 4]);
        write(&mut host, size, &[0; 4])
    })?;
    linker.func_wrap(WASI, "environ_get", |_: Host<'_>, _: u32, _: u32| OK)?;
    linker.func_wrap(WASI, "fd_write", |host: Host<'_>, _: u32, vectors: u32, count: u32, _: u32| {
        // Only a panic writes here.
        let text = (0..count).filter_map(|index| {
            let vector = read(&host, vectors + 8 * index, 8)?;
            let number = |at: usize| u32::from_le_bytes(vector[at..at + 4].try_into().unwrap());
            read_text(&host, number(0), number(4))
        });
        let text = text.collect::<String>();
        host.data().process.with(|process| process.log.push((4, format!("stderr: {text}"))));
        OK
    })?;
    linker.func_wrap(WASI, "proc_exit", |_: Host<'_>, code: u32| -> Result<(), Error> {
        Err(Error::new(format!("the module exits with {code}")))
    })?;
    Ok(())
}

fn refused(host: &Host<'_>, name: &str) -> bool {
    host.data().process.with(|process| process.refused.contains(&name))
}

fn memory(host: &Host<'_>) -> wasmi::Memory {
    host.get_export("memory").and_then(Extern::into_memory).expect("the module has a memory")
}

fn read(host: &Host<'_>, at: u32, size: u32) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(size).unwrap()];
    memory(host).read(host, usize::try_from(at).unwrap(), &mut bytes).ok()?;
    Some(bytes)
}

fn read_text(host: &Host<'_>, at: u32, size: u32) -> Option<String> {
    Some(String::from_utf8(read(host, at, size)?).expect("text"))
}

fn write(host: &mut Host<'_>, at: u32, bytes: &[u8]) -> u32 {
    let memory = memory(host);
    match memory.write(host, usize::try_from(at).unwrap(), bytes) {
        Ok(()) => OK,
        Err(_) => INVALID_MEMORY_ACCESS,
    }
}

/// Hands a value over in memory that the module allocates.
fn give(host: &mut Host<'_>, bytes: &[u8], data: u32, size: u32) -> u32 {
    let length = u32::try_from(bytes.len()).unwrap();
    let mut at = 0;
    if length > 0 {
        let allocate = host.get_export("proxy_on_memory_allocate").and_then(Extern::into_func).unwrap();
        let allocate = allocate.typed::<u32, u32>(&*host).unwrap();
        at = allocate.call(&mut *host, length).expect("allocating does not trap");
        if at == 0 || write(host, at, bytes) != OK {
            return INVALID_MEMORY_ACCESS;
        }
    }
    write(host, data, &at.to_le_bytes());
    write(host, size, &length.to_le_bytes())
}

fn encode(pairs: &[(&str, &[u8])]) -> Vec<u8> {
    if pairs.is_empty() {
        return Vec::new();
    }
    let mut bytes = u32::try_from(pairs.len()).unwrap().to_le_bytes().to_vec();
    for (name, value) in pairs {
        bytes.extend(u32::try_from(name.len()).unwrap().to_le_bytes());
        bytes.extend(u32::try_from(value.len()).unwrap().to_le_bytes());
    }
    for (name, value) in pairs {
        bytes.extend(name.bytes().chain([0]).chain(value.iter().copied()).chain([0]));
    }
    bytes
}

fn decode(bytes: &[u8]) -> Vec<(String, String)> {
    let number = |at: usize| usize::try_from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())).unwrap();
    let count = number(0);
    let mut at = 4 + 8 * count;
    let mut text = |length: usize| {
        let text = str::from_utf8(&bytes[at..at + length]).unwrap().to_owned();
        assert_eq!(bytes[at + length], 0);
        at += length + 1;
        text
    };
    (0..count).map(|pair| (text(number(4 + 8 * pair)), text(number(8 + 8 * pair)))).collect()
}
