//! Takes over a changed configuration, or logs why not.
//!
//! Promises: after each change of a file the log says what came of it: in force, refused and why, mended, or in need of
//! a restart. The same refusal is logged once: a log that lies beside the files is a change of their directory.

use std::collections::BTreeSet;

use protocol::Want;
use setup::ClosedRouter;

use super::RunError;
use super::candidate::validate;
use super::envoy::Envoy;
use super::life::{HOLDER, Running};
use super::pieces::Pieces;
use super::ports::{self, Port};
use super::publish::{publish, write_all};
use crate::closed;

/// The outcome of reading a configuration anew.
enum Change {
    /// In force; so many of its routers are closed.
    Made { closed: usize },
    /// Envoy's configuration is unchanged.
    None,
}

impl Running {
    /// Takes over a changed configuration, or logs why not; the previous configuration stays then.
    pub(super) async fn reload(&mut self) {
        let changed = self.change().await;
        let was_refused = changed.is_ok() && self.sidecar.configuration().taken();
        match changed {
            Ok(Change::Made { closed: 0 }) => tracing::info!("the changed configuration is in force"),
            Ok(Change::Made { closed }) => {
                tracing::error!("the changed configuration is in force, in which routers are closed: {closed}");
            }
            Ok(Change::None) if was_refused => {
                tracing::info!("the configuration is valid again; it is the one in force");
            }
            Ok(Change::None) => {}
            Err(error) => {
                let lines = error.lines();
                if self.sidecar.configuration().refused(&lines) {
                    lines.iter().for_each(|line| tracing::error!("configuration: {line}"));
                    tracing::error!("the previous configuration stays in force");
                }
            }
        }
    }

    /// Reads the configuration anew, and gives Envoy the changes.
    async fn change(&mut self) -> Result<Change, RunError> {
        let rendered = self.source.read(&self.target).map_err(RunError::Configuration)?;
        self.warn(&rendered.warnings);
        let ports = rendered.ports();
        let pieces = Pieces::new(rendered.bootstrap, &self.layout);
        if pieces == self.pieces {
            self.want(rendered.wants, &rendered.closed);
            return Ok(Change::None);
        }
        self.may_listen(&ports)?;
        validate(&rendered.candidate, &self.binary, &self.layout).await?;
        if pieces.bootstrap != self.pieces.bootstrap {
            let why = "certificatesResolvers and what else Envoy reads only at its start has changed: restart \
                       envoy-autocert to use it";
            return Err(RunError::Configuration(vec![why.to_owned()]));
        }
        match &self.envoy {
            Some(_) => publish(&self.pieces, &pieces, &self.layout, &self.admin).await?,
            None => write_all(&pieces, &self.layout)?,
        }
        self.pieces = pieces;
        self.ports = ports;
        self.verify_own();
        self.want(rendered.wants, &rendered.closed);
        closed::report(&rendered.closed);
        Ok(Change::Made { closed: rendered.closed.len() })
    }

    /// Checks that Envoy can listen on its new ports.
    fn may_listen(&self, ports: &[Port]) -> Result<(), RunError> {
        let new: Vec<Port> = ports.iter().filter(|new| !self.ports.contains(new)).cloned().collect();
        let mut refused = ports::refused(&new, Some(&self.binary.path)).map_err(RunError::Rights)?;
        // The listener may move from one address to all addresses, or back.
        let envoy = self.envoy.as_ref().and_then(Envoy::pid);
        refused.retain(|refusal| refusal.holder().is_none_or(|pid| Some(pid) != envoy));
        if refused.is_empty() { Ok(()) } else { Err(RunError::Ports(refused)) }
    }

    /// Logs the warnings that have not been logged yet.
    pub(super) fn warn(&mut self, warnings: &[String]) {
        for warning in warnings.iter().filter(|warning| !self.warnings.contains(warning)) {
            tracing::warn!("configuration: {warning}");
        }
        self.warnings = warnings.to_vec();
    }

    /// Replaces the wanted certificates and the closed routers.
    fn want(&mut self, wants: Vec<Want>, closed: &[ClosedRouter]) {
        self.sidecar.closed().set(closed);
        let before = names(&self.wants);
        let now = names(&wants);
        let gone: Vec<&str> = before.difference(&now).copied().collect();
        if !gone.is_empty() {
            let gone = acme::one_line(&gone.join(", "));
            tracing::info!("no longer referenced by any router: {gone}");
        }
        if self.wants != wants {
            self.summary.start_anew();
        }
        self.sidecar.wants().stand(HOLDER, wants.clone());
        self.wants = wants;
    }
}

fn names(wants: &[Want]) -> BTreeSet<&str> {
    wants.iter().flat_map(|want| &want.certificate.names).map(String::as_str).collect()
}
