//! Who reaches the sockets, and which sockets are replaced.

#![allow(clippy::unwrap_used, clippy::panic)]

mod harness;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use harness::{Client, Home};

fn mode(path: &std::path::Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[tokio::test]
async fn sockets_and_their_directory_are_for_owner_and_group() {
    let home = Home::new();
    let _sidecar = home.start().await;
    assert_eq!(mode(&home.path("run")), 0o750);
    assert_eq!(mode(&home.path("run/api.sock")), 0o660);
    assert_eq!(mode(&home.path("run/sds.sock")), 0o660);
}

#[tokio::test]
async fn sockets_are_removed_at_the_end() {
    let home = Home::new();
    home.start().await.stop().await.unwrap();
    assert_eq!(fs::read_dir(home.path("run")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_socket_that_nobody_listens_on_is_replaced() {
    let home = Home::new();
    fs::create_dir(home.path("run")).unwrap();
    drop(UnixListener::bind(home.api_socket()).unwrap());
    assert!(home.api_socket().exists());
    let _sidecar = home.start().await;
    assert_eq!(Client::unix(&home.api_socket()).get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_socket_that_somebody_listens_on_is_left_alone() {
    let home = Home::new();
    fs::create_dir(home.path("run")).unwrap();
    let listener = UnixListener::bind(home.api_socket()).unwrap();
    assert!(home.refusal().await.contains("another process listens there"));
    listener.set_nonblocking(true).unwrap();
    // The one that asked, and then the next.
    assert!(listener.accept().is_ok());
    std::os::unix::net::UnixStream::connect(home.api_socket()).unwrap();
    assert!(listener.accept().is_ok());
}

#[tokio::test]
async fn what_is_no_socket_is_left_alone() {
    let home = Home::new();
    fs::create_dir(home.path("run")).unwrap();
    fs::write(home.api_socket(), "precious").unwrap();
    assert!(home.refusal().await.contains("there is something else"));
    assert_eq!(fs::read_to_string(home.api_socket()).unwrap(), "precious");
}

#[tokio::test]
async fn a_directory_in_which_others_can_write_is_refused_with_the_way_to_mend_it() {
    let home = Home::new();
    fs::create_dir(home.path("run")).unwrap();
    for unsafe_mode in [0o770, 0o757, 0o1777] {
        fs::set_permissions(home.path("run"), PermissionsExt::from_mode(unsafe_mode)).unwrap();
        let refusal = home.refusal().await;
        assert!(refusal.contains(&format!("chmod go-w {}", home.path("run").display())), "{refusal}");
    }
    fs::set_permissions(home.path("run"), PermissionsExt::from_mode(0o755)).unwrap();
    let _sidecar = home.start().await;
}
