//! `redirect` and `redirectPort`: which plaintext requests the plugin sends to https. Ours alone; Traefik's
//! redirections know nothing of certificates.

use super::mistake::Mistake;
use super::node::Table;

/// The port of https that URLs leave out (RFC 9110 §4.2.2).
pub const HTTPS_PORT: u16 = 443;

/// `redirect: certified`: hosts that have a valid certificate are redirected to https, the others are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Redirect {
    /// `redirectPort`: the port that visitors are sent to.
    pub port: u16,
}

pub(super) fn read(top: &mut Table<'_>, mistakes: &mut Vec<Mistake>) -> Option<Redirect> {
    let redirect = top.take("redirect");
    let port = top.take("redirectPort");
    if let (None, Some(node)) = (&redirect, &port) {
        mistakes.push(node.mistake("no such key without `redirect: certified`"));
    }
    let most = u64::from(u16::MAX);
    let port = port.map_or(Some(HTTPS_PORT.into()), |node| node.whole(1, most, mistakes));
    redirect?.choice(&[("certified", ())], mistakes)?;
    Some(Redirect { port: u16::try_from(port?).ok()? })
}
