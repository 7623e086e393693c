//! From a list of names to a certificate: the whole of RFC 8555 §7.4, read from top to bottom.
//!
//! It can be gone on with at any point: what a later run needs is given to the [`Custodian`] before the next request is
//! sent, and a run that is given an order's URL asks the CA how far that order is and continues from there.

use std::fmt;
use std::pin::pin;
use std::time::Duration;

use futures::stream::{self, StreamExt};

use crate::authorization;
use crate::certificate::{self, Chains};
use crate::challenge::{Challenge, ChallengeType, Way};
use crate::client::Client;
use crate::error::{Error, Refusal};
use crate::host::Host;
use crate::order::{self, Course, Identifier, Order, OrderState, OrderStatus};

/// How many authorizations of an order are worked on at once: all of them for nearly every certificate there is.
const AUTHORIZATIONS_AT_ONCE: usize = 32;

/// How often the state of an order may call for a step. A CA that goes in circles is not followed for ever.
const MAX_STEPS: usize = 16;

/// The first wait of a poll, what it is multiplied by each time, and the longest without the CA asking for one. A CA on
/// the same network is done in milliseconds, one on the Internet in seconds; eight looks reach from the one to the other.
const FIRST_POLL: Duration = Duration::from_millis(5);
const POLL_GROWTH: u32 = 3;
const LONGEST_POLL: Duration = Duration::from_secs(5);

/// The wait before the signing request is sent again, when it did not arrive.
const BEFORE_ANOTHER_FINALIZE: Duration = Duration::from_secs(1);

/// What an issuance needs besides the CA: somebody who keeps what must not be lost, and holds the keys.
pub trait Custodian {
    /// Why it could not.
    type Error;

    /// An order was created. MUST be durable when this returns.
    fn ordered(&self, order: &Order) -> impl Future<Output = Result<(), Self::Error>>;

    /// The way to prove a name (`*.a.example` for a wildcard) that is to be gone of those that the CA offers; none when
    /// none of them can be gone.
    fn choose(&self, name: &str, offered: &[ChallengeType]) -> Option<Way>;

    /// Makes the answer to a challenge ready. The CA may ask for it as soon as this returns.
    fn publish(&self, challenge: &Challenge) -> impl Future<Output = Result<(), Self::Error>>;

    /// Withdraws it: the CA has its verdict, or could not be told.
    fn retract(&self, challenge: &Challenge) -> impl Future<Output = ()>;

    /// A signing request for this order, in DER. Its key MUST be durable when this returns, and asked again for the
    /// same order it MUST be for the same key.
    fn csr(&self, order: &str) -> impl Future<Output = Result<Vec<u8>, Self::Error>>;
}

/// A certificate, and the order it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// The order's URL.
    pub order: String,
    /// Its chains.
    pub chains: Chains,
}

/// Why an issuance ended without a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure<E> {
    /// The CA, or the way to it.
    Acme(Error),
    /// The custodian.
    Custodian(E),
}

impl<E> From<Error> for Failure<E> {
    fn from(error: Error) -> Self {
        Self::Acme(error)
    }
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Acme(error) => write!(f, "{error}"),
            Self::Custodian(error) => write!(f, "{error}"),
        }
    }
}

/// How an order begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beginning<'a> {
    /// A new one is placed; it names the certificate that it replaces, if there is one (RFC 9773 §5).
    New(Option<&'a str>),
    /// This one is gone on with.
    Started(&'a Order),
}

/// Gets a certificate for these names.
pub async fn issue<H: Host, C: Custodian>(
    client: &Client<H>,
    custodian: &C,
    names: &[Identifier],
    beginning: Beginning<'_>,
) -> Result<Issued, Failure<C::Error>> {
    let (order, mut state) = match beginning {
        Beginning::Started(order) => resume(client, names, order).await?,
        Beginning::New(replaces) => {
            let (order, state) = place(client, names, replaces).await?;
            custodian.ordered(&order).await.map_err(Failure::Custodian)?;
            (order, state)
        }
    };
    for _ in 0..MAX_STEPS {
        state = match state.status {
            OrderStatus::Pending => {
                authorize(client, custodian, names, &order).await?;
                // All its authorizations are valid, so it is ready (§7.1.6). A CA that is not so far yet says
                // `orderNotReady`, and is asked then.
                OrderState { status: OrderStatus::Ready, ..state }
            }
            OrderStatus::Ready => {
                let csr = custodian.csr(&order.url).await.map_err(Failure::Custodian)?;
                finalize(client, names, &order, &csr).await?
            }
            OrderStatus::Processing => {
                let is_at_work = |state: &OrderState| state.status == OrderStatus::Processing;
                wait_while(client, names, &order, is_at_work, state.retry_after).await?
            }
            OrderStatus::Valid => match &state.certificate {
                Some(url) => return Ok(Issued { chains: certificate::download(client, url).await?, order: order.url }),
                // Some say so a moment before the certificate is there.
                None => {
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

/// Whether these names can be proved: an order that is left when it is ready. For a CA's test system.
pub async fn rehearse<H: Host, C: Custodian>(
    client: &Client<H>,
    custodian: &C,
    names: &[Identifier],
) -> Result<(), Failure<C::Error>> {
    let (order, state) = order::place(client, names, None).await?;
    match state.status {
        OrderStatus::Pending => authorize(client, custodian, names, &order).await,
        OrderStatus::Ready | OrderStatus::Processing | OrderStatus::Valid => Ok(()),
        OrderStatus::Invalid => Err(given_up(client, order, state).await.into()),
    }
}

/// Places an order. Where the CA does not take it for a replacement (it has been replaced already, say), once more as
/// an order like any other: the certificate is needed all the same.
async fn place<H: Host>(
    client: &Client<H>,
    names: &[Identifier],
    replaces: Option<&str>,
) -> Result<(Order, OrderState), Error> {
    match order::place(client, names, replaces).await {
        Err(error) if replaces.is_some() && error.may_be_of_replacement() => order::place(client, names, None).await,
        placed => placed,
    }
}

/// Looks at an order that was placed before. What was kept of it is trusted no more than what the CA says: the
/// configuration may be another one by now.
async fn resume<H: Host>(client: &Client<H>, names: &[Identifier], kept: &Order) -> Result<(Order, OrderState), Error> {
    let trusted = |url: &String| client.trusted("the stored order", &kept.url, url.clone());
    let Course { finalize, authorizations, .. } = &kept.course;
    let course = Course {
        finalize: finalize.as_ref().map(trusted).transpose()?,
        authorizations: authorizations.iter().map(trusted).collect::<Result<_, _>>()?,
        ..kept.course.clone()
    };
    let kept = Order { url: trusted(&kept.url)?, course };
    let state = order::fetch(client, names, &kept).await?;
    Ok((Order { course: state.course.clone(), ..kept }, state))
}

/// Proves all names, side by side. All are seen to their end, so that no answer to a challenge stays behind.
async fn authorize<H: Host, C: Custodian>(
    client: &Client<H>,
    custodian: &C,
    names: &[Identifier],
    order: &Order,
) -> Result<(), Failure<C::Error>> {
    let verdicts = stream::iter(&order.course.authorizations)
        .map(|url| authorization::fulfil(client, custodian, names, order, url))
        .buffer_unordered(AUTHORIZATIONS_AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    let mut failures = verdicts.into_iter().filter_map(Result::err);
    let Some(first) = failures.next() else { return Ok(()) };
    Err(failures.fold(first, merge))
}

/// One failure of several: where names were refused, all of them are told.
fn merge<E>(one: Failure<E>, other: Failure<E>) -> Failure<E> {
    match (one, other) {
        (
            Failure::Acme(Error::OrderInvalid { order, mut problems }),
            Failure::Acme(Error::OrderInvalid { problems: more, .. }),
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
async fn finalize<H: Host>(
    client: &Client<H>,
    names: &[Identifier],
    order: &Order,
    csr: &[u8],
) -> Result<OrderState, Error> {
    match order::finalize(client, order, csr).await {
        Ok(state) => Ok(state),
        Err(Error::Refused { problem, .. }) if problem.is("orderNotReady") => {
            let is_pending = |state: &OrderState| state.status == OrderStatus::Pending;
            wait_while(client, names, order, is_pending, problem.retry_after).await
        }
        Err(Error::Send { .. } | Error::BadAnswer { .. } | Error::TimedOut { .. }) => {
            let state = order::fetch(client, names, order).await?;
            if state.status == OrderStatus::Ready {
                client.host.sleep(BEFORE_ANOTHER_FINALIZE).await;
            }
            Ok(state)
        }
        Err(error) => Err(error),
    }
}

/// Polls an order as long as it is as it was. No look begins after `certificateTimeout`, however slowly the CA answers.
async fn wait_while<H: Host>(
    client: &Client<H>,
    names: &[Identifier],
    order: &Order,
    is_as_it_was: impl Fn(&OrderState) -> bool,
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
        if futures::poll!(alarm.as_mut()).is_ready() {
            return Err(Error::TimedOut { waiting_for: what.to_owned(), after: timeout });
        }
        asked = state.retry_after;
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

/// The waits of a poll: short at first, then longer; as long as the CA asks where it does; all within a bound.
pub(crate) struct Poll<'a, H> {
    host: &'a H,
    waiting_for: &'static str,
    timeout: Duration,
    waited: Duration,
    next: Duration,
}

impl<'a, H: Host> Poll<'a, H> {
    pub(crate) fn new(host: &'a H, waiting_for: &'static str, timeout: Duration) -> Self {
        Self { host, waiting_for, timeout, waited: Duration::ZERO, next: FIRST_POLL }
    }

    /// Waits before the next look; an error when all the waits together are over the bound.
    pub(crate) async fn wait(&mut self, asked: Option<Duration>) -> Result<(), Error> {
        let left = self.timeout.saturating_sub(self.waited);
        if left.is_zero() {
            return Err(Error::TimedOut { waiting_for: self.waiting_for.to_owned(), after: self.timeout });
        }
        let wait = asked.unwrap_or(Duration::ZERO).max(self.next).min(left);
        self.host.sleep(wait).await;
        self.waited = self.waited.saturating_add(wait);
        self.next = self.next.saturating_mul(POLL_GROWTH).min(LONGEST_POLL);
        Ok(())
    }
}
