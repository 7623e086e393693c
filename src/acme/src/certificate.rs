//! Downloading a certificate (RFC 8555 §7.4.2): its default chain, and those that the CA offers besides.

use std::pin::pin;
use std::time::Duration;

use futures::future::{Either, select};

use crate::client::Client;
use crate::error::Error;
use crate::host::{Host, Response};
use crate::link;

/// How many other chains are downloaded. CAs offer one or two.
const MAX_ALTERNATES: usize = 8;

/// The most that all other chains together may have, in bytes of PEM: with the default one they go in one message.
const MAX_ALTERNATE_BYTES: usize = 256 * 1024;

/// How long all other chains together may take. The default one is there already, and must not wait for longer.
const ALTERNATES_TIMEOUT: Duration = Duration::from_secs(30);

/// The chains of one certificate, each in PEM, leaf first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chains {
    /// The one that the CA gives without being asked for another.
    pub default: String,
    /// The others that were wanted and that could be had.
    pub alternates: Vec<String>,
    /// Why others could not be had, a line each.
    pub failures: Vec<String>,
}

/// Downloads a certificate; with its other chains where the client wants them. That one of those can't be had is no
/// error: there is a chain to serve.
pub async fn download<H: Host>(client: &Client<H>, url: &str) -> Result<Chains, Error> {
    let response = client.post_as_get("certificate", url).await?;
    let links = if client.options.alternate_chains { link::targets(&response, "alternate") } else { Vec::new() };
    let mut chains = Chains { default: pem(url, response)?, ..Chains::default() };
    let mut alarm = pin!(client.host.sleep(ALTERNATES_TIMEOUT));
    let mut bytes: usize = 0;
    for link in links.iter().take(MAX_ALTERNATES) {
        match select(pin!(alternate(client, url, link)), alarm.as_mut()).await {
            Either::Left((Ok(chain), _)) => {
                bytes = bytes.saturating_add(chain.len());
                if bytes > MAX_ALTERNATE_BYTES {
                    chains.failures.push(format!("all together have more than {MAX_ALTERNATE_BYTES} bytes"));
                    break;
                }
                chains.alternates.push(chain);
            }
            Either::Left((Err(error), _)) => chains.failures.push(error.to_string()),
            Either::Right(_) => {
                let after = ALTERNATES_TIMEOUT;
                chains.failures.push(Error::TimedOut { waiting_for: link.clone(), after }.to_string());
                break;
            }
        }
    }
    Ok(chains)
}

async fn alternate<H: Host>(client: &Client<H>, base: &str, link: &str) -> Result<String, Error> {
    let place = "certificate.link";
    // What is no https URL has no origin that could be trusted.
    let url = client.trusted(place, base, link.to_owned())?;
    pem(&url, client.post_as_get("certificate", &url).await?)
}

fn pem(url: &str, response: Response) -> Result<String, Error> {
    let bad = |what: &str| Error::BadAnswer { url: url.to_owned(), what: what.to_owned() };
    let chain = String::from_utf8(response.body).map_err(|_| bad("the certificate is not text"))?;
    if !chain.contains("-----BEGIN CERTIFICATE-----") {
        return Err(bad("there is no PEM certificate in it"));
    }
    Ok(chain)
}
