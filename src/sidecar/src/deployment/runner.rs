//! Carries out the table's decisions.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use super::Deployment;
use super::table::Decisions;
use super::verify::{Outcome, name_of, verify};
use crate::publisher::Publisher;
use crate::wants::WantsBoard;
use protocol::CertificateId;
use sds;
use sds::catalog::Catalog;

/// The interval of the table's clock, and the shortest interval at which the file is written.
const TICK: Duration = Duration::from_secs(1);
/// The most certificates verified at once.
const AT_ONCE: usize = 8;
/// The source of these replacements on the wants board.
const SOURCE: &str = "deployment";

/// The parts that decisions act upon.
pub struct Surroundings {
    /// The publisher of another certificate.
    pub publisher: Arc<Publisher>,
    /// The certificates served.
    pub catalog: Arc<Catalog>,
    /// The SDS server, which sends rejected secrets again.
    pub sds: Arc<sds::Status>,
    /// The board where the engine is asked for replacements.
    pub wants: Arc<WantsBoard>,
}

impl Deployment {
    /// Follows deployments. Runs until dropped.
    pub async fn run(&self, around: &Surroundings) {
        let mut waiting: Vec<(CertificateId, Arc<str>)> = Vec::new();
        let mut looking = FuturesUnordered::new();
        let mut is_dirty = false;
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = tick.tick() => {
                    self.table().keep_time(self.clock.now_seconds());
                    if std::mem::take(&mut is_dirty) {
                        self.save().await;
                    }
                    self.ask(around);
                }
                () = self.work.notified() => {}
                Some(()) = looking.next() => {}
            }
            let decisions = self.table().decisions();
            is_dirty |= decisions.keep;
            self.carry_out(&decisions, around).await;
            waiting.extend(decisions.verify);
            while looking.len() < AT_ONCE
                && let Some((key, version)) = waiting.pop()
            {
                looking.push(self.look(around, key, version));
            }
        }
    }

    async fn carry_out(&self, decisions: &Decisions, around: &Surroundings) {
        for key in &decisions.refresh {
            if let Err(error) = around.publisher.publish(key).await {
                tracing::warn!(%error, "rollback failed; the rejected certificate is still served");
            }
        }
        if !decisions.appeal.is_empty() {
            around.sds.appeal(decisions.appeal.clone());
        }
    }

    /// Tells the engine which certificates to replace.
    fn ask(&self, around: &Surroundings) {
        let replacements = self.table().replacements(self.clock.now_seconds());
        around.wants.replace(SOURCE, replacements);
    }

    /// Verifies by handshakes that a certificate is served.
    async fn look(&self, around: &Surroundings, key: CertificateId, version: Arc<str>) {
        let Some(expected) = self.table().expected(&key, &version) else { return };
        let addresses = self.addresses();
        let name =
            name_of(&expected.newest, &around.catalog, self.clock.now_seconds()).filter(|_| !addresses.is_empty());
        let outcome = match &name {
            Some(name) => verify(&expected, name, &addresses, self.was_served(name)).await,
            // Without a name to ask for, Envoy's acknowledgement has to do.
            None => return self.table().proven(&key, &version, self.clock.now_seconds()),
        };
        let main = key.names.first().map_or("", String::as_str);
        let mut table = self.table();
        match outcome {
            Outcome::Served => {
                tracing::info!(resolver = key.resolver, main, name, "the new certificate is served");
                table.counts.served += 1;
                table.proven(&key, &version, self.clock.now_seconds());
                name.into_iter().for_each(|name| self.is_served(name));
            }
            Outcome::Unknown(why) => {
                tracing::warn!(
                    resolver = key.resolver,
                    main,
                    why,
                    "the new certificate can't be verified by a handshake"
                );
                table.counts.unverifiable += 1;
                table.proven(&key, &version, self.clock.now_seconds());
            }
            Outcome::Unserved { reason, mendable } => {
                table.unserved(&key, &version, &reason, mendable, self.clock.now_seconds());
            }
        }
        drop(table);
        self.work.notify_one();
    }
}
