//! Storage of accounts: lego's JSON file, `{"domain": account}`, or lego's HTTP server for them.
//!
//! Promises: the file is readable by us alone (0600) and replaced atomically; an unreadable file is left unchanged.

use std::path::{Path, PathBuf};

use reqwest::{StatusCode, Url};
use serde_json::{Map, Value};

use super::super::ProviderError;
use super::super::http::{Http, below};
use super::account::Account;
use base::exposed;
use base::files::atomic_file;
use base::files::{Content, Directory, FileError, secret};

/// Maximum size of the file, in bytes: tens of thousands of accounts.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// Mode of the file: only the owner may read and write.
const MODE: u32 = 0o600;

/// Storage of accounts.
pub(super) enum Storage {
    File(PathBuf),
    Http(Url),
}

impl Storage {
    /// The account of a domain, if there is one.
    pub(super) async fn find(&self, code: &str, http: &Http, domain: &str) -> Result<Option<Account>, ProviderError> {
        match self {
            Self::File(path) => {
                let broken = |path: &Path| {
                    let why = format!("{}: the account of {domain} is not whole", path.display());
                    ProviderError::configuration(code, why)
                };
                let accounts = off_the_runtime(code, path, |path| read(&path)).await?;
                let account = accounts.get(domain);
                account.map(|account| Account::from_json(account).ok_or_else(|| broken(path))).transpose()
            }
            Self::Http(base) => {
                let url = below(base, &[domain]);
                let answer = http.send(http.get(url.clone()), &url).await?;
                match answer.status {
                    StatusCode::NOT_FOUND => Ok(None),
                    status if status.is_success() => match Account::parse(&answer.body) {
                        Some(account) => Ok(Some(account)),
                        None => {
                            Err(ProviderError::failed(code, format!("the stored account of {domain} is not whole")))
                        }
                    },
                    _ => Err(http.refusal(&url, &answer)),
                }
            }
        }
    }

    /// Stores the account of a domain. Returns true if the storage server has created the CNAME, too.
    pub(super) async fn keep(
        &self,
        code: &str,
        http: &Http,
        domain: &str,
        account: &Account,
    ) -> Result<bool, ProviderError> {
        match self {
            Self::File(path) => {
                let (domain, account) = (domain.to_owned(), account.to_json());
                off_the_runtime(code, path, move |path| {
                    let mut accounts = read(&path)?;
                    accounts.insert(domain, account);
                    write(&path, &accounts)
                })
                .await?;
                Ok(false)
            }
            Self::Http(base) => {
                let url = below(base, &[domain]);
                let answer = http.send(http.post(url.clone(), account.to_json().to_string()), &url).await?;
                if answer.status.is_success() {
                    Ok(answer.status == StatusCode::CREATED)
                } else {
                    Err(http.refusal(&url, &answer))
                }
            }
        }
    }
}

async fn off_the_runtime<T: Send + 'static>(
    code: &str,
    path: &Path,
    work: impl FnOnce(PathBuf) -> std::io::Result<T> + Send + 'static,
) -> Result<T, ProviderError> {
    let owned = path.to_owned();
    let done = tokio::task::spawn_blocking(move || work(owned)).await.map_err(std::io::Error::other).flatten();
    done.map_err(|error| ProviderError::configuration(code, format!("{}: {error}", path.display())))
}

fn read(path: &Path) -> std::io::Result<Map<String, Value>> {
    let invalid = |why: &str| std::io::Error::new(std::io::ErrorKind::InvalidData, why.to_owned());
    let (directory, name) = Directory::of(path)?;
    let content = match directory.read(&name, MAX_FILE) {
        Err(FileError::TooLarge { .. }) => return Err(invalid("it is too long to be a file of accounts")),
        Err(FileError::NotAFile(_)) => return Err(invalid("it is no regular file")),
        read => read?,
    };
    let Some(Content { metadata, bytes: text }) = content else { return Ok(Map::new()) };
    exposed::warn_of_mode(path, secret::exposed(&metadata));
    if text.trim_ascii().is_empty() {
        return Ok(Map::new());
    }
    // The parser's own error could show a password.
    serde_json::from_slice(&text).map_err(|_| invalid("expected lego's JSON of acme-dns accounts; it is left as it is"))
}

fn write(path: &Path, accounts: &Map<String, Value>) -> std::io::Result<()> {
    let (directory, name) = Directory::of(path)?;
    Ok(atomic_file::replace(&directory, &name, MODE, &serde_json::to_vec_pretty(accounts)?)?)
}
