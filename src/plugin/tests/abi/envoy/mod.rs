//! A scripted Envoy: one process with its clocks, shared data, log and statistics, and the VMs that run in it.

mod imports;
mod wasm;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::RangeBounds;
use std::rc::Rc;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use wasmi::{Instance, Linker, Store, TypedFunc, WasmParams, WasmResults};

pub(crate) use self::imports::{BAD_ARGUMENT, INTERNAL_FAILURE};
pub(crate) use self::wasm::{bytes, module};

/// 2026-01-01T00:00:00Z in milliseconds.
pub(crate) const START: u64 = 1_767_225_600_000;

/// Envoy's log levels.
pub(crate) const DEBUG: u32 = 1;
pub(crate) const INFO: u32 = 2;

/// The token of the sidecar's API in all configurations.
pub(crate) const TOKEN: &str = "the-token-of-the-abi-tests";

/// The state that all VMs of a process share.
#[derive(Clone, Default)]
pub(crate) struct Process(Rc<RefCell<ProcessState>>);

#[derive(Default)]
pub(crate) struct ProcessState {
    /// Milliseconds on the monotonic clock.
    pub(crate) now: u64,
    /// By how much the wall clock has been set, in milliseconds.
    pub(crate) wall_ahead: i64,
    pub(crate) shared: BTreeMap<String, (Vec<u8>, u32)>,
    pub(crate) last_cas: u32,
    pub(crate) log: Vec<(u32, String)>,
    pub(crate) metrics: Vec<(u32, String)>,
    pub(crate) values: BTreeMap<String, i64>,
    pub(crate) random: u64,
    /// Host functions that are refused, as by `capability_restriction_config`.
    pub(crate) refused: Vec<&'static str>,
    /// The status that `proxy_http_call` answers for a cluster, instead of taking the call.
    pub(crate) dispatch: BTreeMap<String, u32>,
}

impl Process {
    /// Looks at, or changes, what the VMs share.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut ProcessState) -> T) -> T {
        look(&mut self.0.borrow_mut())
    }

    /// Lets time pass on both clocks, in milliseconds.
    pub(crate) fn advance(&self, millis: u64) {
        self.with(|state| state.now += millis);
    }

    /// All log lines, at any level.
    pub(crate) fn log(&self) -> Vec<String> {
        self.with(|state| state.log.iter().map(|(_, line)| line.clone()).collect())
    }

    /// How many log lines contain this, those for developers left out.
    pub(crate) fn logged(&self, part: &str) -> usize {
        self.logged_at(INFO.., part)
    }

    /// How many log lines of these levels contain this.
    pub(crate) fn logged_at(&self, levels: impl RangeBounds<u32>, part: &str) -> usize {
        let is_it = |(level, line): &&(u32, String)| levels.contains(level) && line.contains(part);
        self.with(|state| state.log.iter().filter(is_it).count())
    }

    /// A metric's value.
    pub(crate) fn metric(&self, name: &str) -> Option<i64> {
        self.with(|state| state.values.get(name).copied())
    }

    /// Writes shared data as an instance with this token does: HMAC-SHA-256 of key and value, by a key that is the same of
    /// what it is for, before the value.
    pub(crate) fn set_signed(&self, token: &str, key: &str, value: &[u8]) {
        let mac = |key: &[u8], text: &[u8]| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
            mac.update(text);
            mac.finalize().into_bytes()
        };
        let signer = mac(token.as_bytes(), b"envoy-autocert: signatures in shared data, v1");
        let signature = mac(&signer, &[key.as_bytes(), b"\n", value].concat());
        self.set_shared(key, &[&[1], signature.as_slice(), value].concat());
    }

    /// Writes shared data, as any other plugin with this `vm_id` can.
    pub(crate) fn set_shared(&self, key: &str, value: &[u8]) {
        self.with(|state| {
            state.last_cas += 1;
            state.shared.insert(key.to_owned(), (value.to_vec(), state.last_cas));
        });
    }
}

/// A callout that the plugin made.
#[derive(Clone, Debug)]
pub(crate) struct Callout {
    pub(crate) context: u32,
    pub(crate) token: u32,
    pub(crate) cluster: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) timeout: u32,
}

impl Callout {
    /// A header's value, or nothing.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn path(&self) -> &str {
        self.header(":path")
    }

    pub(crate) fn method(&self) -> &str {
        self.header(":method")
    }
}

/// An answer to a callout.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) headers: Vec<(String, String)>,
    /// Headers that come after these, and need not be text.
    pub(crate) raw_headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// An answer that an upstream gave.
    pub(crate) fn genuine(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let headers = [(":status", status.to_string()), ("x-envoy-upstream-service-time", "1".to_owned())];
        let headers = headers.map(|(name, value)| (name.to_owned(), value)).to_vec();
        Self { headers, body: body.into(), ..Self::default() }
    }

    /// An answer that Envoy made up.
    pub(crate) fn local(status: u16, body: &str) -> Self {
        let headers = vec![(":status".to_owned(), status.to_string())];
        Self { headers, body: body.as_bytes().to_vec(), ..Self::default() }
    }
}

/// The fate of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The request went on to the next filter.
    Continued,
    /// The plugin answered.
    Answered { status: u32, details: String, headers: Vec<(String, String)>, body: String },
}

/// The state that the host functions of one VM see.
pub(crate) struct VmState {
    process: Process,
    /// The context that is being called.
    context: u32,
    vm_configuration: Vec<u8>,
    configuration: Vec<u8>,
    request: Vec<(String, Vec<u8>)>,
    answer: Answer,
    response: Option<Outcome>,
    callouts: Vec<Callout>,
    ticks: BTreeMap<u32, u32>,
    next_token: u32,
}

/// A VM.
pub(crate) struct Vm {
    store: Store<VmState>,
    instance: Instance,
    process: Process,
    next_context: u32,
}

impl Vm {
    /// Loads and starts the module, as Envoy does for each thread.
    pub(crate) fn start(process: &Process) -> Self {
        Self::start_with(process, b"")
    }

    /// The same with a configuration of the VM's own.
    pub(crate) fn start_with(process: &Process, vm_configuration: &[u8]) -> Self {
        let state = VmState {
            process: process.clone(),
            context: 0,
            vm_configuration: vm_configuration.to_vec(),
            configuration: Vec::new(),
            request: Vec::new(),
            answer: Answer::default(),
            response: None,
            callouts: Vec::new(),
            ticks: BTreeMap::new(),
            next_token: 1,
        };
        let module = module();
        let mut store = Store::new(module.engine(), state);
        let mut linker = Linker::new(module.engine());
        imports::define(&mut linker);
        let instance = linker.instantiate_and_start(&mut store, module).expect("the module links");
        let mut vm = Self { store, instance, process: process.clone(), next_context: 1 };
        vm.call::<(), ()>("_initialize", ());
        vm
    }

    /// Makes a root context and configures it. Returns the context, or `None` when the configuration was refused.
    pub(crate) fn root(&mut self, configuration: &[u8]) -> Option<u32> {
        let context = self.create(0);
        assert_eq!(self.call::<(u32, u32), u32>("proxy_on_vm_start", (context, 0)), 1);
        configuration.clone_into(&mut self.store.data_mut().configuration);
        let size = u32::try_from(configuration.len()).unwrap();
        let accepted = self.enter::<(u32, u32), u32>("proxy_on_configure", context, (context, size));
        (accepted != 0).then_some(context)
    }

    /// Makes a context.
    pub(crate) fn create(&mut self, parent: u32) -> u32 {
        let context = self.next_context;
        self.next_context += 1;
        self.call::<(u32, u32), ()>("proxy_on_context_create", (context, parent));
        context
    }

    /// Ends a context.
    pub(crate) fn delete(&mut self, context: u32) {
        self.enter::<u32, ()>("proxy_on_delete", context, context);
    }

    /// Calls a root context's tick.
    pub(crate) fn tick(&mut self, context: u32) {
        self.enter::<u32, ()>("proxy_on_tick", context, context);
    }

    /// The tick period that a root context asked for, in milliseconds.
    pub(crate) fn tick_period(&self, context: u32) -> u32 {
        self.store.data().ticks.get(&context).copied().unwrap_or_default()
    }

    /// The callouts made since the last look.
    pub(crate) fn callouts(&mut self) -> Vec<Callout> {
        std::mem::take(&mut self.store.data_mut().callouts)
    }

    /// Answers a callout.
    pub(crate) fn answer(&mut self, context: u32, token: u32, answer: Answer) {
        let size = answer.body.len();
        self.answer_sized(context, token, answer, size);
    }

    /// Answers a callout, and lies about the size of the body.
    pub(crate) fn answer_sized(&mut self, context: u32, token: u32, answer: Answer, size: usize) {
        let headers = u32::try_from(answer.headers.len() + answer.raw_headers.len()).unwrap();
        self.store.data_mut().answer = answer;
        let size = u32::try_from(size).unwrap();
        let name = "proxy_on_http_call_response";
        self.enter::<(u32, u32, u32, u32, u32), ()>(name, context, (context, token, headers, size, 0));
    }

    /// Makes the next callout bear this token.
    pub(crate) fn repeat_token(&mut self, token: u32) {
        self.store.data_mut().next_token = token;
    }

    /// Sends a request through a stream of the root context.
    pub(crate) fn request(&mut self, root: u32, headers: &[(&str, &str)]) -> Outcome {
        let context = self.create(root);
        let outcome = self.request_in(context, headers);
        self.delete(context);
        outcome
    }

    /// Sends a request's headers into a context.
    pub(crate) fn request_in(&mut self, context: u32, headers: &[(&str, &str)]) -> Outcome {
        let headers = headers.iter().map(|(name, value)| (*name, value.as_bytes().to_vec())).collect::<Vec<_>>();
        self.request_of_bytes(context, &headers)
    }

    /// The same with values that need not be text.
    pub(crate) fn request_of_bytes(&mut self, context: u32, headers: &[(&str, Vec<u8>)]) -> Outcome {
        let owned = headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        self.store.data_mut().request = owned;
        let count = u32::try_from(headers.len()).unwrap();
        let action = self.enter::<(u32, u32, u32), u32>("proxy_on_request_headers", context, (context, count, 1));
        match (action, self.store.data_mut().response.take()) {
            (0, None) => Outcome::Continued,
            (1, Some(outcome)) => outcome,
            other => panic!("action and answer don't go together: {other:?}"),
        }
    }

    /// How much linear memory the VM has, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.instance.get_memory(&self.store, "memory").unwrap().data_size(&self.store)
    }

    fn enter<P: WasmParams, R: WasmResults>(&mut self, name: &str, context: u32, params: P) -> R {
        self.store.data_mut().context = context;
        self.call(name, params)
    }

    fn call<P: WasmParams, R: WasmResults>(&mut self, name: &str, params: P) -> R {
        let function: TypedFunc<P, R> = self.instance.get_typed_func(&self.store, name).expect(name);
        match function.call(&mut self.store, params) {
            Ok(result) => result,
            Err(trap) => panic!("{name} trapped: {trap}\nthe log: {:#?}", self.process.log()),
        }
    }
}
