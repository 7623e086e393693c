//! Finds every use of a cluster: routes, weights, mirrors, matcher trees, TCP proxies, filters that call out, access
//! logs, tracing, other plugins' configurations.
//!
//! Envoy's fields for it are called `cluster`, `…_cluster`, `cluster_name` and the like in every message, so they are
//! recognized by their names, not by their position. Legitimate uses are left out: sources of secrets, and our plugin's
//! own cluster.

use std::collections::HashSet;
use std::ptr;

use yaml::{At, Kind, Node};

use super::super::config_source::file;
use super::super::plugin::Plugin;
use super::super::typed::typed;

/// A field that says where requests go.
pub(crate) struct Use<'a> {
    /// The field.
    pub(super) at: At<'a>,
    /// The destination in the field.
    pub(crate) what: What<'a>,
    /// The route around the field, if there is one.
    pub(super) route: Option<At<'a>>,
}

/// The destination of requests.
pub(crate) enum What<'a> {
    /// Any cluster: the client chooses it, in this way.
    Chosen(&'static str),
    /// A cluster's name.
    Cluster(&'a str),
    /// Code that can name clusters.
    Code(&'a str),
    /// Routes that are not here; the file that has them, if it is one.
    Elsewhere(Option<&'a str>),
    /// Endpoints of a cluster that are in this file.
    Endpoints(&'a str),
    /// A host of Istio's that requests are routed to.
    Host(&'a str),
    /// An address without a cluster, as a gRPC target.
    Target(&'a str),
}

/// Fields that end like those that name clusters, but do not name a destination of requests.
const OTHERS: [&str; 1] = ["local_cluster_name"];

/// Extensions with code that can call any cluster, by the last part of their type's name.
const CODE: [&str; 6] = ["DynamicModuleFilter", "Lua", "LuaConfig", "LuaPerRoute", "Wasm", "WasmService"];

/// Package of such an extension whose type has the meaningless name `Config`.
const GOLANG: &str = "golang";

/// The certificate selector that requests secrets from its `config_source`.
const SELECTOR: &str = "on_demand_secret";

/// The network filter that uses the server name of a handshake as a cluster's name.
const SNI_CLUSTER: &str = "SniCluster";

/// The name under which the TCP proxy finds a cluster that a filter before it has chosen.
const CHOSEN_FOR_TCP: &str = "envoy.tcp_proxy.cluster";

/// All uses of clusters in these documents.
pub(crate) fn uses<'a>(tops: &[At<'a>], plugins: &[Plugin<'a>]) -> Vec<Use<'a>> {
    let own = ["configuration", "pluginConfig"].into_iter();
    let own = own.flat_map(|field| plugins.iter().filter_map(move |plugin| plugin.at.get(field)));
    let mut walk = Walk { own: own.map(|at| ptr::from_ref(at.node.shared())).collect(), ..Walk::default() };
    for top in tops {
        walk.value(top, &Context::default());
    }
    walk.found
}

/// Context of a node, from the nodes above it.
#[derive(Clone, Default)]
struct Context<'a> {
    /// The field that the node is the value of, or an item of the list of, in snake case.
    field: String,
    /// The field of the object around it.
    around: String,
    /// True below an extension with code.
    is_code: bool,
    /// The nearest route around the node.
    route: Option<At<'a>>,
}

/// A node with its context: the field, the field around it, whether it is below code, the route.
type Seen = (*const Node, String, String, bool, Option<*const Node>);

impl Context<'_> {
    /// The key of a visited node: an alias is visited again only in another context.
    fn key(&self, node: &Node) -> Seen {
        let route = self.route.as_ref().map(|route| ptr::from_ref(route.node.shared()));
        (ptr::from_ref(node.shared()), self.field.clone(), self.around.clone(), self.is_code, route)
    }
}

#[derive(Default)]
struct Walk<'a> {
    found: Vec<Use<'a>>,
    /// The configurations of our plugin.
    own: HashSet<*const Node>,
    seen: HashSet<Seen>,
}

impl<'a> Walk<'a> {
    fn value(&mut self, at: &At<'a>, context: &Context<'a>) {
        if self.own.contains(&ptr::from_ref(at.node.shared())) {
            return;
        }
        match &at.node.kind {
            Kind::Nothing => {}
            Kind::Scalar(_) => self.text(at, context),
            Kind::List(_) | Kind::Table(_) if !self.seen.insert(context.key(at.node)) => {}
            Kind::List(_) => at.items().iter().for_each(|item| self.value(item, context)),
            Kind::Table(_) => self.table(at, context),
        }
    }

    fn table(&mut self, at: &At<'a>, context: &Context<'a>) {
        let typed = typed(at);
        let is_code = typed.as_ref().is_some_and(|typed| CODE.contains(&typed.name) || typed.full.contains(GOLANG));
        let is_selector = typed.as_ref().is_some_and(|typed| typed.full.contains(SELECTOR));
        if typed.as_ref().is_some_and(|typed| typed.name == SNI_CLUSTER) {
            self.push(at, What::Chosen("the handshake's SNI names"), context);
        }
        let is_route = at.entry("match").is_some() && at.entry("route").is_some();
        let route = if is_route { Some(at.clone()) } else { context.route.clone() };
        self.object(at, context);
        for (key, member) in at.members() {
            let field = snake(key);
            let is_of_secrets = match field.as_str() {
                "sds_config" => true,
                "ads_config" => context.field == "dynamic_resources",
                "config_source" => is_selector,
                _ => false,
            };
            if !is_of_secrets {
                let (around, is_code) = (context.field.clone(), context.is_code || is_code);
                self.value(&member, &Context { field, around, is_code, route: route.clone() });
            }
        }
    }

    /// Reads the uses in an object as a whole.
    fn object(&mut self, at: &At<'a>, context: &Context<'a>) {
        let (field, around) = (context.field.as_str(), context.around.as_str());
        match (field, around) {
            // Everywhere else this field is the name of a cluster that is defined there.
            ("clusters", "weighted_clusters") => {
                if let Some((name, text)) = at.get("name").and_then(|name| Some((name.clone(), name.text()?))) {
                    self.push(&name, What::Cluster(text), context);
                }
            }
            ("inline_cluster_specifier_plugin", _) => self.push(at, What::Chosen(BY_A_PLUGIN), context),
            ("rds" | "vhds", _) => {
                if let Some(source) = at.get("config_source") {
                    self.push(&source, What::Elsewhere(file(&source)), context);
                }
            }
            ("eds_config", _) => {
                if let Some(file) = file(at) {
                    self.push(at, What::Endpoints(file), context);
                }
            }
            ("rds_config_source", _) => self.push(at, What::Elsewhere(file(at)), context),
            _ => {}
        }
        if at.text_of("object_key") == Some(CHOSEN_FOR_TCP)
            && let Some(format) = at.find("format_string.text_format_source.inline_string")
            && let Some(text) = format.text()
        {
            let what =
                if text.contains('%') { What::Chosen("depends on the client's request") } else { What::Cluster(text) };
            self.push(&format, what, context);
        }
    }

    fn text(&mut self, at: &At<'a>, context: &Context<'a>) {
        let Some(text) = at.text().filter(|text| !text.is_empty()) else { return };
        let what = match (context.field.as_str(), context.around.as_str()) {
            ("cluster_header", _) => What::Chosen("a header names"),
            ("cluster_specifier_plugin", _) => What::Chosen(BY_A_PLUGIN),
            ("target_uri", _) => What::Target(text),
            ("host", "destination" | "mirror") => What::Host(text),
            // The cluster that this Envoy belongs to, and the cluster of endpoints.
            ("cluster", "node") | ("cluster_name", "load_assignment" | "resources") => return,
            (field, _) if names_a_cluster(field) => What::Cluster(text),
            _ if context.is_code => What::Code(text),
            _ => return,
        };
        self.push(at, what, context);
    }

    fn push(&mut self, at: &At<'a>, what: What<'a>, context: &Context<'a>) {
        self.found.push(Use { at: at.clone(), what, route: context.route.clone() });
    }
}

/// The way in which a cluster specifier chooses.
const BY_A_PLUGIN: &str = "a plugin chooses, maybe by the client's request";

fn names_a_cluster(field: &str) -> bool {
    let is_called_so = matches!(field, "cluster" | "clusters" | "cluster_name" | "cluster_names")
        || field.ends_with("_cluster")
        || field.ends_with("_cluster_name");
    is_called_so && !OTHERS.contains(&field)
}

/// Converts `staticResources` to `static_resources`.
fn snake(camel: &str) -> String {
    let mut snake = String::with_capacity(camel.len());
    for letter in camel.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
