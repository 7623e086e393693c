//! From a list of names to a certificate: the whole of RFC 8555 §7.4, read from top to bottom.
//!
//! An issuance can be resumed at any point: what a later run needs is given to the [`OrderDelegate`] before the next request is
//! sent, and a run that is given an order's URL asks the CA how far that order is and continues from there.

use std::pin::pin;
use std::time::Duration;

use futures::stream::{self, StreamExt};

use crate::authorization::{self, AuthorizationStatus};
use crate::certificate::{self, Chains};
use crate::client::Client;
use crate::delegate::{Failure, OrderDelegate};
use crate::error::{Class, Error, Refusal};
use crate::host::Host;
use crate::order::{self, Course, Identifier, Order, OrderState, OrderStatus};
use crate::poll::Poll;
use crate::resumption::Drive;
use crate::validation::fulfil;

/// How many authorizations of an order are worked on at once: all of them for nearly every certificate there is.
const AUTHORIZATIONS_AT_ONCE: usize = 32;

/// How often a signing request is sent in one try: again where it did not arrive, or came before the order was ready.
const MOST_SIGNING_REQUESTS: usize = 3;

/// How often the state of an order may call for a step. A CA that goes in circles is not followed for ever.
const MAX_STEPS: usize = 16;

/// The wait before a signing request is sent again that did not arrive, or an order that the CA did not take.
const BEFORE_ANOTHER: Duration = Duration::from_secs(1);

/// A certificate, and the order it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The order's URL.
    pub order: String,
    /// The certificate's chains.
    pub chains: Chains,
}

/// How an order begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning<'a> {
    /// A new one is placed; it names the certificate that it replaces, if there is one (RFC 9773 §5).
    New(Option<&'a str>),
    /// Resume the given order.
    Started(&'a Order),
}

/// Gets a certificate for these names.
pub async fn issue<H: Host, C: OrderDelegate>(
    client: &Client<H>,
    delegate: &C,
    names: &[Identifier],
    beginning: Beginning<'_>,
) -> Result<Issued, Failure<C::Error>> {
    let (drive, state) = match beginning {
        Beginning::Started(order) => resume(client, delegate, names, order).await?,
        Beginning::New(replaces) => {
            let (order, state) = place(client, names, replaces).await?;
            delegate.ordered(&order).await.map_err(Failure::Delegate)?;
            (Drive::new(delegate, order), state)
        }
    };
    let driven = driven(client, &drive, names, state).await;
    if let Err(Failure::Acme(error)) = &driven
        && matches!(error.class(), Class::Transient(Some(_)) | Class::RateLimited(_))
    {
        drive.uncount().await?;
    }
    driven
}

/// Drives an order to its certificate.
async fn driven<H: Host, C: OrderDelegate>(
    client: &Client<H>,
    drive: &Drive<'_, C>,
    names: &[Identifier],
    mut state: OrderState,
) -> Result<Issued, Failure<C::Error>> {
    let order = drive.order();
    let mut signing_requests = 0_usize;
    for _ in 0..MAX_STEPS {
        state = match state.status {
            OrderStatus::Pending => {
                authorize(client, drive, names).await?;
                // All its authorizations are valid, so it is ready (§7.1.6). A CA that is not so far yet says
                // `orderNotReady`, and is asked then.
                OrderState { status: OrderStatus::Ready, ..state }
            }
            OrderStatus::Ready if signing_requests >= MOST_SIGNING_REQUESTS => {
                let what = format!("it stays ready after {MOST_SIGNING_REQUESTS} signing requests");
                return Err(drive.refused(bad_order(&order, &what)).await);
            }
            OrderStatus::Ready => {
                signing_requests = signing_requests.saturating_add(1);
                let csr = drive.delegate.csr(&order.url).await.map_err(Failure::Delegate)?;
                drive.count().await?;
                finalize(client, drive, names, &csr).await?
            }
            OrderStatus::Processing => {
                drive.count().await?;
                let is_at_work = |state: &OrderState| state.status == OrderStatus::Processing;
                wait_while(client, names, &order, is_at_work, state.retry_after).await?
            }
            OrderStatus::Valid => match &state.certificate {
                Some(url) => return Ok(Issued { chains: download(client, drive, url).await?, order: order.url }),
                // Some say so a moment before the certificate is there.
                None => {
                    drive.count().await?;
                    let is_without =
                        |state: &OrderState| state.status == OrderStatus::Valid && state.certificate.is_none();
                    wait_while(client, names, &order, is_without, state.retry_after).await?
                }
            },
            OrderStatus::Invalid => return Err(given_up(client, order, state).await.into()),
        };
    }
    Err(bad_order(&order, "its status goes in circles").into())
}

/// Proves names to a CA's staging server: places an order, and leaves it once it is ready.
pub async fn rehearse<H: Host, C: OrderDelegate>(
    client: &Client<H>,
    delegate: &C,
    names: &[Identifier],
) -> Result<(), Failure<C::Error>> {
    let (order, state) = order::place(client, names, None).await?;
    match state.status {
        OrderStatus::Pending => authorize(client, &Drive::new(delegate, order), names).await,
        OrderStatus::Ready | OrderStatus::Processing | OrderStatus::Valid => Ok(()),
        OrderStatus::Invalid => Err(given_up(client, order, state).await.into()),
    }
}

/// Places an order. Where the CA does not take it as a replacement, or does not answer, at once as an order like any
/// other: the certificate is needed all the same.
async fn place<H: Host>(
    client: &Client<H>,
    names: &[Identifier],
    replaces: Option<&str>,
) -> Result<(Order, OrderState), Error> {
    match order::place(client, names, replaces).await {
        Err(error) if replaces.is_some() && error.may_be_of_replacement() => {
            client.host.sleep(BEFORE_ANOTHER).await;
            order::place(client, names, None).await
        }
        placed => placed,
    }
}

/// Looks at an order that was placed before. What was kept of it is trusted no more than what the CA says: the
/// configuration may be another one by now.
async fn resume<'c, H: Host, C: OrderDelegate>(
    client: &Client<H>,
    delegate: &'c C,
    names: &[Identifier],
    kept: &Order,
) -> Result<(Drive<'c, C>, OrderState), Failure<C::Error>> {
    let trusted = |url: &String| client.trusted("the stored order", &kept.url, url.clone());
    let Course { finalize, authorizations, .. } = &kept.course;
    let course = Course {
        finalize: finalize.as_ref().map(trusted).transpose()?,
        authorizations: authorizations.iter().map(trusted).collect::<Result<_, _>>()?,
        ..kept.course.clone()
    };
    let drive = Drive::resumed(delegate, Order { url: trusted(&kept.url)?, course });
    let state = match order::fetch(client, names, &drive.order()).await {
        Err(error) if error.is_failure_of_ca() || matches!(error, Error::BadAnswer { .. }) => {
            drive.unreadable().await?;
            return Err(error.into());
        }
        looked => looked?,
    };
    drive.seen(&state, client.host.now_millis().div_euclid(1000))?;
    Ok((drive, state))
}

/// Proves all names, side by side. All are seen to their end, so that no answer to a challenge stays behind.
async fn authorize<H: Host, C: OrderDelegate>(
    client: &Client<H>,
    drive: &Drive<'_, C>,
    names: &[Identifier],
) -> Result<(), Failure<C::Error>> {
    let order = drive.order();
    let urls = &order.course.authorizations;
    if urls.is_empty() {
        return Err(drive.dead("it is pending, and the CA never said what is to be proved (authorizations)").into());
    }
    let looks = stream::iter(urls).map(|url| authorization::fetch(client, url)).buffered(AUTHORIZATIONS_AT_ONCE);
    let looks = looks.collect::<Vec<_>>().await;
    let (mut valid, mut pending, mut over) = (0_usize, Vec::new(), None);
    for (url, look) in urls.iter().zip(looks) {
        let look = match look {
            Ok(look) => look,
            Err(error) if error.is_of_nothing_there() => {
                return Err(drive.dead(&format!("the CA has no authorization {url} any more: {error}")).into());
            }
            Err(error) => return Err(error.into()),
        };
        match look.state.status {
            AuthorizationStatus::Valid => valid = valid.saturating_add(1),
            AuthorizationStatus::Pending => pending.push((url, look)),
            _ => {
                let failure: Failure<C::Error> = authorization::invalid(&order, look.state, None).into();
                over = Some(match over.take() {
                    Some(before) => merge(before, failure),
                    None => failure,
                });
            }
        }
    }
    if let Some(failure) = over {
        return Err(failure);
    }
    drive.proved(valid)?;
    let verdicts = stream::iter(&pending)
        .map(|(url, look)| fulfil(client, drive, names, url, look))
        .buffer_unordered(AUTHORIZATIONS_AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    let mut failures = verdicts.into_iter().filter_map(Result::err);
    let Some(first) = failures.next() else { return Ok(()) };
    Err(failures.fold(first, merge))
}

/// Merges two failures into one: if both are refusals of names, the result lists all of them.
fn merge<E>(one: Failure<E>, other: Failure<E>) -> Failure<E> {
    match (one, other) {
        (
            Failure::Acme(Error::OrderInvalid { order, mut problems }),
            Failure::Acme(Error::OrderInvalid { problems: more, .. }),
        ) => {
            problems.extend(more);
            Failure::Acme(Error::OrderInvalid { order, problems })
        }
        (
            Failure::Acme(Error::NotValidated { mut problems }),
            Failure::Acme(Error::NotValidated { problems: more }),
        ) => {
            problems.extend(more);
            Failure::Acme(Error::NotValidated { problems })
        }
        (
            Failure::Acme(Error::OrderInvalid { order, mut problems }),
            Failure::Acme(Error::NotValidated { problems: more }),
        )
        | (
            Failure::Acme(Error::NotValidated { problems: more }),
            Failure::Acme(Error::OrderInvalid { order, mut problems }),
        ) => {
            problems.extend(more);
            Failure::Acme(Error::OrderInvalid { order, problems })
        }
        // The order is over with the one, so what happened to the other is of no more use.
        (one, Failure::Acme(other)) if other.ends_order() && !is_final(&one) => Failure::Acme(other),
        (one, _) => one,
    }
}

fn is_final<E>(failure: &Failure<E>) -> bool {
    matches!(failure, Failure::Acme(error) if error.ends_order())
}

/// Sends the signing request. Where the answer was lost, or the order was not ready yet, the order itself tells how it
/// stands: the request is never sent blindly again, and no second order is made.
async fn finalize<H: Host, C: OrderDelegate>(
    client: &Client<H>,
    drive: &Drive<'_, C>,
    names: &[Identifier],
    csr: &[u8],
) -> Result<OrderState, Failure<C::Error>> {
    let order = drive.order();
    match order::finalize(client, &order, csr).await {
        // Some CAs work on it before their order shows that: what it says by then counts.
        Ok(state) if is_open(&state) => match wait_while(client, names, &order, is_open, state.retry_after).await {
            Err(error @ Error::TimedOut { .. }) => Err(drive.refused(error).await),
            waited => Ok(waited?),
        },
        Ok(state) => Ok(state),
        Err(Error::Refused { problem, .. }) if problem.is("orderNotReady") => {
            let is_pending = |state: &OrderState| state.status == OrderStatus::Pending;
            match wait_while(client, names, &order, is_pending, problem.retry_after).await {
                Err(Error::TimedOut { .. } | Error::AskedToWait { .. }) => {
                    Err(drive.stuck("it stays pending though all its authorizations are valid").into())
                }
                waited => Ok(before_another(client, waited?).await),
            }
        }
        Err(Error::Send { .. } | Error::BadAnswer { .. } | Error::TimedOut { .. }) => {
            let state = order::fetch(client, names, &order).await?;
            Ok(before_another(client, state).await)
        }
        Err(error) if error.is_failure_of_ca() => Err(drive.refused(error).await),
        Err(error) => Err(error.into()),
    }
}

/// True when an order has, as far as it says, no signing request yet.
fn is_open(state: &OrderState) -> bool {
    matches!(state.status, OrderStatus::Pending | OrderStatus::Ready)
}

/// Waits a moment where the signing request is going to be sent again.
async fn before_another<H: Host>(client: &Client<H>, state: OrderState) -> OrderState {
    if state.status == OrderStatus::Ready {
        client.host.sleep(BEFORE_ANOTHER).await;
    }
    state
}

/// Downloads the certificate of a valid order. That it can't be had counts as a resumption.
async fn download<H: Host, C: OrderDelegate>(
    client: &Client<H>,
    drive: &Drive<'_, C>,
    url: &str,
) -> Result<Chains, Failure<C::Error>> {
    match certificate::download(client, url).await {
        Err(error) if error.is_of_nothing_there() => {
            Err(drive.stuck(&format!("its certificate is not there: {error}")).into())
        }
        Err(error) if error.is_failure_of_ca() || matches!(error, Error::BadAnswer { .. }) => {
            drive.count().await?;
            Err(error.into())
        }
        downloaded => Ok(downloaded?),
    }
}

/// Polls an order as long as it is as it was. No look begins after `certificateTimeout`, however slowly the CA answers.
async fn wait_while<H: Host>(
    client: &Client<H>,
    names: &[Identifier],
    order: &Order,
    is_as_it_was: fn(&OrderState) -> bool,
    mut asked: Option<Duration>,
) -> Result<OrderState, Error> {
    let (timeout, what) = (client.options.certificate_timeout, "the CA's work on the order");
    let mut poll = Poll::new(&client.host, what, timeout);
    let mut alarm = pin!(client.host.sleep(timeout));
    loop {
        poll.wait(asked).await?;
        let state = order::fetch(client, names, order).await?;
        if !is_as_it_was(&state) {
            return Ok(state);
        }
        asked = state.retry_after;
        if futures::poll!(alarm.as_mut()).is_ready() {
            let waiting_for = what.to_owned();
            return Err(match asked.filter(|asked| !asked.is_zero()) {
                Some(asked) => Error::AskedToWait { waiting_for, timeout, asked },
                None => Error::TimedOut { waiting_for, after: timeout },
            });
        }
    }
}

async fn given_up<H: Host>(client: &Client<H>, order: Order, state: OrderState) -> Error {
    let of_order = |problem| Refusal { identifier: None, challenge: None, problem };
    let mut problems: Vec<_> = state.error.into_iter().map(of_order).collect();
    if problems.is_empty() {
        problems = authorization::problems(client, &order.course.authorizations).await;
    }
    Error::OrderInvalid { order: order.url, problems }
}

fn bad_order(order: &Order, what: &str) -> Error {
    Error::BadAnswer { url: order.url.clone(), what: what.to_owned() }
}
