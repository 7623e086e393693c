//! The selector that requests a secret during the handshake.

use yaml::At;

/// The configuration of a selector that requests a secret during the handshake.
pub(super) fn selector<'a>(common: &At<'a>) -> Option<At<'a>> {
    let selector = common.find("custom_tls_certificate_selector.typed_config")?;
    selector.text_of("@type").filter(|name| name.contains("on_demand_secret"))?;
    Some(selector)
}
