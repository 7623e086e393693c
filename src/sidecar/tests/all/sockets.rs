//! Access to the sockets, and the replacement of stale ones.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;

use crate::harness::{Client, Home};
use envoy_types::pb::envoy::service::secret::v3::secret_discovery_service_client::SecretDiscoveryServiceClient;
use tonic::transport::Endpoint;

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
    let (refusal, own) = (home.refusal().await, format!("(pid {}) listens there", std::process::id()));
    assert!(refusal.contains(&own), "{refusal}");
    listener.set_nonblocking(true).unwrap();
    // The one that asked, and then the next.
    assert!(listener.accept().is_ok());
    std::os::unix::net::UnixStream::connect(home.api_socket()).unwrap();
    assert!(listener.accept().is_ok());
}

#[tokio::test]
async fn who_has_the_status_address_is_named() {
    let home = Home::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let refusal = home.start_with(&["--status-address", &address]).await.err().unwrap().to_string();
    let told = format!("can't listen on {address}: it is in use by ");
    assert!(refusal.starts_with(&told), "{refusal}");
    assert!(refusal.contains(&format!("(pid {})", std::process::id())), "{refusal}");
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

/// The status of a stream for secrets without a token.
async fn without_token(socket: &std::path::Path) -> tonic::Code {
    let channel = Endpoint::try_from(format!("unix:{}", socket.display())).unwrap().connect().await.unwrap();
    let asked = SecretDiscoveryServiceClient::new(channel).delta_secrets(tokio_stream::empty()).await;
    asked.err().map_or(tonic::Code::Ok, |status| status.code())
}

#[tokio::test]
async fn a_mesh_has_a_socket_of_its_own_that_asks_for_no_token() {
    let home = Home::new();
    let mesh = home.path("mesh/sds.sock");
    let _sidecar = home.start_with(&["--mesh-sds-socket", &mesh.display().to_string()]).await.ok().unwrap();
    assert_eq!(mode(&home.path("mesh")), 0o750);
    assert_eq!(without_token(&mesh).await, tonic::Code::Ok);
    assert_eq!(without_token(&home.path("run/sds.sock")).await, tonic::Code::Unauthenticated);
}

#[tokio::test]
async fn a_meshs_socket_is_not_where_everybody_gets() {
    let home = Home::new();
    fs::create_dir(home.path("mesh")).unwrap();
    fs::set_permissions(home.path("mesh"), fs::Permissions::from_mode(0o755)).unwrap();
    let mesh = home.path("mesh/sds.sock").display().to_string();
    let refusal = home.start_with(&["--mesh-sds-socket", &mesh]).await.err().unwrap().to_string();
    assert!(refusal.contains("0755") && refusal.contains("chmod o-rwx"), "{refusal}");
    assert!(!home.path("mesh/sds.sock").exists());
}
