//! The allow-list of uids whose processes may use the sockets: who reaches them gets keys.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Mutex, PoisonError};

use tokio::net::{UnixListener, UnixStream};

/// The most refused users that are remembered, so that each is logged once.
const MAX_REFUSED: usize = 1024;

/// Users by uid.
pub struct Peers {
    allowed: BTreeSet<u32>,
    refused: Mutex<BTreeSet<u32>>,
}

impl Peers {
    /// Allows these users and nobody else.
    pub fn new(allowed: impl IntoIterator<Item = u32>) -> Self {
        Self { allowed: allowed.into_iter().collect(), refused: Mutex::default() }
    }

    /// Accepts the next connection of an allowed user's process, and returns it with the uid; closes others.
    ///
    /// # Errors
    /// When the system can't accept a connection.
    pub async fn next(&self, listener: &UnixListener) -> io::Result<(UnixStream, u32)> {
        loop {
            let (stream, _) = listener.accept().await?;
            let uid = stream.peer_cred()?.uid();
            if self.admit(uid) {
                return Ok((stream, uid));
            }
        }
    }

    /// True if this user is allowed; logs a refusal once.
    pub fn admit(&self, uid: u32) -> bool {
        if self.allowed.contains(&uid) {
            return true;
        }
        // A panic while the lock is held would be our bug; the set is consistent at every moment.
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() < MAX_REFUSED && refused.insert(uid) {
            tracing::warn!(uid, "a process of this user asked and is refused; --api-uid lets it in");
        }
        false
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn connections_of_other_users_are_closed_before_they_say_anything() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let own = rustix::process::geteuid().as_raw();
        let strangers = Peers::new([own.wrapping_add(1)]);
        let accepting = tokio::spawn(async move { strangers.next(&listener).await.map(|(_, uid)| uid) });
        let mut refused = UnixStream::connect(&path).await.unwrap();
        assert_eq!(refused.read(&mut [0]).await.unwrap(), 0);
        assert!(!accepting.is_finished());
        accepting.abort();
    }
}
