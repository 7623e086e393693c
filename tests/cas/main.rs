//! Other ACME servers than Pebble, really run: Caddy's, acme2certifier, acmeeh, django-ca, serles.
//!
//! One module a server, one test a behaviour. Each test has a network of its own.

mod acme2certifier;
mod acmeeh;
mod behaviours;
mod ca;
mod caddy;
mod django_ca;
mod proofs;
mod python;
mod scene;
mod serles;
