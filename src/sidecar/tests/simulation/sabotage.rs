//! Breaks the product on purpose, so that each invariant is seen to fail.

/// What is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// The sidecar says that it has stored an order, and has not.
    ForgetsOrders,
    /// The sidecar says that it has stored a failed try, and has not.
    ForgetsAttempts,
    /// A callout to the CA is made twice.
    RepeatsRequests,
    /// A published certificate is not served any more after a while.
    TakesAway,
    /// The first certificate is served again when the second has been published.
    ServesOlder,
    /// The key is dropped when the CA has its signing request.
    LosesKeys,
    /// A crash leaves half of the file.
    TearsFile,
    /// A crash undoes the last change that was answered for.
    UndoesSaved,
    /// All certificates seem to live a hundred years longer.
    HidesAge,
}
