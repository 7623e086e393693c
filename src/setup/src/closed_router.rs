//! A router that is closed, since its guards are not supported.

/// A closed router: in its place, it answers 503 or closes connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClosedRouter {
    /// `http.routers.NAME` or `tcp.routers.NAME`.
    pub router: String,
    /// The source of the router.
    pub source: Option<String>,
    /// The unsupported guards, each with the path of the field.
    pub why: Vec<String>,
    /// True if the router has a service, which `--open` would expose.
    pub can_open: bool,
}

impl ClosedRouter {
    /// The router's path as `--open` takes it, on one line.
    pub fn path(&self) -> String {
        acme::one_line(&self.router)
    }

    /// The remedy, for a message.
    pub fn advice(&self) -> String {
        if self.can_open {
            let path = self.path();
            return format!("remove it if it is not needed, or serve it without, to everybody, by --open {path}");
        }
        "mend that, or take the router out".to_owned()
    }
}
