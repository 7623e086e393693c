//! Envoy's messages that SDS exchanges, with those of their fields that are read or written here.
//!
//! Names and numbers are those of Envoy's `discovery.proto`, `base.proto`, `secret.proto` and `common.proto`, and of
//! google's `status.proto` and `any.proto`. Fields that are not here are passed over when read, as protobuf promises.
//! The few are written out because Envoy's whole interface, generated, takes longer to compile than all of this crate.

use std::collections::HashMap;
use std::fmt;

use prost::Message;

/// `envoy.service.discovery.v3.DiscoveryRequest`
#[derive(Clone, PartialEq, Message)]
pub struct DiscoveryRequest {
    /// The version of the last response that was accepted.
    #[prost(string, tag = "1")]
    pub version_info: String,
    /// The client.
    #[prost(message, optional, tag = "2")]
    pub node: Option<Node>,
    /// The whole subscription.
    #[prost(string, repeated, tag = "3")]
    pub resource_names: Vec<String>,
    /// The type of the resources.
    #[prost(string, tag = "4")]
    pub type_url: String,
    /// The response that this acknowledges or rejects; empty in a stream's first request.
    #[prost(string, tag = "5")]
    pub response_nonce: String,
    /// The reason of a rejection.
    #[prost(message, optional, tag = "6")]
    pub error_detail: Option<Status>,
}

/// `envoy.service.discovery.v3.DiscoveryResponse`
#[derive(Clone, PartialEq, Message)]
pub struct DiscoveryResponse {
    /// The version of the resources.
    #[prost(string, tag = "1")]
    pub version_info: String,
    /// The resources, all of them.
    #[prost(message, repeated, tag = "2")]
    pub resources: Vec<Any>,
    /// The type of the resources.
    #[prost(string, tag = "4")]
    pub type_url: String,
    /// The name of this response, which its acknowledgement repeats.
    #[prost(string, tag = "5")]
    pub nonce: String,
}

/// `envoy.service.discovery.v3.DeltaDiscoveryRequest`
#[derive(Clone, PartialEq, Message)]
pub struct DeltaDiscoveryRequest {
    /// The client.
    #[prost(message, optional, tag = "1")]
    pub node: Option<Node>,
    /// The type of the resources.
    #[prost(string, tag = "2")]
    pub type_url: String,
    /// Names that are added to the subscription.
    #[prost(string, repeated, tag = "3")]
    pub resource_names_subscribe: Vec<String>,
    /// Names that are taken out of the subscription.
    #[prost(string, repeated, tag = "4")]
    pub resource_names_unsubscribe: Vec<String>,
    /// Versions that the client has from an earlier stream, by name.
    #[prost(map = "string, string", tag = "5")]
    pub initial_resource_versions: HashMap<String, String>,
    /// The response that this acknowledges or rejects.
    #[prost(string, tag = "6")]
    pub response_nonce: String,
    /// The reason of a rejection.
    #[prost(message, optional, tag = "7")]
    pub error_detail: Option<Status>,
}

/// `envoy.service.discovery.v3.DeltaDiscoveryResponse`
#[derive(Clone, PartialEq, Message)]
pub struct DeltaDiscoveryResponse {
    /// The version of the resources together, for people.
    #[prost(string, tag = "1")]
    pub system_version_info: String,
    /// The resources that are new or changed.
    #[prost(message, repeated, tag = "2")]
    pub resources: Vec<Resource>,
    /// The type of the resources.
    #[prost(string, tag = "4")]
    pub type_url: String,
    /// The name of this response, which its acknowledgement repeats.
    #[prost(string, tag = "5")]
    pub nonce: String,
    /// Names of resources that do not exist.
    #[prost(string, repeated, tag = "6")]
    pub removed_resources: Vec<String>,
}

/// `envoy.service.discovery.v3.Resource`
#[derive(Clone, PartialEq, Message)]
pub struct Resource {
    /// The resource's version.
    #[prost(string, tag = "1")]
    pub version: String,
    /// The resource.
    #[prost(message, optional, tag = "2")]
    pub resource: Option<Any>,
    /// The resource's name.
    #[prost(string, tag = "3")]
    pub name: String,
}

/// `envoy.config.core.v3.Node`
#[derive(Clone, PartialEq, Message)]
pub struct Node {
    /// The client's name for itself: Envoy's `--service-node`.
    #[prost(string, tag = "1")]
    pub id: String,
}

/// `envoy.extensions.transport_sockets.tls.v3.Secret`
#[derive(Clone, PartialEq, Message)]
pub struct Secret {
    /// The name by which it was asked for.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The certificate, of the kinds of secrets the only one here.
    #[prost(message, optional, tag = "2")]
    pub tls_certificate: Option<TlsCertificate>,
}

/// `envoy.extensions.transport_sockets.tls.v3.TlsCertificate`
#[derive(Clone, PartialEq, Message)]
pub struct TlsCertificate {
    /// The certificate and those that vouch for it, as PEM.
    #[prost(message, optional, tag = "1")]
    pub certificate_chain: Option<DataSource>,
    /// The key, as PEM.
    #[prost(message, optional, tag = "2")]
    pub private_key: Option<DataSource>,
}

/// `envoy.config.core.v3.DataSource`: keys are in it, so nothing of it is printed.
#[derive(Clone, PartialEq, Message)]
#[prost(skip_debug)]
pub struct DataSource {
    /// The data; of the places where Envoy would look for it the only one here is the message itself.
    #[prost(bytes = "vec", optional, tag = "2")]
    pub inline_bytes: Option<Vec<u8>>,
}

impl fmt::Debug for DataSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DataSource").finish_non_exhaustive()
    }
}

/// `google.rpc.Status`
#[derive(Clone, PartialEq, Message)]
pub struct Status {
    /// The gRPC code.
    #[prost(int32, tag = "1")]
    pub code: i32,
    /// The reason, for people.
    #[prost(string, tag = "2")]
    pub message: String,
}

/// `google.protobuf.Any`
#[derive(Clone, PartialEq, Message)]
pub struct Any {
    /// The type of the message in it.
    #[prost(string, tag = "1")]
    pub type_url: String,
    /// The message, encoded.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
}
