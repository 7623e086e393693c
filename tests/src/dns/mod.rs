//! The DNS servers in which challenges become records: BIND, Knot and PowerDNS as Debian has them, and small services
//! of the tests' own that speak what lego's `acme-dns`, `httpreq` and `exec` speak.
//!
//! All listen on the loopback at ports chosen at run time and know only their own records: no question leaves the
//! machine. [`texts`] asks any of them. Each ends when dropped.

mod acme_dns;
mod background;
mod bind;
mod httpreq;
mod knot;
mod powerdns;
mod query;
mod script;
mod zone;

pub use acme_dns::AcmeDns;
pub use bind::Bind;
pub use httpreq::HttpReq;
pub use knot::Knot;
pub use powerdns::PowerDns;
pub use query::{notify, serial, texts};
pub use script::Script;
pub use zone::{ALGORITHMS, Key, Zone};
