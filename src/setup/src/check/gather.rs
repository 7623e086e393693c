//! Gathers the listeners, clusters and extensions of a configuration from all its files.

use yaml::At;

use super::config_source::file;
use super::document::Document;
use super::kind::PIECES;
use super::typed::{typed, typed_config};
use super::{Finding, Report};

/// The configuration as Envoy would load it.
pub(crate) struct Envoy<'a> {
    /// The listeners.
    pub(crate) listeners: Vec<Listener<'a>>,
    /// Lists of HTTP filters without a listener.
    pub(crate) loose_filters: Vec<Vec<At<'a>>>,
    /// The clusters.
    pub(crate) clusters: Vec<At<'a>>,
    /// `bootstrap_extensions`.
    pub(crate) extensions: Vec<At<'a>>,
    /// `dynamic_resources.ads_config`.
    pub(crate) ads: Option<At<'a>>,
    /// All listeners are here.
    pub(crate) all_listeners: bool,
    /// All clusters are here.
    pub(crate) all_clusters: bool,
}

/// A listener.
pub(crate) struct Listener<'a> {
    /// The listener's fields.
    pub(crate) at: At<'a>,
    /// The listener's name; empty if it has none.
    pub(crate) name: &'a str,
    /// The listener's filter chains, the default one last.
    pub(crate) chains: Vec<Chain<'a>>,
}

/// A filter chain.
pub(crate) struct Chain<'a> {
    /// The chain's fields.
    pub(crate) at: At<'a>,
    /// True if the chain has a transport socket: its bytes are not plain HTTP.
    pub(crate) has_socket: bool,
    /// `common_tls_context`'s parent: a `DownstreamTlsContext`.
    pub(crate) tls: Option<At<'a>>,
    /// The HTTP filters of each connection manager.
    pub(crate) managers: Vec<Vec<At<'a>>>,
}

impl<'a> Envoy<'a> {
    pub(crate) fn gather(documents: &'a [Document], report: &mut Report) -> Self {
        let mut envoy = Self {
            listeners: Vec::new(),
            loose_filters: Vec::new(),
            clusters: Vec::new(),
            extensions: Vec::new(),
            ads: None,
            all_listeners: true,
            all_clusters: true,
        };
        let mut has_bootstrap = false;
        for document in documents {
            let top = document.top();
            match super::kind(&top) {
                super::DocumentKind::Bootstrap => {
                    has_bootstrap = true;
                    envoy.bootstrap(&top, documents, report);
                }
                super::DocumentKind::Pieces => envoy.pieces(&top),
                super::DocumentKind::Kubernetes | super::DocumentKind::Other => {}
            }
        }
        envoy.all_listeners &= has_bootstrap;
        envoy.all_clusters &= has_bootstrap;
        envoy
    }

    fn bootstrap(&mut self, top: &At<'a>, documents: &[Document], report: &mut Report) {
        if let Some(resources) = top.get("static_resources") {
            self.pieces(&resources);
        }
        self.extensions.extend(top.list("bootstrap_extensions"));
        self.ads = top.find("dynamic_resources.ads_config");
        for (field, what, all) in
            [("lds_config", "listeners", &mut self.all_listeners), ("cds_config", "clusters", &mut self.all_clusters)]
        {
            let Some(source) = top.get("dynamic_resources").and_then(|dynamic| dynamic.get(field)) else { continue };
            let file = file(&source);
            if file.is_some_and(|file| documents.iter().any(|document| document.source == file)) {
                continue;
            }
            *all = false;
            let from = file.map_or_else(|| "a management server".to_owned(), |file| format!("the file {file}"));
            let expected = format!("nothing: {what} that come from there are not checked");
            report.warning(Finding::at(&source, format!("{what} from {from}"), expected));
        }
    }

    /// Adds `listeners`, `clusters`, `resources`, `http_filters`, or one resource.
    fn pieces(&mut self, top: &At<'a>) {
        self.listeners.extend(top.list("listeners").iter().map(listener));
        self.clusters.extend(top.list("clusters"));
        for resource in top.list("resources").iter().chain([top]) {
            let Some(typed) = typed(resource) else { continue };
            match typed.name {
                "Listener" => self.listeners.push(listener(&typed.at)),
                "Cluster" => self.clusters.push(typed.at),
                _ => {}
            }
        }
        if top.items().iter().any(|item| item.entry("typed_config").is_some()) {
            self.loose_filters.push(top.items());
        }
        if let Some(filters) = top.get(PIECES[0]) {
            self.loose_filters.push(filters.items());
        }
        self.extensions.extend(top.list("bootstrap_extensions"));
    }

    /// Every filter chain with its listener.
    pub(crate) fn chains(&self) -> impl Iterator<Item = (&Listener<'a>, &Chain<'a>)> {
        self.listeners.iter().flat_map(|listener| listener.chains.iter().map(move |chain| (listener, chain)))
    }

    /// The HTTP filters of every connection manager, with its listener and chain.
    pub(crate) fn managers(&self) -> impl Iterator<Item = (&Listener<'a>, &Chain<'a>, &Vec<At<'a>>)> {
        let chains = self.chains();
        chains.flat_map(|(listener, chain)| chain.managers.iter().map(move |filters| (listener, chain, filters)))
    }

    /// The cluster of this name.
    pub(crate) fn cluster(&self, name: &str) -> Option<&At<'a>> {
        self.clusters.iter().find(|cluster| cluster.text_of("name") == Some(name))
    }

    /// The names of all clusters.
    pub(crate) fn cluster_names(&self) -> impl Iterator<Item = &'a str> {
        self.clusters.iter().filter_map(|cluster| cluster.text_of("name"))
    }
}

fn listener<'a>(at: &At<'a>) -> Listener<'a> {
    let chains = at.list("filter_chains").into_iter().chain(at.get("default_filter_chain"));
    let chains = chains.map(chain).collect();
    Listener { at: at.clone(), name: at.text_of("name").unwrap_or_default(), chains }
}

fn chain(at: At<'_>) -> Chain<'_> {
    let socket = at.get("transport_socket");
    let typed = socket.as_ref().and_then(typed_config);
    // These transport sockets encrypt nothing.
    let has_socket = match &typed {
        Some(typed) => !matches!(typed.name, "RawBuffer" | "ProxyProtocolUpstreamTransport"),
        None => socket.is_some(),
    };
    let tls = typed.and_then(|typed| match typed.name {
        "DownstreamTlsContext" => Some(typed.at),
        "QuicDownstreamTransport" => typed.at.get("downstream_tls_context"),
        _ => None,
    });
    let filters = at.list("filters");
    let managers = filters.iter().filter_map(typed_config).filter(|typed| typed.name == "HttpConnectionManager");
    let managers = managers.map(|typed| typed.at.list("http_filters")).collect();
    Chain { at, has_socket, tls, managers }
}
