//! The user's parts stay: line for line, and word for word where a line is in flow style.

use anyhow::{Result, ensure};

/// How far a line may change.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Not at all, unless it has brackets that something is put into.
    Lines,
    /// The words stay: JSON gets commas, and one message becomes a list of two.
    Words,
}

/// Words of the lines that hold certificates.
const OF_CERTIFICATES: [&str; 9] = [
    "tls_certificate",
    "tlsCertificates",
    "certificate_chain",
    "certificateChain",
    "private_key",
    "privateKey",
    "/fullchain.",
    "/privkey.",
    "inline_bytes",
];

/// Checks that all of a text is in another one in its order, except for certificates and for the lines with these
/// words.
pub(super) fn check(text: &str, edited: &str, layout: Layout, gone: Option<&[&str]>) -> Result<()> {
    let lines = staying(text, gone);
    if layout == Layout::Lines {
        let whole = lines.iter().copied().filter(|line| !line.contains(['[', ']', '{', '}']));
        first_missing(whole, edited.split('\n'))?;
    }
    let own = || OF_CERTIFICATES.iter().chain(gone.unwrap_or_default());
    let is_certificate = |word: &&str| gone.is_some() && own().any(|own| word.contains(own));
    let staying = lines.iter().flat_map(|line| words(line)).filter(|word| !is_certificate(word));
    first_missing(staying, words(edited))
}

/// The lines that must stay.
fn staying<'t>(text: &'t str, gone: Option<&[&str]>) -> Vec<&'t str> {
    // A text in one line is compared word by word.
    let (Some(gone), true) = (gone, text.contains('\n')) else { return text.split('\n').collect() };
    let mut is_in_pem = false;
    let mut lines = Vec::new();
    for line in text.split_inclusive('\n') {
        is_in_pem |= line.contains("-----BEGIN ");
        let goes = is_in_pem || OF_CERTIFICATES.iter().chain(gone).any(|word| line.contains(word));
        is_in_pem &= !line.contains("-----END ");
        if !goes {
            lines.push(line.strip_suffix('\n').unwrap_or(line));
        }
    }
    lines
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| c.is_whitespace() || "[]{},".contains(c)).filter(|word| !matches!(*word, "" | "-"))
}

/// The first of these that is not among those, in their order.
fn first_missing<'t>(all: impl Iterator<Item = &'t str>, mut among: impl Iterator<Item = &'t str>) -> Result<()> {
    let mut last = "";
    for one in all {
        ensure!(among.any(|other| other == one), "{one:?}, behind {last:?}, is not there any more");
        last = one;
    }
    Ok(())
}
