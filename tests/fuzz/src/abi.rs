//! Input of Envoy, and of the peers behind it, to the plugin, with a host that lies.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use acme::scripted::{Ca, Settings, Web};
use acme::{Method, Request};
use arbitrary::{Result, Unstructured};
use envoy_autocert::simulation::{Action, Buffer, Level, MetricKind, Proxy, Root, Status, Token};
use protocol::path;
use serde_json::json;

/// The most events: more would make a run slow, and show nothing new.
const MOST: usize = 300;

/// Events of an instance, selected by the input: ticks, time, responses to callouts (well-formed, bent, late and
/// repeated, under tokens never given), requests, other configurations, shared data that others wrote. No event panics.
pub fn abi(input: &[u8]) {
    // An input that ends early ends the run.
    let _ = happenings(&mut Unstructured::new(input));
}

fn happenings(input: &mut Unstructured<'_>) -> Result<()> {
    let host = Rc::new(Host::new(configuration().into_bytes()));
    let mut root = Root::new(host.clone());
    assert!(root.configure());
    let mut ca = Ca::new(Settings { repeated_delivery: true, looks_until_done: 0, ..Settings::default() }, &host.web);
    for _ in 0..MOST {
        if input.is_empty() {
            break;
        }
        match input.int_in_range(0..=11)? {
            0..=3 => {
                host.now.set(host.now.get().saturating_add(input.arbitrary::<u16>()?.into()));
                root.tick();
            }
            4..=7 => {
                let Some((token, call)) = host.calls.borrow_mut().pop_front() else { continue };
                let answer = good(&host, &mut ca, &call);
                answer_with(input, &host, &mut root, token, answer)?;
            }
            8 => {
                let token = input.arbitrary()?;
                let answer = (input.arbitrary()?, Vec::new(), input.arbitrary()?);
                answer_with(input, &host, &mut root, token, answer)?;
            }
            9 => host.ahead.set(input.arbitrary()?),
            10 => {
                host.request.replace(BTreeMap::from([
                    (":method".to_owned(), input.arbitrary()?),
                    (":path".to_owned(), input.arbitrary()?),
                    (":authority".to_owned(), input.arbitrary()?),
                ]));
                root.stream().request();
            }
            _ => {
                let keys: Vec<String> = host.shared.borrow().keys().cloned().collect();
                if !keys.is_empty() {
                    let key = input.choose(&keys)?.clone();
                    let _ = host.set_shared_data(&key, input.arbitrary()?, 0);
                }
            }
        }
    }
    Ok(())
}

type Answer = (u16, Fields, Vec<u8>);

/// Header fields.
type Fields = Vec<(String, String)>;

/// Delivers a response, unaltered or bent.
fn answer_with(
    input: &mut Unstructured<'_>,
    host: &Host,
    root: &mut Root,
    token: Token,
    (status, mut headers, mut body): Answer,
) -> Result<()> {
    headers.push(("x-envoy-upstream-service-time".to_owned(), "1".to_owned()));
    headers.push((":status".to_owned(), status.to_string()));
    match input.int_in_range(0..=11)? {
        0 => body.truncate(input.int_in_range(0..=body.len())?),
        1 if !body.is_empty() => {
            let at = input.int_in_range(0..=body.len().saturating_sub(1))?;
            body[at] = input.arbitrary()?;
        }
        2 => headers.insert(0, (":status".to_owned(), input.arbitrary::<u16>()?.to_string())),
        3 => headers.insert(0, ("retry-after".to_owned(), input.arbitrary()?)),
        4 => headers.insert(0, ("location".to_owned(), input.arbitrary()?)),
        5 => headers.insert(0, ("replay-nonce".to_owned(), input.arbitrary()?)),
        6 => headers.insert(0, ("link".to_owned(), input.arbitrary()?)),
        7 => headers.clear(),
        8 => body = input.arbitrary()?,
        _ => {}
    }
    let size = if input.ratio(1, 20)? { input.arbitrary::<u32>()? as usize } else { body.len() };
    let count = headers.len();
    host.answer.replace((headers, body));
    root.answered(token, count, size);
    if input.ratio(1, 20)? {
        root.answered(token, count, size);
    }
    Ok(())
}

/// The response of an honest peer.
fn good(host: &Host, ca: &mut Ca, call: &Call) -> Answer {
    let ok = |body: serde_json::Value| (200, Vec::new(), body.to_string().into_bytes());
    if call.cluster != "sidecar" {
        let method = match call.method.as_str() {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            _ => Method::Post,
        };
        let url = format!("https://{}{}", call.authority, call.path);
        let body = call.body.clone();
        let timeout = Duration::from_secs(30);
        let request = Request { method, url, headers: Vec::new(), body, timeout, endpoint: "fuzzed" };
        let response = ca.answer(&request, i64::try_from(host.now.get()).unwrap_or_default());
        return (response.status, response.headers, response.body);
    }
    let message: serde_json::Value = serde_json::from_slice(&call.body).unwrap_or_default();
    match call.path.as_str() {
        path::LEASE => ok(json!({"granted": true, "fence": 7, "expiresInMillis": 10_000})),
        path::STATE => ok(json!({"certificates": [], "provided": [], "orders": [], "attempts": []})),
        path::ACCOUNTS if call.method == "POST" => ok(json!({
            "key": "MEECAQAwEwYHKoZIzj0CAQYIKoZIzj0DAQcEJzAlAgEBBCAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQ",
            "fresh": true,
        })),
        path::CSR => ok(json!({"csr": "AAAA"})),
        path::PERMITS => ok(json!({"granted": true})),
        path::CERTIFICATES => ok(json!({
            "certificate": {
                "resolver": "le", "names": message["certificate"]["names"], "notBefore": 0, "notAfter": 1_800_000_000,
                "serial": "01", "issuer": "x", "keyType": "EC256",
            },
            "durable": true,
        })),
        other if other.starts_with(path::WANTS) && call.method == "GET" => ok(json!({"revision": 1, "wants": []})),
        path::HTTP_01 => {
            let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
            host.web.borrow_mut().insert((text("host"), text("token")), text("keyAuthorization"));
            (204, Vec::new(), Vec::new())
        }
        _ => (204, Vec::new(), Vec::new()),
    }
}

/// A request to the plugin's responder, in three lines: method, path and authority. Only the right request is answered.
pub fn challenge_request(input: &[u8]) {
    const TOKEN: &str = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";
    let text = String::from_utf8_lossy(input);
    let mut lines = text.splitn(3, '\n').map(str::to_owned);
    let (Some(method), Some(asked), Some(authority)) = (lines.next(), lines.next(), lines.next()) else { return };
    let host = Rc::new(Host::new(configuration().into_bytes()));
    for bucket in 0..64 {
        let line = format!("{TOKEN} a.example 4102444800 {TOKEN}.thumbprint\n");
        let _ = host.set_shared_data(&format!("envoy-autocert/http-01/{bucket}"), line.as_bytes(), 0);
    }
    let mut root = Root::new(host.clone());
    assert!(root.configure());
    let is_right = (method == "GET" || method == "HEAD")
        && asked == format!("/.well-known/acme-challenge/{TOKEN}")
        && authority.to_ascii_lowercase().starts_with("a.example");
    let headers = [(":method", method), (":path", asked), (":authority", authority)];
    host.request.replace(headers.map(|(name, value)| (name.to_owned(), value)).into());
    let answered = root.stream().request() == Action::Pause;
    assert!(is_right || !answered, "{text:?} is answered");
}

fn configuration() -> String {
    let acme = json!({
        "email": "ops@example.com", "caServer": "https://ca.example/directory", "keyType": "EC256",
        "httpChallenge": {"entryPoint": "web"},
    });
    json!({
        "certificatesResolvers": {"le": {"acme": acme}},
        "routers": {"r": {"rule": "Host(`a.example`) || Host(`b.example`)", "tls": {"certResolver": "le"}}},
        "sidecar": {"cluster": "sidecar", "token": "the-token-of-the-fuzzer"},
        "entryPoint": "web",
    })
    .to_string()
}

/// A callout of the plugin's.
struct Call {
    cluster: String,
    method: String,
    path: String,
    authority: String,
    body: Vec<u8>,
}

/// A host controlled by the input.
struct Host {
    configuration: Vec<u8>,
    now: Cell<u64>,
    ahead: Cell<i32>,
    calls: RefCell<VecDeque<(Token, Call)>>,
    tokens: Cell<Token>,
    answer: RefCell<(Fields, Vec<u8>)>,
    request: RefCell<BTreeMap<String, String>>,
    shared: RefCell<BTreeMap<String, (Vec<u8>, u32)>>,
    web: Web,
}

impl Host {
    fn new(configuration: Vec<u8>) -> Self {
        Self {
            configuration,
            now: Cell::new(1_767_225_600_000),
            ahead: Cell::default(),
            calls: RefCell::default(),
            tokens: Cell::default(),
            answer: RefCell::default(),
            request: RefCell::default(),
            shared: RefCell::default(),
            web: Web::default(),
        }
    }
}

impl Proxy for Host {
    fn log(&self, _: Level, line: &str) {
        assert!(!line.chars().any(char::is_control), "{line:?} is logged");
    }

    fn wall_nanos(&self) -> Option<u64> {
        let millis = self.now.get().checked_add_signed(i64::from(self.ahead.get()).saturating_mul(100_000));
        millis.map(|millis| millis.saturating_mul(1_000_000))
    }

    fn monotonic_nanos(&self) -> Option<u64> {
        Some(self.now.get().saturating_mul(1_000_000))
    }

    fn random(&self, buffer: &mut [u8]) -> bool {
        buffer.fill(self.now.get().to_le_bytes()[0]);
        true
    }

    fn memory_bytes(&self) -> u64 {
        u64::MAX
    }

    fn set_tick_period(&self, _: u32) -> std::result::Result<(), Status> {
        Ok(())
    }

    fn call(
        &self,
        cluster: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        _: Duration,
    ) -> std::result::Result<Token, Status> {
        let header = |name: &str| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        // Few tokens, so that the host gives them out again.
        let token = self.tokens.get() % 200;
        self.tokens.set(token + 1);
        let call = Call {
            cluster: cluster.to_owned(),
            method: header(":method").unwrap_or_default(),
            path: header(":path").unwrap_or_default(),
            authority: header(":authority").unwrap_or_default(),
            body: body.to_vec(),
        };
        self.calls.borrow_mut().push_back((token, call));
        Ok(token)
    }

    fn shared_data(&self, key: &str) -> std::result::Result<Option<(Vec<u8>, u32)>, Status> {
        Ok(self.shared.borrow().get(key).cloned())
    }

    fn set_shared_data(&self, key: &str, value: &[u8], cas: u32) -> std::result::Result<(), Status> {
        let mut shared = self.shared.borrow_mut();
        let current = shared.get(key).map_or(0, |(_, cas)| *cas);
        if cas != 0 && current != 0 && current != cas {
            return Err(Status::CasMismatch);
        }
        shared.insert(key.to_owned(), (value.to_vec(), current + 1));
        Ok(())
    }

    fn buffer(&self, buffer: Buffer, limit: usize) -> std::result::Result<Vec<u8>, Status> {
        let mut bytes = match buffer {
            Buffer::AnswerBody => self.answer.borrow().1.clone(),
            Buffer::Configuration => self.configuration.clone(),
            Buffer::VmConfiguration => Vec::new(),
        };
        bytes.truncate(limit);
        Ok(bytes)
    }

    fn answer_headers(&self) -> std::result::Result<Vec<(String, String)>, Status> {
        Ok(self.answer.borrow().0.clone())
    }

    fn request_header(&self, name: &str) -> Option<String> {
        self.request.borrow().get(name).cloned()
    }

    fn respond(&self, _: u16, _: &[(&str, &str)], _: &[u8], _: &str) -> std::result::Result<(), Status> {
        Ok(())
    }

    fn define_metric(&self, _: MetricKind, _: &str) -> std::result::Result<u32, Status> {
        Ok(0)
    }

    fn increment_metric(&self, _: u32, _: i64) -> std::result::Result<(), Status> {
        Ok(())
    }

    fn record_metric(&self, _: u32, _: u64) -> std::result::Result<(), Status> {
        Ok(())
    }
}
