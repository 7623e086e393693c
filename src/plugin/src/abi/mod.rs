//! Envoy, by the `proxy-wasm` crate: the one room that knows it.
//!
//! - `contexts`: how Envoy's calls reach a [`Root`] and its streams.
//! - `host`: [`Proxy`](crate::proxy::Proxy) by the crate's host calls.
//!
//! The crate panics where a host answers something it does not expect, and a panic is a trap: a trapped VM on Envoy's
//! main thread never comes back. Nothing that a client, a CA or Envoy itself sends can cause one, for these reasons
//! (lines of proxy-wasm 0.2.5):
//!
//! - Header values need not be UTF-8. Only the crate's `_bytes` calls are used, which take them as they are
//!   (hostcalls.rs:183, 272). Header names are ASCII in Envoy.
//! - A callout that was reset has no answer. `get_map_value*` panics there (hostcalls.rs:295); `get_map_bytes`, the only
//!   call used on answers, is then told an empty map.
//! - Callbacks for requests that Envoy answers by itself may name contexts that were never made (dispatcher.rs, `invalid
//!   context_id`). They come from exports that this plugin has no use for, and `trim.awk` takes those out of the module:
//!   what is left comes only after `proxy_on_context_create`.
//! - `proxy_set_effective_context`, with which the crate begins each answer to a callout (dispatcher.rs:417-425), fails
//!   where `capability_restriction_config` does not list it, and lists written for this plugin have had no reason to.
//!   The call changes nothing, as Envoy calls with that context already. `trim.awk` makes it a function that succeeds.
//!
//! Traps that only a broken host can cause, or a list of capabilities shorter than `render` writes, are listed in
//! `tests/abi/hostile.rs` with the crate's lines.

// The entry point's name must not be mangled.
#![allow(unsafe_code)]
#![allow(missing_docs, unreachable_pub, reason = "the macro's function")]

mod contexts;
mod host;

use std::rc::Rc;

use proxy_wasm::traits::RootContext;

use self::host::Envoy;
use crate::proxy::ProxyHandle;
use crate::root::Root;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| -> Box<dyn RootContext> {
        let envoy: ProxyHandle = Rc::new(Envoy);
        Box::new(Root::new(envoy))
    });
}}
