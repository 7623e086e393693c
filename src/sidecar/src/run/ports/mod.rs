//! The ports that Envoy is to listen on: whether they are free, before Envoy is started.
//!
//! Envoy listens with SO_REUSEPORT, so that two of one user come up on the same port, and each gets a part of the
//! connections: nobody is told, and every other request goes to the wrong one.
//!
//! Promises: each port is tried as Envoy would listen but without that option, with the rights that Envoy gets, for a
//! moment, and without taking a connection. Connections that still end are in nobody's way. Who holds a port is named.
//! Refuses: to keep the port until Envoy has it. Two that start in the very same moment see each other when they are up.

pub(super) mod refusal;

mod port;

use std::ffi::CString;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr};
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::RunError;
use crate::holder::{Holder, OURS, Process, Protocol, overlap, sharing};
use crate::privileges;
pub use port::Port;
pub use refusal::{Refusal, Why};

/// How long an Envoy may take to end whose `run` was killed: it is told to by the kernel, in that moment.
const LEAVING: Duration = Duration::from_secs(10);
/// How often it is looked whether it has.
const ASKING: Duration = Duration::from_millis(50);

impl Port {
    /// The ports of rendered listeners.
    pub(super) fn of(listeners: &[Value]) -> Vec<Self> {
        listeners.iter().filter_map(Self::of_listener).collect()
    }

    fn of_listener(listener: &Value) -> Option<Self> {
        let address = listener.pointer("/address/socket_address")?;
        let ip: IpAddr = address.get("address")?.as_str()?.parse().ok()?;
        let port = u16::try_from(address.get("port_value")?.as_u64()?).ok()?;
        let is_udp = address.get("protocol").and_then(Value::as_str) == Some("UDP");
        let entry_point = listener.get("name").and_then(Value::as_str).unwrap_or_default();
        Some(Self {
            flag: format!("--entryPoints.{entry_point}.address=[HOST]:PORT"),
            entry_point: entry_point.to_owned(),
            address: SocketAddr::new(ip, port),
            is_dual: address.get("ipv4_compat").and_then(Value::as_bool).unwrap_or_default(),
            protocol: if is_udp { Protocol::Udp } else { Protocol::Tcp },
        })
    }

    /// Says whether a listener on this port keeps others from listening on an address.
    fn hinders(&self, address: SocketAddr) -> bool {
        self.protocol == Protocol::Tcp && overlap(self.address, address)
    }

    /// Why nobody can listen there now, if so.
    fn refusal(&self, envoy: Option<&Path>) -> Option<Why> {
        let error = self.try_it().err()?;
        match Errno::from_io_error(&error) {
            Some(Errno::ADDRINUSE) => Some(Why::Taken(Holder::of(self.address, self.protocol))),
            // Its own file, or a program that it is started by, may give it the right; then it can say so itself.
            Some(Errno::ACCESS | Errno::PERM) if envoy.is_some_and(may_have_rights) => None,
            Some(Errno::ACCESS | Errno::PERM) => Some(Why::Forbidden { below: refusal::first_free() }),
            Some(Errno::ADDRNOTAVAIL) => Some(Why::Elsewhere),
            Some(Errno::AFNOSUPPORT) => Some(Why::NoIpv6),
            _ => Some(Why::Other(error.to_string())),
        }
    }

    fn try_it(&self) -> io::Result<()> {
        let (family, kind) = match (self.address, self.protocol) {
            (SocketAddr::V4(_), Protocol::Tcp) => (AddressFamily::INET, SocketType::STREAM),
            (SocketAddr::V4(_), Protocol::Udp) => (AddressFamily::INET, SocketType::DGRAM),
            (SocketAddr::V6(_), Protocol::Tcp) => (AddressFamily::INET6, SocketType::STREAM),
            (SocketAddr::V6(_), Protocol::Udp) => (AddressFamily::INET6, SocketType::DGRAM),
        };
        let socket = socket_with(family, kind, SocketFlags::CLOEXEC, None)?;
        if self.protocol == Protocol::Tcp {
            // As Envoy does: connections of another time are in nobody's way. For UDP it would be sharing.
            set_socket_reuseaddr(&socket, true)?;
        }
        if self.address.is_ipv6() {
            set_ipv6_v6only(&socket, !self.is_dual)?;
        }
        Ok(bind(&socket, &self.address)?)
    }
}

/// Why some of these can't be listened on now; none: Envoy can. Where `envoy` may have rights of its own, a lack of rights
/// here is none there. To be called on the thread that starts Envoy.
///
/// # Errors
/// When the right to listen can't be put into effect or out of it.
pub(super) fn refused(ports: &[Port], envoy: Option<&Path>) -> io::Result<Vec<Refusal>> {
    privileges::exercising(|| {
        let refusal = |port: &Port| Some(Refusal { port: port.clone(), why: port.refusal(envoy)? });
        ports.iter().filter_map(refusal).collect()
    })
}

/// Makes sure that the sidecar's status address is none that Envoy listens on.
///
/// # Errors
/// When it is one.
pub(super) fn apart(ports: &[Port], status: Option<SocketAddr>) -> Result<(), RunError> {
    let Some(address) = status else { return Ok(()) };
    match ports.iter().find(|port| port.hinders(address)) {
        Some(port) => Err(RunError::StatusAddress { address, entry_point: port.entry_point.clone() }),
        None => Ok(()),
    }
}

/// Waits until all are free of an Envoy that ends, since its `run` was killed. To be called on the thread that starts
/// Envoy.
///
/// # Errors
/// When one can't be listened on for another reason, or still not after a while.
pub(super) async fn free(ports: &[Port], envoy: &Path) -> Result<(), RunError> {
    let deadline = Instant::now() + LEAVING;
    let mut is_told = false;
    loop {
        let refused = refused(ports, Some(envoy)).map_err(RunError::Rights)?;
        if refused.is_empty() {
            return Ok(());
        }
        if Instant::now() >= deadline || !refused.iter().all(|refusal| is_leaving(&refusal.why)) {
            return Err(RunError::Ports(refused));
        }
        if !std::mem::replace(&mut is_told, true) {
            tracing::info!(
                "an Envoy that has lost its envoy-autocert still has a port; it is given {LEAVING:?} to end"
            );
        }
        sleep(ASKING).await;
    }
}

/// Another Envoy that listens on one of these too, and was there before ours: the later one has to give way, and sees it
/// likewise. To be called on the thread that starts Envoy.
///
/// # Errors
/// When there is one, or the right to listen can't be put into effect or out of it.
pub(super) fn alone(ports: &[Port], envoy: u32) -> Result<(), RunError> {
    let others = privileges::exercising(|| {
        let Some(own) = Process::of(envoy) else { return Vec::new() };
        let other = |port: &Port| {
            let other = sharing(envoy, port.address, port.protocol)?;
            let is_first = (other.started, other.pid) < (own.started, own.pid);
            Some((is_first, Refusal { port: port.clone(), why: Why::Taken(Holder::Process(other)) }))
        };
        ports.iter().filter_map(other).collect()
    });
    let (before, after): (Vec<_>, Vec<_>) =
        others.map_err(RunError::Rights)?.into_iter().partition(|(is_first, _)| *is_first);
    for (_, refusal) in after {
        tracing::error!("{refusal}; until then each gets a part of the connections");
    }
    if before.is_empty() {
        Ok(())
    } else {
        Err(RunError::Ports(before.into_iter().map(|(_, refusal)| refusal).collect()))
    }
}

/// Says whether the port may be held by an Envoy whose `run` is there no longer.
fn is_leaving(why: &Why) -> bool {
    match why {
        Why::Taken(Holder::Process(process)) => {
            let is_kept = process.parent.as_ref().is_some_and(|(_, name)| name == OURS);
            let arguments = process.arguments();
            !is_kept && arguments.iter().any(|argument| argument == "--use-dynamic-base-id")
        }
        // One of ours may have rights that keep others from looking into it.
        Why::Taken(Holder::Hidden { uid }) => *uid == rustix::process::geteuid().as_raw(),
        // It went away while we looked.
        Why::Taken(Holder::Unknown) => true,
        Why::Elsewhere | Why::Forbidden { .. } | Why::NoIpv6 | Why::Other(_) => false,
    }
}

/// Says whether a program may have more rights than it is given: by its file, or as a script that starts another one.
fn may_have_rights(program: &Path) -> bool {
    let mut begin = [0; 2];
    let is_script = std::fs::File::open(program)
        .and_then(|mut file| io::Read::read_exact(&mut file, &mut begin))
        .is_ok_and(|()| &begin == b"#!");
    let name = CString::from(c"security.capability");
    is_script || rustix::fs::getxattr(program, name, &mut [0_u8; 64][..]).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::net::TcpListener;

    use rustix::net::listen;
    use rustix::net::sockopt::set_socket_reuseport;
    use serde_json::json;

    use super::*;

    fn port(address: SocketAddr) -> Port {
        let flag = "--entryPoints.web.address=[HOST]:PORT".to_owned();
        Port { entry_point: "web".into(), address, is_dual: false, protocol: Protocol::Tcp, flag }
    }

    fn why(port: &Port) -> Vec<Why> {
        let refused = refused(std::slice::from_ref(port), None).unwrap();
        refused.into_iter().map(|refusal| refusal.why).collect()
    }

    fn is_own(why: &[Why]) -> bool {
        matches!(why, [Why::Taken(Holder::Process(process))] if process.pid == std::process::id())
    }

    /// As Envoy listens.
    fn shared(address: SocketAddr) -> (rustix::fd::OwnedFd, SocketAddr) {
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, SocketFlags::CLOEXEC, None).unwrap();
        set_socket_reuseaddr(&socket, true).unwrap();
        set_socket_reuseport(&socket, true).unwrap();
        bind(&socket, &address).unwrap();
        listen(&socket, 16).unwrap();
        let bound = rustix::net::getsockname(&socket).unwrap().try_into().unwrap();
        (socket, bound)
    }

    /// F1.
    #[test]
    fn a_port_that_another_would_share_is_taken() {
        let (_socket, address) = shared("127.0.0.1:0".parse().unwrap());
        let (_again, _) = shared(address);
        assert!(is_own(&why(&port(address))), "{:?}", why(&port(address)));
        let every = SocketAddr::new("0.0.0.0".parse().unwrap(), address.port());
        assert!(is_own(&why(&port(every))), "one of its addresses is in the way of all");
        if std::net::TcpListener::bind("[::1]:0").is_err() {
            return;
        }
        let dual = Port { is_dual: true, ..port(SocketAddr::new("::".parse().unwrap(), address.port())) };
        assert!(is_own(&why(&dual)), "{:?}", why(&dual));
        let other = Port { is_dual: false, ..dual };
        assert_eq!(why(&other), [], "IPv6 alone is free");
        let elsewhere = SocketAddr::new("127.0.0.2".parse().unwrap(), address.port());
        assert_eq!(why(&port(elsewhere)), []);
    }

    #[test]
    fn connections_of_another_time_are_in_nobodys_way() {
        let (socket, address) = shared("127.0.0.1:0".parse().unwrap());
        let client = std::net::TcpStream::connect(address).unwrap();
        let server = rustix::net::accept(&socket).unwrap();
        drop(server);
        drop(client);
        drop(socket);
        let closing = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let local = format!("0100007F:{:04X} ", address.port());
        assert!(closing.lines().any(|line| line.contains(&local)), "the connection lingers");
        assert_eq!(why(&port(address)), []);
    }

    #[test]
    fn an_address_of_another_machine_is_told_as_that() {
        assert_eq!(why(&port("192.0.2.7:80".parse().unwrap())), [Why::Elsewhere]);
    }

    #[tokio::test]
    async fn who_does_not_leave_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let start = Instant::now();
        let refused = free(&[port(address)], Path::new("/nowhere")).await.unwrap_err().to_string();
        assert!(start.elapsed() < LEAVING, "{:?}", start.elapsed());
        let expected = format!("{address} (entry point web): port {} is in use by ", address.port());
        assert!(refused.starts_with(&expected), "{refused}");
        assert!(refused.contains(&format!("(pid {})", std::process::id())), "{refused}");
        drop(listener);
        free(&[port(address)], Path::new("/nowhere")).await.unwrap();
    }

    #[test]
    fn a_status_address_that_an_entry_point_has_is_refused() {
        let ports = [port("0.0.0.0:80".parse().unwrap())];
        let refusal = apart(&ports, Some("127.0.0.1:80".parse().unwrap())).unwrap_err().to_string();
        assert!(refusal.starts_with("--status-address 127.0.0.1:80: the entry point web listens there"), "{refusal}");
        assert!(apart(&ports, Some("127.0.0.1:81".parse().unwrap())).is_ok() && apart(&ports, None).is_ok());
    }

    #[test]
    fn the_ports_are_those_of_the_listeners() {
        let of = |address: Value| Port::of(&[json!({"name": "web", "address": {"socket_address": address}})]);
        let dual = of(json!({"address": "::", "port_value": 80, "ipv4_compat": true}));
        assert_eq!(dual, [Port { is_dual: true, ..port("[::]:80".parse().unwrap()) }]);
        let quic = of(json!({"address": "0.0.0.0", "port_value": 443, "protocol": "UDP"}));
        assert_eq!(quic, [Port { protocol: Protocol::Udp, ..port("0.0.0.0:443".parse().unwrap()) }]);
        assert_eq!(Port::of(&[json!({"name": "x", "address": {"pipe": {"path": "/x"}}})]), []);
    }
}
