//! The world around the plugin: a sidecar and a CA that answer its callouts, and a clock that moves on by itself.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use acme::scripted::{Ca, Settings, Web};
use acme::{Method, Request};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::envoy::{Answer, Callout, Outcome, Process, START, TOKEN, Vm};

/// The cluster that the CA has unless the configuration names one: its host.
pub(crate) const CA_CLUSTER: &str = "ca.example";

/// A configuration with one resolver, and one certificate wanted for each of the names.
pub(crate) fn configuration(role: &str, names: &[&str]) -> Vec<u8> {
    let routers = names.iter().enumerate().map(|(index, name)| {
        let router = json!({"rule": format!("Host(`{name}`)"), "tls": {"certResolver": "le"}});
        (format!("router-{index}"), router)
    });
    let acme = json!({
        "email": "ops@example.com",
        "caServer": "https://ca.example/directory",
        "keyType": "EC256",
        "httpChallenge": {"entryPoint": "web"},
    });
    json!({
        "role": role,
        "certificatesResolvers": {"le": {"acme": acme}},
        "routers": routers.collect::<serde_json::Map<_, _>>(),
        "sidecar": {"cluster": "sidecar", "token": TOKEN},
    })
    .to_string()
    .into_bytes()
}

/// Decides on a callout before the sidecar and the CA do: `Some(None)` leaves it without an answer.
type Interfere = Box<dyn FnMut(&Callout) -> Option<Option<Answer>>>;

/// A machine: an Envoy with its VMs, a sidecar, a CA.
pub(crate) struct World {
    pub(crate) process: Process,
    /// The VMs that are alive, with their root contexts and when each ticks next.
    vms: Vec<(Vm, u32, u64)>,
    pub(crate) sidecar: Sidecar,
    pub(crate) ca: Ca,
    web: Web,
    pub(crate) interfere: Option<Interfere>,
    /// Every callout that was made: the instance, the method and the path.
    pub(crate) journal: Vec<(usize, String)>,
}

impl World {
    /// A world without any VM.
    pub(crate) fn new() -> Self {
        let web: Web = Rc::new(RefCell::new(HashMap::new()));
        Self {
            process: Process::default(),
            vms: Vec::new(),
            sidecar: Sidecar::default(),
            ca: Ca::new(Settings::default(), &web),
            web,
            interfere: None,
            journal: Vec::new(),
        }
    }

    /// A world as Envoy makes it for a filter: an instance on the main thread and one on a worker.
    pub(crate) fn with_filter(configuration: &[u8]) -> Self {
        let mut world = Self::new();
        world.add(configuration);
        world.add(configuration);
        world
    }

    /// Starts another instance; returns its number.
    pub(crate) fn add(&mut self, configuration: &[u8]) -> usize {
        self.add_with(b"", configuration)
    }

    /// The same with a configuration of the VM's own.
    pub(crate) fn add_with(&mut self, vm_configuration: &[u8], configuration: &[u8]) -> usize {
        let mut vm = Vm::start_with(&self.process, vm_configuration);
        let root = vm.root(configuration).unwrap_or_else(|| panic!("refused: {:#?}", self.process.log()));
        let due = self.process.with(|process| process.now) + u64::from(vm.tick_period(root));
        self.vms.push((vm, root, due));
        self.vms.len() - 1
    }

    /// An instance stops as a trapped VM does: without a word, and for ever.
    pub(crate) fn freeze(&mut self, instance: usize) {
        self.vms[instance].2 = u64::MAX;
    }

    /// An instance goes on that was frozen.
    pub(crate) fn thaw(&mut self, instance: usize) {
        self.vms[instance].2 = self.process.with(|process| process.now);
    }

    /// An instance, and its root context.
    pub(crate) fn vm(&mut self, instance: usize) -> (&mut Vm, u32) {
        let (vm, root, _) = &mut self.vms[instance];
        (vm, *root)
    }

    /// Lets the world go on until this is so. Panics when it takes longer than that, in milliseconds.
    pub(crate) fn run_until(&mut self, limit: u64, mut reached: impl FnMut(&mut Self) -> bool) {
        let end = self.process.with(|process| process.now) + limit;
        while !reached(self) {
            let now = self.process.with(|process| process.now);
            assert!(now < end, "not reached in {limit} ms; the log: {:#?}", self.process.log());
            self.go_on(end);
        }
    }

    /// Lets that many milliseconds pass.
    pub(crate) fn run_for(&mut self, millis: u64) {
        let end = self.process.with(|process| process.now) + millis;
        while self.process.with(|process| process.now) < end {
            self.go_on(end);
        }
    }

    /// Answers what is asked, or else moves on to the next tick.
    fn go_on(&mut self, end: u64) {
        let mut answered = false;
        for instance in 0..self.vms.len() {
            if self.vms[instance].2 == u64::MAX {
                continue;
            }
            for callout in self.vms[instance].0.callouts() {
                answered = true;
                self.journal.push((instance, format!("{} {}", callout.method(), callout.path())));
                if let Some(answer) = self.answer(&callout) {
                    self.vms[instance].0.answer(callout.context, callout.token, answer);
                }
            }
        }
        if answered {
            self.process.advance(1);
            return;
        }
        let now = self.process.with(|process| process.now);
        let next = self.vms.iter().map(|(_, _, due)| *due).min().unwrap_or(u64::MAX).min(end).max(now + 1);
        self.process.advance(next - now);
        for (vm, root, due) in &mut self.vms {
            if *due <= next {
                vm.tick(*root);
                let period = u64::from(vm.tick_period(*root));
                *due = if period == 0 { u64::MAX - 1 } else { next + period };
            }
        }
    }

    fn answer(&mut self, callout: &Callout) -> Option<Answer> {
        if let Some(decided) = self.interfere.as_mut().and_then(|interfere| interfere(callout)) {
            return decided;
        }
        let (now, wall) = self.process.with(|process| (process.now, START + process.now));
        match callout.cluster.as_str() {
            "sidecar" => self.sidecar.answer(callout, now),
            CA_CLUSTER => {
                self.show_challenges();
                Some(self.ask_ca(callout, i64::try_from(wall).unwrap()))
            }
            other => Some(Answer::local(503, &format!("no healthy upstream in {other}"))),
        }
    }

    /// Puts on the CA's web what the last instance's responder answers, and what the sidecar does.
    fn show_challenges(&mut self) {
        for answer in &self.sidecar.answers {
            let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
            let host = answer["host"].as_str().or(answer["domain"].as_str()).unwrap().to_owned();
            self.web.borrow_mut().insert((host, text("token")), text("keyAuthorization"));
        }
        let Some((vm, root, _)) = self.vms.last_mut() else { return };
        for (token, host) in &self.sidecar.challenges_seen {
            let path = format!("/.well-known/acme-challenge/{token}");
            let headers = [(":method", "GET"), (":path", path.as_str()), (":authority", host.as_str())];
            let key = (host.clone(), token.clone());
            match vm.request(*root, &headers) {
                Outcome::Answered { status: 200, body, .. } => self.web.borrow_mut().insert(key, body),
                _ => self.web.borrow_mut().remove(&key),
            };
        }
    }

    fn ask_ca(&mut self, callout: &Callout, wall: i64) -> Answer {
        assert_eq!(callout.header(":authority"), "ca.example");
        assert!(callout.header("user-agent").starts_with("envoy-autocert/"), "RFC 8555 §6.1");
        let request = Request {
            method: match callout.method() {
                "GET" => Method::Get,
                "HEAD" => Method::Head,
                "POST" => Method::Post,
                other => panic!("{other} is no method of ACME"),
            },
            url: format!("https://ca.example{}", callout.path()),
            headers: Vec::new(),
            body: callout.body.clone(),
            timeout: std::time::Duration::from_millis(callout.timeout.into()),
            endpoint: "",
        };
        let response = self.ca.answer(&request, wall);
        let mut answer = Answer::genuine(response.status, response.body);
        answer.headers.extend(response.headers);
        answer
    }
}

/// A sidecar in memory: what `protocol` says, as far as the plugin can tell.
#[derive(Default)]
pub(crate) struct Sidecar {
    /// The lease: holder, epoch, fence, end.
    pub(crate) lease: Option<(String, u64, u64, u64)>,
    last_fence: u64,
    accounts: BTreeMap<String, Value>,
    /// The orders under way.
    pub(crate) orders: BTreeMap<String, Value>,
    attempts: BTreeMap<String, Value>,
    /// The published certificates as `protocol` lists them.
    pub(crate) certificates: BTreeMap<String, Value>,
    /// Every challenge that was ever published: token and host.
    challenges_seen: HashSet<(String, String)>,
    /// By how much it shortens the lease, in milliseconds.
    pub(crate) lease_cut: u64,
    /// True while another Envoy holds the lease.
    pub(crate) held_elsewhere: bool,
    /// The wants of other Envoys, and their revision.
    pub(crate) wants: (u64, Vec<Value>),
    /// The offers of this Envoy.
    pub(crate) offers: Vec<Value>,
    /// The fences under which something was stored.
    pub(crate) fences: Vec<u64>,
    /// The challenges that it is to answer itself, as `protocol` has them, and the paths of those that were withdrawn.
    pub(crate) answers: Vec<Value>,
    pub(crate) withdrawn: Vec<String>,
    /// How often it says that an answer is not ready yet.
    pub(crate) not_ready: u32,
    /// Why it can't answer any.
    pub(crate) refuses_answers: bool,
}

impl Sidecar {
    fn answer(&mut self, callout: &Callout, now: u64) -> Option<Answer> {
        assert_eq!(callout.header(":authority"), "sidecar");
        assert_eq!(callout.header("authorization"), format!("Bearer {TOKEN}"));
        let (path, query) = callout.path().split_once('?').unwrap_or((callout.path(), ""));
        let body: Value = serde_json::from_slice(&callout.body).unwrap_or_default();
        let stores = !matches!((callout.method(), path), ("GET", _) | (_, "/v1/lease" | "/v1/wants"));
        if stores {
            let fence = callout.header("x-autocert-fence").parse::<u64>().unwrap();
            let current = self.lease.as_ref().filter(|lease| lease.3 > now && !self.held_elsewhere);
            if current.map(|lease| lease.2) != Some(fence) {
                return Some(problem(409, "urn:envoy-autocert:fence-lost"));
            }
            self.fences.push(fence);
        }
        let answer = match (callout.method(), path) {
            ("POST", "/v1/lease") => self.ask_lease(&body, now),
            ("GET", "/v1/state") => self.state(),
            ("POST", "/v1/accounts") => self.account(&body),
            ("POST", "/v1/accounts/eab") => {
                let text = |key: &str| body[key].as_str().unwrap();
                assert!(body.get("hmacEncoded").is_none(), "the plugin knows no MAC key");
                let mac = acme::scripted::mac(b"c2VjcmV0", text("signingInput"));
                json!({"mac": URL_SAFE_NO_PAD.encode(mac)})
            }
            ("PUT", "/v1/accounts") => {
                let account = self.accounts.get_mut(body["resolver"].as_str().unwrap()).unwrap();
                account["url"] = body["url"].clone();
                account["contact"] = body["contact"].clone();
                account["fresh"] = json!(false);
                Value::Null
            }
            ("PUT", "/v1/orders") => {
                self.orders.insert(body["certificate"].to_string(), body);
                Value::Null
            }
            ("PUT", "/v1/attempts") => {
                if body["orderIsDead"] == true {
                    self.orders.remove(&body["certificate"].to_string());
                }
                self.attempts.insert(body["certificate"].to_string(), body);
                Value::Null
            }
            ("POST", "/v1/permits") => json!({"granted": true}),
            ("PUT", "/v1/pauses" | "/v1/renewals" | "/v1/unwanted") => Value::Null,
            ("POST", "/v1/csr") => json!({"csr": "MAA"}),
            ("POST", "/v1/certificates") => self.publish(&body),
            ("PUT", "/v1/challenges/http-01") => {
                let text = |key: &str| body[key].as_str().unwrap().to_owned();
                self.challenges_seen.insert((text("token"), text("host")));
                Value::Null
            }
            ("PUT", "/v1/challenges/tls-alpn-01" | "/v1/challenges/dns-01" | "/v1/challenges/dns-persist-01") => {
                self.answers.push(body);
                if self.refuses_answers {
                    return Some(problem(422, "urn:envoy-autocert:challenge"));
                }
                let ready = self.not_ready == 0;
                self.not_ready = self.not_ready.saturating_sub(1);
                json!({"ready": ready})
            }
            ("DELETE", path) if path.starts_with("/v1/challenges/") => {
                self.withdrawn.push(path.to_owned());
                Value::Null
            }
            ("PUT", "/v1/wants") => {
                self.offers.push(body);
                Value::Null
            }
            ("GET", "/v1/wants") => {
                if query == format!("after={}&wait=50&from=0", self.wants.0) {
                    // Held until something changes, which in these tests it does not.
                    return None;
                }
                json!({"revision": self.wants.0, "wants": self.wants.1})
            }
            (method, path) => panic!("{method} {path} is not in the protocol"),
        };
        Some(match answer {
            Value::Null => Answer::genuine(204, ""),
            answer => Answer::genuine(200, answer.to_string()),
        })
    }

    fn ask_lease(&mut self, body: &Value, now: u64) -> Value {
        let (holder, epoch) = (body["holder"].as_str().unwrap().to_owned(), body["epoch"].as_u64().unwrap());
        if self.held_elsewhere {
            return json!({"granted": false, "fence": 0, "expiresInMillis": 10_000});
        }
        let ttl = 10_000 - self.lease_cut;
        match &mut self.lease {
            Some(lease) if lease.3 > now && (lease.0 != holder || lease.1 > epoch) => {
                return json!({"granted": false, "fence": 0, "expiresInMillis": lease.3 - now});
            }
            Some(lease) if lease.3 > now && lease.1 == epoch => lease.3 = now + ttl,
            _ => {
                self.last_fence += 1;
                self.lease = Some((holder, epoch, self.last_fence, now + ttl));
            }
        }
        json!({"granted": true, "fence": self.last_fence, "expiresInMillis": ttl})
    }

    fn account(&mut self, body: &Value) -> Value {
        // A P-256 key in PKCS#8, made for this test: any number below the order is one.
        let mut der = b"\x30\x41\x02\x01\x00\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\
            \x03\x01\x07\x04\x27\x30\x25\x02\x01\x01\x04\x20"
            .to_vec();
        der.extend([7; 32]);
        let fresh = json!({"key": URL_SAFE_NO_PAD.encode(&der), "fresh": true, "url": null, "contact": []});
        self.accounts.entry(body["resolver"].as_str().unwrap().to_owned()).or_insert(fresh).clone()
    }

    fn state(&self) -> Value {
        let all = |map: &BTreeMap<String, Value>| map.values().cloned().collect::<Vec<_>>();
        json!({
            "certificates": all(&self.certificates),
            "provided": [],
            "orders": all(&self.orders),
            "attempts": all(&self.attempts),
        })
    }

    fn publish(&mut self, body: &Value) -> Value {
        let made = acme::scripted::Certificate::of(body["chain"].as_str().unwrap()).unwrap();
        let mut certificate = body["certificate"].clone();
        certificate["notBefore"] = json!(made.not_before);
        certificate["notAfter"] = json!(made.not_after);
        certificate["serial"] = json!(format!("{:x}", made.serial));
        certificate["issuer"] = json!("Scripted CA");
        certificate["keyType"] = json!("EC256");
        let key = body["certificate"].to_string();
        self.orders.remove(&key);
        self.attempts.remove(&key);
        self.certificates.insert(key, certificate.clone());
        json!({"certificate": certificate, "durable": true})
    }
}

/// A problem of the sidecar's.
pub(crate) fn problem(status: u16, kind: &str) -> Answer {
    Answer::genuine(status, json!({"type": kind, "title": "Problem", "status": status, "detail": "why"}).to_string())
}
