//! The ports of Envoy's listeners, checked before Envoy is started.
//!
//! Envoy listens with SO_REUSEPORT, so two Envoys of one user can listen on the same port, and each gets a part of the
//! connections: without an error, every other request goes to the wrong Envoy.
//!
//! Promises: each port is bound as Envoy would bind it but without that option, with the rights that Envoy gets, for a
//! moment, and without accepting a connection. Connections in TIME_WAIT don't matter. The process that holds a port is
//! named. Refuses: to keep the port until Envoy has it. Two Envoys started at the very same moment are found out when
//! they are up.

pub(super) mod refusal;

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
pub use refusal::{Refusal, Why};

/// The time for an Envoy to end whose `run` was killed: the kernel tells it to at that moment.
const LEAVING: Duration = Duration::from_secs(10);
/// The interval at which its ports are checked.
const ASKING: Duration = Duration::from_millis(50);

/// The address of a listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// The listener's name, which is the entry point's.
    pub entry_point: String,
    /// The address.
    pub address: SocketAddr,
    /// True if a listener on all IPv6 addresses is on all IPv4 addresses too.
    pub is_dual: bool,
    /// The protocol.
    pub protocol: Protocol,
    /// The flag that changes the address.
    pub flag: String,
}

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

    /// True if a listener on this port keeps others from listening on the address.
    fn hinders(&self, address: SocketAddr) -> bool {
        self.protocol == Protocol::Tcp && overlap(self.address, address)
    }

    /// The reason why the port can't be listened on now; `None` if it can.
    fn refusal(&self, envoy: Option<&Path>) -> Option<Why> {
        let error = self.try_it().err()?;
        match Errno::from_io_error(&error) {
            Some(Errno::ADDRINUSE) => Some(Why::Taken(Holder::of(self.address, self.protocol))),
            // Envoy's own file, or the program that starts it, may grant the right; Envoy reports an error itself.
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
            // As Envoy does, so that connections in TIME_WAIT don't matter. For UDP it would share the port.
            set_socket_reuseaddr(&socket, true)?;
        }
        if self.address.is_ipv6() {
            set_ipv6_v6only(&socket, !self.is_dual)?;
        }
        Ok(bind(&socket, &self.address)?)
    }
}

/// The ports that can't be listened on now, each with the reason. If `envoy` may have rights of its own, missing rights
/// of ours don't matter there. Call it on the thread that starts Envoy.
///
/// # Errors
/// When the capability to listen can't be put into effect or out of it.
pub(super) fn refused(ports: &[Port], envoy: Option<&Path>) -> io::Result<Vec<Refusal>> {
    privileges::exercising(|| {
        let refusal = |port: &Port| Some(Refusal { port: port.clone(), why: port.refusal(envoy)? });
        ports.iter().filter_map(refusal).collect()
    })
}

/// Checks that the sidecar's status address is none of Envoy's.
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

/// Waits until the ports are free of an Envoy that is ending because its `run` was killed. Call it on the thread that
/// starts Envoy.
///
/// # Errors
/// When a port can't be listened on for another reason, or still not after a while.
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

/// Checks that no other Envoy listens on one of these ports too since before ours: the later one has to give way, and
/// notices it by the same check. Call it on the thread that starts Envoy.
///
/// # Errors
/// When there is one, or the capability to listen can't be put into effect or out of it.
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

/// True if the port may be held by an Envoy whose `run` is gone.
fn is_leaving(why: &Why) -> bool {
    match why {
        Why::Taken(Holder::Process(process)) => {
            let is_kept = process.parent.as_ref().is_some_and(|(_, name)| name == OURS);
            let arguments = process.arguments();
            !is_kept && arguments.iter().any(|argument| argument == "--use-dynamic-base-id")
        }
        // Capabilities of our own Envoy may keep others from inspecting it.
        Why::Taken(Holder::Hidden { uid }) => *uid == rustix::process::geteuid().as_raw(),
        // The process ended while we looked.
        Why::Taken(Holder::Unknown) => true,
        Why::Elsewhere | Why::Forbidden { .. } | Why::NoIpv6 | Why::Other(_) => false,
    }
}

/// True if a program may have more rights than it is given: by its file, or as a script that starts another one.
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
