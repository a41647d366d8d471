//! How much a client may have at a time.

use serde::Deserialize;

/// `quotas` of a client.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    /// Jobs that have begun and not ended; any number if absent.
    pub jobs_in_flight: Option<u32>,
    /// Jobs begun in a second, by each input poller; any number if absent.
    pub starts_per_second: Option<u32>,
    /// What becomes of a job that is too many.
    pub over: OverQuota,
    /// Twice the weight is twice the share where there is not enough for all.
    pub weight: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OverQuota {
    /// It waits in the client's input queue.
    Wait,
    /// The client is told that it was refused.
    Refuse,
}

impl Default for Quotas {
    fn default() -> Self {
        Self { jobs_in_flight: None, starts_per_second: None, over: OverQuota::Wait, weight: 1 }
    }
}

impl Quotas {
    pub(super) fn check(&self, client: &str, mut problem: impl FnMut(String)) {
        let mut within = |value: Option<u32>, most: u32, name: &str| {
            if value.is_some_and(|value| !(1..=most).contains(&value)) {
                problem(format!("quotas of `{client}`: `{name}` must be from 1 to {most}"));
            }
        };
        within(self.jobs_in_flight, 100_000, "jobs_in_flight");
        within(self.starts_per_second, 1_000, "starts_per_second");
        within(Some(self.weight), 100, "weight");
    }

    pub(crate) fn to_worker(&self) -> cpe_worker::Quotas {
        cpe_worker::Quotas {
            jobs_in_flight: self.jobs_in_flight,
            starts_per_second: self.starts_per_second,
            over: match self.over {
                OverQuota::Wait => cpe_worker::OverQuota::Wait,
                OverQuota::Refuse => cpe_worker::OverQuota::Refuse,
            },
            weight: self.weight,
        }
    }
}
