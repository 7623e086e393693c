//! CNAMEs: a challenge's name may be an alias of a name in another zone, where records are easier to make.

use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use super::{Lookup, LookupError};

/// Maximum length of a CNAME chain. lego follows as many, and CAs fewer.
pub(super) const MAX_CNAMES: usize = 50;

impl Lookup {
    /// The end of the CNAME chain from this name: the name itself if it has no CNAME.
    ///
    /// # Errors
    /// If the chain is a loop or too long, or if no recursive server answers.
    pub async fn end_of_chain(&self, name: &Name) -> Result<Name, LookupError> {
        let mut chain = vec![name.clone()];
        let mut here = name.clone();
        loop {
            let answer = self.ask(&here, RecordType::CNAME).await?;
            let Some(next) = target(&answer, &here) else { return Ok(here) };
            let is_loop = chain.contains(&next);
            chain.push(next.clone());
            if is_loop {
                return Err(LookupError::Loop(chain));
            }
            if chain.len() > MAX_CNAMES + 1 {
                return Err(LookupError::TooLong(chain));
            }
            here = next;
        }
    }
}

fn target(answer: &Message, name: &Name) -> Option<Name> {
    answer.answers.iter().find_map(|record| match &record.data {
        RData::CNAME(target) if record.name == *name => Some(target.0.to_lowercase()),
        _ => None,
    })
}
