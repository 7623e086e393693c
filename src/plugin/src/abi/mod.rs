//! The proxy-wasm ABI 0.2.1, as far as we use it.
//!
//! This is our own thin layer instead of the `proxy-wasm` crate, for one reason: that crate panics where the host
//! answers something it did not expect (an unknown or repeated callout token, a status beyond its list, a call during a
//! call). A panic is a trap, and a trapped VM on Envoy's main thread never comes back. Here every status is a value,
//! and whatever names a context or a callout that we do not know is ignored.
//!
//! - [`pairs`]: header maps as bytes.
//! - `host`: the functions Envoy gives us; the only file that calls them.
//! - `exports`: the functions Envoy calls.
//!
//! The specification: <https://github.com/proxy-wasm/spec/tree/main/abi-versions/v0.2.1>. Where it is silent, Envoy's
//! behaviour (proxy-wasm-cpp-host) counts.

#[cfg(target_family = "wasm")]
mod exports;
#[cfg(target_family = "wasm")]
mod host;
mod pairs;
