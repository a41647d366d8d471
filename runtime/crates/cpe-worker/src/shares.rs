//! Who comes next where there is not enough for all: start-time fair queueing, carried by SWF.
//!
//! SWF hands out the tasks of a list by priority, the highest first. Each activity task that is
//! scheduled gets a place in a virtual time: one after the client's last, or the present, if that
//! is later. So a client with a long backlog has places far ahead, and one that comes with a
//! single job is next. The present is the place of what was handed out last, which the history
//! tells. SWF's priority is the place, negated.
//!
//! A process that starts over begins at zero, and learns the present from the first activity task
//! that it sees begin. Places of different processes differ a little; so does fairness.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use cpe_protocol::ClientName;

/// What an activity task of a client with the weight 1 takes.
const STRIDE: u32 = 1_000;
/// Well within what SWF takes for a priority: beyond it, everybody begins anew.
const MAX_PLACE: u32 = 1 << 30;

/// The places of all clients, of one kind of work.
#[derive(Debug, Default)]
pub struct Shares(Mutex<Places>);

#[derive(Debug, Default)]
struct Places {
    now: u32,
    last: HashMap<ClientName, u32>,
}

impl Shares {
    /// The priority of the client's next piece of work.
    pub(crate) fn next(&self, client: &ClientName, weight: u32) -> String {
        let mut places = self.lock();
        let now = places.now;
        let last = places.last.entry(client.clone()).or_default();
        let place = (*last).max(now);
        *last = place + (STRIDE / weight.clamp(1, STRIDE)).max(1);
        if place >= MAX_PLACE {
            *places = Places::default();
        }
        (-i64::from(place)).to_string()
    }

    /// A piece of work with this priority has begun.
    pub(crate) fn begun(&self, priority: Option<&str>) {
        let place = priority.and_then(|priority| priority.parse::<i64>().ok());
        let Some(place) = place.and_then(|priority| u32::try_from(-priority).ok()) else { return };
        let mut places = self.lock();
        if place <= MAX_PLACE && place > places.now {
            places.now = place;
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Places> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BinaryHeap;

    use super::*;

    /// Hands out by priority, as SWF does; answers the clients in their order.
    struct List {
        shares: Shares,
        waiting: BinaryHeap<(i64, std::cmp::Reverse<usize>, String)>,
        count: usize,
    }

    impl List {
        fn new() -> Self {
            Self { shares: Shares::default(), waiting: BinaryHeap::new(), count: 0 }
        }

        fn schedule(&mut self, client: &str, weight: u32, times: usize) {
            for _ in 0..times {
                let name = ClientName::new(client).unwrap();
                let priority = self.shares.next(&name, weight).parse().unwrap();
                self.count += 1;
                self.waiting.push((priority, std::cmp::Reverse(self.count), client.to_owned()));
            }
        }

        fn hand_out(&mut self, times: usize) -> String {
            let mut order = String::new();
            for _ in 0..times {
                let (priority, _, client) = self.waiting.pop().unwrap();
                self.shares.begun(Some(&priority.to_string()));
                order += &client;
            }
            order
        }
    }

    #[test]
    fn a_single_job_is_next_whatever_the_backlog() {
        let mut list = List::new();
        list.schedule("a", 1, 10_000);
        list.hand_out(500);
        list.schedule("b", 1, 1);
        let order = list.hand_out(3);
        assert!(order.contains('b'), "{order}");
    }

    #[test]
    fn two_that_want_all_share_by_weight() {
        let mut list = List::new();
        list.schedule("a", 1, 100);
        list.schedule("b", 3, 100);
        let order = list.hand_out(80);
        assert_eq!(order.matches('b').count(), 60, "{order}");
    }

    #[test]
    fn who_waited_long_has_saved_nothing() {
        let mut list = List::new();
        list.schedule("a", 1, 200);
        list.hand_out(100);
        list.schedule("b", 1, 100);
        let order = list.hand_out(100);
        assert!((49..=51).contains(&order.matches('b').count()), "{order}");
    }

    #[test]
    fn places_end_and_begin_anew() {
        let shares = Shares::default();
        let name = ClientName::new("a").unwrap();
        shares.begun(Some(&format!("-{MAX_PLACE}")));
        assert_eq!(shares.next(&name, 1), format!("-{MAX_PLACE}"));
        assert_eq!(shares.next(&name, 1), "0");
        for strange in ["5", "x", "-99999999999"] {
            shares.begun(Some(strange));
        }
        assert_eq!(shares.next(&name, 1), "-1000");
    }
}
