//! Listening sockets: /proc/net/tcp, tcp6, udp and udp6, as proc(5) describes them.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// The most bytes read of a table: with a million connections it has 150 MB.
const MAX_TABLE: u64 = 256 * 1024 * 1024;

/// A protocol that has ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

impl Protocol {
    fn tables(self) -> [&'static str; 2] {
        match self {
            Self::Tcp => ["/proc/net/tcp", "/proc/net/tcp6"],
            Self::Udp => ["/proc/net/udp", "/proc/net/udp6"],
        }
    }

    /// The state of a listening socket: TCP_LISTEN, or for UDP TCP_CLOSE.
    fn state(self) -> &'static str {
        match self {
            Self::Tcp => "0A",
            Self::Udp => "07",
        }
    }
}

/// A listening socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Listening {
    pub(super) address: SocketAddr,
    /// The owner's uid.
    pub(super) uid: u32,
    /// The inode, by which processes refer to the socket.
    pub(super) inode: u64,
}

impl Listening {
    /// True if this socket may be why the address can't be listened on.
    pub(super) fn hinders(&self, address: SocketAddr) -> bool {
        overlap(self.address, address)
    }

    pub(super) fn is_same_family(&self, address: SocketAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4()
    }
}

/// True if a listener on one address may be why the other can't be listened on.
pub fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let (ip, wanted) = (one.ip().to_canonical(), other.ip().to_canonical());
    // A socket on all IPv6 addresses may be on all IPv4 addresses as well; that can't be seen from outside.
    let covers = |every: IpAddr, ip: IpAddr| every.is_unspecified() && (every.is_ipv6() || ip.is_ipv4());
    one.port() == other.port() && (ip == wanted || covers(ip, wanted) || covers(wanted, ip))
}

/// All of a protocol's listening sockets in this network namespace; empty if the table can't be read.
pub(super) fn listening(protocol: Protocol) -> Vec<Listening> {
    let table = |path: &str| File::open(path).map(|file| BufReader::new(file.take(MAX_TABLE)).lines()).ok();
    let lines = protocol.tables().into_iter().filter_map(table).flatten();
    lines.map_while(Result::ok).filter_map(|line| parse(&line, protocol.state())).collect()
}

/// Parses a line of a table; `None` if the socket is not in this state.
fn parse(line: &str, state: &str) -> Option<Listening> {
    // sl, local_address, rem_address, st, tx_queue:rx_queue, tr:tm->when, retrnsmt, uid, timeout, inode
    let mut fields = line.split_ascii_whitespace();
    let local = fields.nth(1)?;
    if fields.nth(1)? != state {
        return None;
    }
    let uid = fields.nth(3)?.parse().ok()?;
    let inode = fields.nth(1)?.parse().ok()?;
    Some(Listening { address: address(local)?, uid, inode })
}

/// Parses an address in words of 32 bits in hexadecimal, each in this machine's byte order, and a port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |at: usize| u32::from_str_radix(ip.get(at..at.saturating_add(8))?, 16).ok().map(u32::to_ne_bytes);
    let ip = match ip.len() {
        8 => IpAddr::from(Ipv4Addr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            IpAddr::from(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(all(test, target_endian = "little"))]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_line_of_each_table_is_understood() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 \
                    0000000000000000 100 0 0 10 0";
        let found = parse(line, "0A").unwrap();
        let expected = Listening { address: "127.0.0.1:8080".parse().unwrap(), uid: 1000, inode: 4711 };
        assert_eq!(found, expected);
        let line = "  12: B80D0120000000000000000001000000:01BB 00000000000000000000000000000000:0000 0A \
                    00000000:00000000 00:00000000 00000000     0        0 42 1 0000000000000000 100 0 0 10 0";
        assert_eq!(parse(line, "0A").unwrap().address, "[2001:db8::1]:443".parse().unwrap());
        let line = "  1: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000    53        0 7 2 \
                    0000000000000000 0";
        assert_eq!(parse(line, "07").unwrap().address, "0.0.0.0:53".parse().unwrap());
    }

    #[test]
    fn headings_connections_and_nonsense_are_no_listeners() {
        let heading =
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
        let connection = "   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000 0 0 9 1";
        for line in
            [heading, connection, "", "0: x y 0A", "0: 0100007F:1F90 0:0 0A a b c -1 0 9", "0: Ä:1 0 0A a b c 0 0 9"]
        {
            assert_eq!(parse(line, "0A"), None, "{line:?}");
        }
    }

    #[test]
    fn an_address_is_in_the_way_of_itself_and_of_all() {
        let hinders = |own: &str, wanted: &str| {
            let own = Listening { address: own.parse().unwrap(), uid: 0, inode: 0 };
            own.hinders(wanted.parse().unwrap())
        };
        for (own, wanted) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("127.0.0.1:80", "0.0.0.0:80"),
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "0.0.0.0:80"),
            ("127.0.0.1:80", "[::]:80"),
            ("[::ffff:127.0.0.1]:80", "127.0.0.1:80"),
        ] {
            assert!(hinders(own, wanted), "{own} {wanted}");
        }
        for (own, wanted) in [
            ("127.0.0.1:80", "127.0.0.1:81"),
            ("127.0.0.1:80", "127.0.0.2:80"),
            ("[::1]:80", "0.0.0.0:80"),
            ("0.0.0.0:80", "[::1]:80"),
        ] {
            assert!(!hinders(own, wanted), "{own} {wanted}");
        }
    }
}
