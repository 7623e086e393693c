//! Derives the scope and length of a pause from a 429 or 503: the names that the CA mentions, or the whole account.

use std::time::Duration;

use acme::Error;

use super::attempt_error::AttemptError;
use protocol::{CertificateId, Pause};

/// The pause that an error asks for, if any: a 429 always, a 503 with `Retry-After`. `at_least` is the wait if the CA
/// names none; `now` is in seconds since 1970.
pub(super) fn asked_for(
    error: &AttemptError,
    id: &CertificateId,
    (issuer, ca_server): (&str, &str),
    at_least: Duration,
    now: i64,
) -> Option<Pause> {
    let AttemptError::Acme(Error::Refused { endpoint, problem }) = error else { return None };
    let is_limit = problem.is("rateLimited") || problem.status == 429;
    let wait = match problem.retry_after {
        Some(asked) if is_limit || problem.status == 503 => asked.max(at_least),
        None if is_limit => at_least,
        _ => return None,
    };
    let is_of_names = is_limit && matches!(*endpoint, "newOrder" | "finalize" | "challenge" | "authorization");
    let said = if is_of_names { spoken_of(problem, &id.names) } else { Vec::new() };
    // Exactly this certificate: its own wait is enough.
    if id.names.len() > 1 && id.names.iter().all(|name| said.contains(name)) {
        return None;
    }
    let until = now.saturating_add(i64::try_from(wait.as_secs()).unwrap_or(i64::MAX));
    let (issuer, ca_server, why) = (issuer.to_owned(), ca_server.to_owned(), error.to_string());
    Some(Pause { issuer, ca_server, names: said, until, why })
}

/// Of these names and the domains above them, those that a problem is about: by its subproblems, else by its text, in
/// which CAs name the domain that a limit is of.
fn spoken_of(problem: &acme::problem::Problem, names: &[String]) -> Vec<String> {
    let is_above = |word: &str, name: &str| {
        name == word || (word.contains('.') && name.strip_suffix(word).is_some_and(|front| front.ends_with('.')))
    };
    let is_known = |word: &String| !word.is_empty() && names.iter().any(|name| is_above(word, name));
    let subproblems = problem.subproblems.iter().filter_map(|subproblem| subproblem.identifier.as_deref());
    let identifiers: Vec<String> = subproblems.map(str::to_ascii_lowercase).filter(is_known).collect();
    if !identifiers.is_empty() {
        return identifiers;
    }
    let is_of_name = |char: char| char.is_ascii_alphanumeric() || "-._*:".contains(char);
    let words = problem.detail.split(|char: char| !is_of_name(char));
    let words = words.map(|word| word.trim_matches(['.', ':']).to_ascii_lowercase());
    let mut said: Vec<String> = words.filter(is_known).collect();
    said.sort_unstable();
    said.dedup();
    said
}

#[cfg(test)]
mod tests {
    use acme::problem::{Problem, Subproblem};
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn pause(endpoint: &'static str, problem: Problem, names: &[&str]) -> Option<Pause> {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let id = CertificateId { resolver: "le".into(), names };
        let error = AttemptError::Acme(Error::Refused { endpoint, problem });
        asked_for(&error, &id, ("le", "https://ca.example/directory"), MINUTE, 1_000)
    }

    fn limited(detail: &str, seconds: Option<u64>) -> Problem {
        let retry_after = seconds.map(Duration::from_secs);
        Problem { kind: "rateLimited".into(), status: 429, detail: detail.into(), retry_after, ..Problem::default() }
    }

    #[test]
    fn a_limit_of_the_account_pauses_the_account() {
        let detail = "too many new orders (300) from this account in the last 3h0m0s, retry after 2026-01-01 00:00:00 \
                      UTC: see https://ca.example/docs/rate-limits/";
        let paused = pause("newOrder", limited(detail, Some(3600)), &["www.shop.example"]).unwrap();
        assert_eq!((paused.names.as_slice(), paused.until), (&[][..], 4_600));
    }

    #[test]
    fn a_limit_of_a_domain_pauses_the_names_of_that_domain() {
        let detail = r#"too many certificates (50) already issued for "shop.example" in the last 168h0m0s"#;
        let paused = pause("newOrder", limited(detail, Some(7200)), &["www.shop.example", "other.example"]).unwrap();
        assert_eq!((paused.names, paused.until), (vec!["shop.example".to_owned()], 8_200));
    }

    #[test]
    fn the_names_of_subproblems_count_before_the_text() {
        let identifier = Some("B.example".to_owned());
        let subproblem = Subproblem { identifier, kind: "rateLimited".into(), detail: String::new() };
        let problem = Problem { subproblems: vec![subproblem], ..limited("a.example", None) };
        assert_eq!(pause("newOrder", problem, &["a.example", "b.example"]).unwrap().names, ["b.example"]);
    }

    #[test]
    fn a_limit_of_exactly_these_names_pauses_nothing_else() {
        let detail =
            "too many certificates (5) already issued for this exact set of identifiers: [a.example b.example]";
        assert_eq!(pause("newOrder", limited(detail, Some(3600)), &["a.example", "b.example"]), None);
    }

    #[test]
    fn a_busy_ca_is_left_alone_where_it_says_for_how_long() {
        let busy = |retry_after| Problem { status: 503, retry_after, ..Problem::default() };
        let paused = pause("newNonce", busy(Some(Duration::from_secs(600))), &["a.example"]).unwrap();
        assert_eq!((paused.names.as_slice(), paused.until), (&[][..], 1_600));
        assert_eq!(pause("newNonce", busy(None), &["a.example"]), None);
    }

    #[test]
    fn no_wait_and_a_wait_of_nothing_are_a_minute() {
        for seconds in [None, Some(0)] {
            assert_eq!(pause("newOrder", limited("slow down", seconds), &["a.example"]).unwrap().until, 1_060);
        }
    }

    #[test]
    fn other_troubles_pause_nothing() {
        for status in [400, 403, 500, 502] {
            let retry_after = Some(Duration::from_secs(600));
            let problem = Problem { status, retry_after, ..Problem::default() };
            assert_eq!(pause("newOrder", problem, &["a.example"]), None, "{status}");
        }
    }
}
