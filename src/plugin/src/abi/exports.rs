//! The functions Envoy calls. Only those that we do something in: each one more costs every request a call.
//!
//! The state is one [`Instance`] for the whole VM. Should the host ever call in while it runs, the inner call is
//! ignored. (`proxy_on_memory_allocate` does come during our calls out, and touches no state.)

// Exported names must not be mangled.
#![allow(unsafe_code)]

use std::cell::RefCell;
use std::rc::Rc;

use super::host::{self, Envoy};
use crate::instance::{Action, Instance};

thread_local! {
    static INSTANCE: RefCell<Instance> = RefCell::new(Instance::new(Rc::new(Envoy)));
}

/// Runs with the instance, unless it runs already.
fn with_instance<T>(otherwise: T, run: impl FnOnce(&mut Instance) -> T) -> T {
    INSTANCE.with(|instance| match instance.try_borrow_mut() {
        Ok(mut instance) => run(&mut instance),
        Err(_) => otherwise,
    })
}

unsafe extern "C" {
    /// What the linker collects to be run once at the start.
    fn __wasm_call_ctors();
}

/// Called once, before anything else. Without this function the linker takes the module for a command, and has every
/// other one run all constructors and destructors around itself.
#[unsafe(no_mangle)]
extern "C" fn _initialize() {
    // SAFETY: the host calls this once, and the constructors of the C library need nothing before them.
    unsafe { __wasm_call_ctors() };
}

/// Says which ABI this is; never called.
#[unsafe(no_mangle)]
extern "C" fn proxy_abi_version_0_2_1() {}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_memory_allocate(size: usize) -> *mut u8 {
    host::allocate(size)
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_vm_start(_context: u32, _configuration_size: usize) -> u32 {
    1
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_context_create(context: u32, parent: u32) {
    with_instance((), |instance| instance.create(context, parent));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_configure(context: u32, _size: usize) -> u32 {
    with_instance(false, |instance| instance.configure(context)).into()
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_tick(context: u32) {
    with_instance((), |instance| instance.tick(context));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_http_call_response(
    context: u32,
    token: u32,
    headers: usize,
    body_size: usize,
    _trailers: usize,
) {
    with_instance((), |instance| instance.answered(context, token, headers, body_size));
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_request_headers(context: u32, _headers: usize, _end_of_stream: u32) -> u32 {
    with_instance(Action::Continue, |instance| instance.request(context)) as u32
}

#[unsafe(no_mangle)]
extern "C" fn proxy_on_delete(context: u32) {
    with_instance((), |instance| instance.delete(context));
}
