//! A network of one's own, for servers that know only the ports 80, 443 and 53, and only the system's name server.
//!
//! The network has a loopback interface and nothing else: programs in it reach nothing outside, and nobody outside
//! reaches them. The network ends with the last thread and process in it.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, recv, send, socket};

/// System files that name resolution depends on, with their content in such a network: the name server is at 127.0.0.1.
const FILES: [(&str, &str); 2] =
    [("/etc/resolv.conf", "nameserver 127.0.0.1\n"), ("/etc/nsswitch.conf", "hosts: files dns\n")];

/// True if such a network can be made: that takes root's rights, which `unshare --user --map-root-user` gives as well.
pub fn is_possible() -> bool {
    rustix::process::geteuid().is_root()
}

/// Does the work in a thread with a network and mounts of its own, which the threads and processes that it starts
/// share.
///
/// # Errors
/// When no such network can be made; and the errors of the work.
pub fn within<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            enter().context("a network of its own")?;
            work()
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn enter() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).context("unshare")?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).context("mounts")?;
    for (path, text) in FILES {
        // Without such a file, the C library's own default is the same.
        if Path::new(path).exists() {
            let mut file = tempfile::NamedTempFile::new()?;
            file.write_all(text.as_bytes())?;
            std::fs::set_permissions(file.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
            mount(Some(file.path()), path, None::<&str>, MsFlags::MS_BIND, None::<&str>).context(path)?;
        }
    }
    raise_loopback().context("the loopback interface")
}

/// Sets the flag IFF_UP of the first interface, by rtnetlink(7).
fn raise_loopback() -> Result<()> {
    const LENGTH: u32 = 32;
    const NEW_LINK: u16 = 16;
    const REQUEST_AND_ACKNOWLEDGE: u16 = 1 | 4;
    const LOOPBACK: i32 = 1;
    const UP: u32 = 1;
    let mut message = Vec::new();
    // The head of a message: length, type, flags, number, port.
    message.extend(LENGTH.to_ne_bytes());
    message.extend(NEW_LINK.to_ne_bytes());
    message.extend(REQUEST_AND_ACKNOWLEDGE.to_ne_bytes());
    message.extend([0; 8]);
    // The interface: family and type, index, flags, which of the flags are changed.
    message.extend([0; 4]);
    message.extend(LOOPBACK.to_ne_bytes());
    message.extend(UP.to_ne_bytes());
    message.extend(UP.to_ne_bytes());

    // The protocol's number is 0.
    let socket = socket(AddressFamily::NETLINK, SocketType::RAW, None)?;
    send(&socket, &message, SendFlags::empty())?;
    let mut answer = [0; 512];
    let (length, _) = recv(&socket, &mut answer, RecvFlags::empty())?;
    let error = answer.get(16..20).filter(|_| length >= 20).context("a short answer")?;
    ensure!(error == [0; 4], "the kernel answers error {error:?}");
    Ok(())
}
