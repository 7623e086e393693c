//! The module before anything runs: its imports, its exports, its memory.

use std::collections::BTreeSet;

use wasmi::ExternType;

use crate::envoy::{Process, Vm, bytes, module};
use crate::world::configuration;

/// The functions that a reference configuration's `capability_restriction_config` allows. `environ_get`,
/// `environ_sizes_get`, `fd_write` and `proc_exit` are those by which a module with Rust's own library, as rustup brings
/// it, tells of a panic.
const ALLOWED: [&str; 19] = [
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_write",
    "proc_exit",
    "proxy_define_metric",
    "proxy_get_buffer_bytes",
    "proxy_get_current_time_nanoseconds",
    "proxy_get_header_map_pairs",
    "proxy_get_header_map_value",
    "proxy_get_shared_data",
    "proxy_http_call",
    "proxy_increment_metric",
    "proxy_log",
    "proxy_record_metric",
    "proxy_send_local_response",
    "proxy_set_shared_data",
    "proxy_set_tick_period_milliseconds",
    "random_get",
];

#[test]
fn it_imports_nothing_that_the_reference_configuration_does_not_allow() {
    let imports = module().imports().map(|import| import.name()).collect::<BTreeSet<_>>();
    assert!(imports.is_subset(&BTreeSet::from(ALLOWED)), "{imports:?}");
}

/// The largest module, in bytes. V8's optimising compiler takes the whole module when Envoy starts, and Envoy's start
/// waits for it: what makes the module larger has to be worth that.
const MAX_SIZE: usize = 600 * 1024;

#[test]
fn the_module_is_small() {
    assert!(bytes().len() <= MAX_SIZE, "{} bytes", bytes().len());
}

#[test]
fn it_exports_a_reactor_of_abi_0_2_1_and_only_what_it_handles() {
    let exports = module().exports().filter(|export| matches!(export.ty(), ExternType::Func(_)));
    let exports = exports.map(|export| export.name().to_owned()).collect::<BTreeSet<_>>();
    let expected = [
        "_initialize",
        "proxy_abi_version_0_2_1",
        "proxy_on_configure",
        "proxy_on_context_create",
        "proxy_on_delete",
        "proxy_on_http_call_response",
        "proxy_on_memory_allocate",
        "proxy_on_request_headers",
        "proxy_on_tick",
        "proxy_on_vm_start",
    ];
    assert_eq!(exports.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn an_instance_at_rest_has_at_most_4_mib_of_memory() {
    let process = Process::default();
    let mut vm = Vm::start(&process);
    let root = vm.root(&configuration("responder", &["a.example"])).unwrap();
    vm.tick(root);
    assert!(vm.memory() <= 4 * 1024 * 1024, "{} bytes", vm.memory());
}
