//! Requests that no honest client sends: whatever comes, nothing panics and nothing is sent that was not asked for.

use std::collections::HashSet;

use crate::messages::{DeltaDiscoveryRequest, DiscoveryRequest};
use proptest::prelude::*;

use super::super::{DeltaSession, Service, Session, SotwSession};
use super::{Contents, content, error, pair};
use crate::secret::TYPE_URL;

/// Any text, now and then one that means something.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![".{0,40}", "[a-cA-C.*]{1,6}", Just("*".to_owned()), Just("s-1".to_owned()), Just("s-2".to_owned())]
}

fn texts() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(text(), 0..5)
}

fn type_url() -> impl Strategy<Value = String> {
    prop_oneof![8 => Just(TYPE_URL.to_owned()), 1 => Just(String::new()), 1 => text()]
}

fn rejection() -> impl Strategy<Value = Option<String>> {
    prop::option::of(text())
}

fn delta_request() -> impl Strategy<Value = DeltaDiscoveryRequest> {
    let versions = prop::collection::hash_map(text(), text(), 0..4);
    (type_url(), texts(), texts(), versions, text(), rejection()).prop_map(
        |(type_url, subscribe, unsubscribe, initial_resource_versions, response_nonce, rejection)| {
            DeltaDiscoveryRequest {
                type_url,
                resource_names_subscribe: subscribe,
                resource_names_unsubscribe: unsubscribe,
                initial_resource_versions,
                response_nonce,
                error_detail: rejection.and_then(|text| error(&text)),
                ..DeltaDiscoveryRequest::default()
            }
        },
    )
}

fn sotw_request() -> impl Strategy<Value = DiscoveryRequest> {
    (type_url(), texts(), text(), text(), rejection()).prop_map(
        |(type_url, resource_names, version_info, response_nonce, rejection)| DiscoveryRequest {
            type_url,
            resource_names,
            version_info,
            response_nonce,
            error_detail: rejection.and_then(|text| error(&text)),
            ..DiscoveryRequest::default()
        },
    )
}

fn contents() -> Contents {
    Contents { default: Some(pair("1")), ..Contents::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn delta_sends_only_what_is_subscribed(requests in prop::collection::vec(delta_request(), 0..8)) {
        let mut session = DeltaSession::new(Service::Secrets, "s".to_owned());
        let contents = contents();
        let mut subscribed = HashSet::new();
        for request in requests {
            if session.request(&request).is_err() {
                continue;
            }
            for name in &request.resource_names_unsubscribe {
                subscribed.remove(name);
            }
            subscribed.extend(request.resource_names_subscribe);
            while let Some(response) = session.next(&contents) {
                prop_assert!(response.resources.iter().all(|resource| subscribed.contains(&resource.name)));
            }
        }
    }

    #[test]
    fn the_state_of_the_world_has_only_what_is_asked_for(requests in prop::collection::vec(sotw_request(), 0..8)) {
        let mut session = SotwSession::new(Service::Secrets, "s".to_owned());
        let contents = contents();
        for request in requests {
            if session.request(&request).is_err() {
                continue;
            }
            while let Some(response) = session.next(&contents) {
                let mut names = response.resources.iter().map(|resource| content(resource).0);
                prop_assert!(names.all(|name| request.resource_names.contains(&name)));
            }
        }
    }
}
