//! `rfc2136` against a small server: what is sent, and what each answer comes out as.

use dns01::provider::{Provider, ProviderError, Record};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::tsig::TsigError;
use hickory_proto::rr::{DNSClass, RData, RecordType};

use crate::dns_providers::dns_server::{Answer, DnsServer, KEY, SECRET};
use crate::dns_providers::harness::{APEX, find, record, refusal};

fn provider(server: &DnsServer, more: &[(&str, &str)]) -> Provider {
    let nameserver = server.address.to_string();
    let pairs = [
        ("RFC2136_NAMESERVER", nameserver.as_str()),
        ("RFC2136_TSIG_KEY", KEY),
        ("RFC2136_TSIG_SECRET", SECRET),
        ("RFC2136_TSIG_ALGORITHM", "hmac-sha256."),
    ];
    find("rfc2136", &[pairs.as_slice(), more].concat()).unwrap()
}

/// The zone, the class, the life and the text of an update of one TXT record.
fn told(message: &Message) -> (String, DNSClass, u32, String) {
    let [update] = message.authorities.as_slice() else { panic!("{message:?}") };
    assert_eq!(
        (update.name.to_ascii().as_str(), update.record_type()),
        ("_acme-challenge.www.example.com.", RecordType::TXT)
    );
    let RData::TXT(text) = &update.data else { panic!("{update:?}") };
    (message.queries[0].name().to_ascii(), update.dns_class, update.ttl, text.to_string())
}

#[tokio::test]
async fn one_value_is_added_and_the_same_one_removed_by_signed_updates() {
    let server = DnsServer::start(Answer::Signed).await;
    let provider = provider(&server, &[("RFC2136_TTL", "7")]);
    provider.present(&record(APEX)).await.unwrap();
    provider.clean_up(&record(APEX)).await.unwrap();
    let updates: Vec<_> = server.updates().iter().map(told).collect();
    let zone = "example.com.".to_owned();
    let added = (zone.clone(), DNSClass::IN, 7, APEX.to_owned());
    assert_eq!(updates, [added, (zone, DNSClass::NONE, 0, APEX.to_owned())]);
}

#[tokio::test]
async fn a_listed_zone_takes_the_place_of_the_one_that_was_found() {
    let server = DnsServer::start(Answer::Signed).await;
    let zones = [("DNSUPDATE_ZONES", "example.org,com.,www.example.com")];
    provider(&server, &zones).present(&record(APEX)).await.unwrap();
    assert_eq!(told(&server.updates()[0]).0, "www.example.com.");
}

#[tokio::test]
async fn a_key_may_come_from_a_file_of_tsig_keygen() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("lego.key");
    std::fs::write(&file, format!("key \"{KEY}\" {{\n\talgorithm hmac-sha256;\n\tsecret \"{SECRET}\";\n}};\n"))
        .unwrap();
    let server = DnsServer::start(Answer::Signed).await;
    let (address, file) = (server.address.to_string(), file.to_str().unwrap());
    let pairs = [("DNSUPDATE_NAMESERVER", address.as_str()), ("RFC2136_TSIG_FILE", file)];
    find("dnsupdate", &pairs).unwrap().present(&record(APEX)).await.unwrap();
}

#[tokio::test]
async fn without_a_key_updates_are_not_signed() {
    let server = DnsServer::start(Answer::Unsigned).await;
    let address = server.address.to_string();
    let provider = find("rfc2136", &[("RFC2136_NAMESERVER", &address)]).unwrap();
    provider.present(&record(APEX)).await.unwrap();
    assert!(server.updates()[0].signature.is_none());
}

async fn error_of(answer: Answer) -> ProviderError {
    let server = DnsServer::start(answer).await;
    let error = refusal(provider(&server, &[("RFC2136_DNS_TIMEOUT", "1")]).present(&record(APEX)).await);
    assert!(error.to_string().contains(&server.address.to_string()) && !error.to_string().contains(SECRET), "{error}");
    error
}

#[tokio::test]
async fn each_answer_comes_out_as_what_it_means() {
    for (answer, expected, is_permanent) in [
        (
            Answer::Complaint(TsigError::BadKey),
            "does not know the key lego.example. with this algorithm, or not for this zone (BADKEY)",
            true,
        ),
        (
            Answer::Complaint(TsigError::BadSig),
            "the secret of the key lego.example. is not the server's (BADSIG)",
            true,
        ),
        (Answer::Complaint(TsigError::BadTime), "clock", true),
        (Answer::Code(ResponseCode::Refused), "(REFUSED): let the key lego.example. update TXT records", true),
        (Answer::Code(ResponseCode::NotAuth), "RFC2136_ZONES", true),
        (Answer::Code(ResponseCode::NotZone), "RFC2136_ZONES", true),
        (Answer::Code(ResponseCode::ServFail), "Server Failure", false),
        (Answer::Unsigned, "the answer is not signed with the key lego.example.", false),
        (Answer::Garbage, "the answer is garbled", false),
        (Answer::Silence, "no answer within 1s", false),
    ] {
        let error = error_of(answer).await;
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!(error.is_permanent(), is_permanent, "{error}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = gone.local_addr().unwrap().to_string();
    drop(gone);
    let provider = find("rfc2136", &[("RFC2136_NAMESERVER", &address)]).unwrap();
    let error = refusal(provider.present(&record(APEX)).await).to_string();
    assert!(error.contains(&format!("over TCP, {address}: ")) && error.contains("refused"), "{error}");
}

#[tokio::test]
async fn a_name_outside_of_the_zone_is_an_error() {
    let server = DnsServer::start(Answer::Signed).await;
    let outside = Record { zone: "example.org.".to_owned(), ..record(APEX) };
    let error = refusal(provider(&server, &[]).present(&outside).await).to_string();
    assert!(error.contains("is not in the zone example.org.") && server.updates().is_empty(), "{error}");
}
