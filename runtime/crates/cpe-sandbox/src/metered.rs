//! A future that knows how long it has been on a CPU, and ends when that is too long.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

/// The future used up its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exhausted;

/// Counts the time spent in polls of `inner`: what a guest waits for is not counted. It is looked
/// at when `inner` yields, which a guest does at every tick of the epoch.
pub(crate) struct Metered<'a, F> {
    inner: Pin<&'a mut F>,
    budget: Duration,
    spent: &'a mut Duration,
}

impl<'a, F> Metered<'a, F> {
    pub(crate) fn new(inner: Pin<&'a mut F>, budget: Duration, spent: &'a mut Duration) -> Self {
        Self { inner, budget, spent }
    }
}

impl<F: Future> Future for Metered<'_, F> {
    type Output = Result<F::Output, Exhausted>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let start = Instant::now();
        let polled = self.inner.as_mut().poll(context);
        *self.spent += start.elapsed();
        match polled {
            Poll::Ready(output) => Poll::Ready(Ok(output)),
            Poll::Pending if *self.spent > self.budget => Poll::Ready(Err(Exhausted)),
            Poll::Pending => Poll::Pending,
        }
    }
}
