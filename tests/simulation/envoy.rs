//! An Envoy in this process: the real plugin, in as many instances as the Envoy has threads for it, and the host that
//! they see. Instances share its data and nothing else.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use envoy_autocert::simulation::{Buffer, Level, MetricKind, Proxy, Root, Status, Token};

use super::dice::Dice;
use super::time::Time;
use super::trace::Trace;

/// Envoy's shared data.
pub type Shared = Rc<RefCell<BTreeMap<String, (Vec<u8>, u32)>>>;

/// A callout that an instance has made.
#[derive(Clone, Debug)]
pub struct Callout {
    pub token: Token,
    pub cluster: String,
    pub method: String,
    pub path: String,
    pub authority: String,
    pub fence: Option<String>,
    pub body: Vec<u8>,
    pub timeout: i64,
}

/// The answer to a callout: a status with headers and a body; `None` is a reset.
pub type Answered = Option<(u16, Fields, Vec<u8>)>;

/// Header fields.
pub type Fields = Vec<(String, String)>;

/// An instance of the plugin.
pub struct Vm {
    /// The instance's number, unlike any other's.
    pub number: u64,
    root: Root,
    host: Rc<Host>,
    /// When its next tick is due, if it ticks.
    pub next_tick: Option<i64>,
    /// The time until which the instance does nothing: its thread is suspended.
    pub suspended_until: i64,
}

struct Host {
    name: String,
    time: Rc<Time>,
    dice: Rc<Dice>,
    trace: Rc<Trace>,
    shared: Shared,
    configuration: Vec<u8>,
    period: Cell<u32>,
    tokens: Cell<Token>,
    calls: RefCell<VecDeque<Callout>>,
    answer: RefCell<(Fields, Vec<u8>)>,
    request: RefCell<Vec<(&'static str, String)>>,
    response: RefCell<Option<Vec<u8>>>,
    metrics: Cell<u32>,
}

impl Vm {
    /// An instance with this configuration.
    pub fn new(
        number: u64,
        name: String,
        configuration: &str,
        shared: &Shared,
        (time, dice, trace): (&Rc<Time>, &Rc<Dice>, &Rc<Trace>),
    ) -> Self {
        let host = Rc::new(Host {
            name,
            time: time.clone(),
            dice: dice.clone(),
            trace: trace.clone(),
            shared: shared.clone(),
            configuration: configuration.as_bytes().to_vec(),
            period: Cell::new(0),
            tokens: Cell::new(0),
            calls: RefCell::default(),
            answer: RefCell::default(),
            request: RefCell::default(),
            response: RefCell::default(),
            metrics: Cell::new(0),
        });
        let mut root = Root::new(host.clone());
        assert!(root.configure(), "the configuration is good");
        let mut vm = Self { number, root, host, next_tick: None, suspended_until: 0 };
        vm.reckon(0);
        vm
    }

    /// Ticks.
    pub fn tick(&mut self) {
        self.root.tick();
        self.reckon(0);
    }

    /// Delivers the answer to a callout.
    pub fn answered(&mut self, token: Token, answered: Answered) {
        let period = self.host.period.get();
        let (headers, body) = match answered {
            None => (Vec::new(), Vec::new()),
            Some((status, mut headers, body)) => {
                headers.insert(0, (":status".to_owned(), status.to_string()));
                (headers, body)
            }
        };
        let (count, size) = (headers.len(), body.len());
        self.host.answer.replace((headers, body));
        self.root.answered(token, count, size);
        self.reckon(period);
    }

    /// Takes the next callout that the instance has made.
    pub fn take_call(&mut self) -> Option<Callout> {
        self.host.calls.borrow_mut().pop_front()
    }

    /// The answer to an HTTP-01 request; `None` if the instance lets it pass.
    pub fn responds(&mut self, host: &str, token: &str) -> Option<String> {
        let path = format!("/.well-known/acme-challenge/{token}");
        let request = vec![(":method", "GET".to_owned()), (":path", path), (":authority", host.to_owned())];
        self.host.request.replace(request);
        self.host.response.replace(None);
        self.root.stream().request();
        String::from_utf8(self.host.response.take()?).ok()
    }

    /// A tick that was due before, and is not set anew, stays due.
    fn reckon(&mut self, period_before: u32) {
        let period = self.host.period.get();
        if period != period_before || period_before == 0 {
            self.next_tick = (period != 0).then(|| self.host.time.now() + i64::from(period));
        }
    }
}

impl Proxy for Host {
    fn log(&self, _: Level, line: &str) {
        self.trace.note(|| format!("{}: {line}", self.name));
    }

    fn wall_nanos(&self) -> Option<u64> {
        Some(self.time.wall_millis().unsigned_abs() * 1_000_000)
    }

    fn monotonic_nanos(&self) -> Option<u64> {
        // The machine has been up for a while.
        Some((self.time.now() + super::time::DAY).unsigned_abs() * 1_000_000)
    }

    fn random(&self, buffer: &mut [u8]) -> bool {
        buffer.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&self.dice.any().to_le_bytes()[..chunk.len()]));
        true
    }

    fn memory_bytes(&self) -> u64 {
        0
    }

    fn set_tick_period(&self, milliseconds: u32) -> Result<(), Status> {
        self.period.set(milliseconds);
        Ok(())
    }

    fn call(&self, cluster: &str, headers: &[(&str, &str)], body: &[u8], timeout: Duration) -> Result<Token, Status> {
        let header = |name: &str| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let token = self.tokens.get() + 1;
        self.tokens.set(token);
        self.calls.borrow_mut().push_back(Callout {
            token,
            cluster: cluster.to_owned(),
            method: header(":method").unwrap_or_default(),
            path: header(":path").unwrap_or_default(),
            authority: header(":authority").unwrap_or_default(),
            fence: header(protocol::FENCE_HEADER),
            body: body.to_vec(),
            timeout: i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX),
        });
        Ok(token)
    }

    fn shared_data(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, Status> {
        Ok(self.shared.borrow().get(key).cloned())
    }

    fn set_shared_data(&self, key: &str, value: &[u8], cas: u32) -> Result<(), Status> {
        let mut shared = self.shared.borrow_mut();
        let current = shared.get(key).map_or(0, |(_, cas)| *cas);
        if cas != 0 && current != 0 && current != cas {
            return Err(Status::CasMismatch);
        }
        shared.insert(key.to_owned(), (value.to_vec(), current + 1));
        Ok(())
    }

    fn buffer(&self, buffer: Buffer, limit: usize) -> Result<Vec<u8>, Status> {
        let mut bytes = match buffer {
            Buffer::AnswerBody => self.answer.borrow().1.clone(),
            Buffer::Configuration => self.configuration.clone(),
            Buffer::VmConfiguration => Vec::new(),
        };
        bytes.truncate(limit);
        Ok(bytes)
    }

    fn answer_headers(&self) -> Result<Vec<(String, String)>, Status> {
        Ok(self.answer.borrow().0.clone())
    }

    fn request_header(&self, name: &str) -> Option<String> {
        self.request.borrow().iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone())
    }

    fn respond(&self, _: u16, _: &[(&str, &str)], body: &[u8], _: &str) -> Result<(), Status> {
        self.response.replace(Some(body.to_vec()));
        Ok(())
    }

    fn define_metric(&self, _: MetricKind, _: &str) -> Result<u32, Status> {
        self.metrics.set(self.metrics.get() + 1);
        Ok(self.metrics.get())
    }

    fn increment_metric(&self, _: u32, _: i64) -> Result<(), Status> {
        Ok(())
    }

    fn record_metric(&self, _: u32, _: u64) -> Result<(), Status> {
        Ok(())
    }
}
