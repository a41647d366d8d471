//! How much a client may have at a time.

use serde::Deserialize;

/// Of a fleet with ten thousand cores, in a day.
const MOST_SECONDS: u64 = 10_000 * 24 * 3_600;

/// A million tebibytes.
const MOST_BYTES: u64 = 1 << 60;

/// `quotas` of a client.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    /// Jobs that have begun and not ended; any number if absent.
    pub jobs_in_flight: Option<u32>,
    /// No job begins while so many activity tasks of the client run on CPE's workers, as these
    /// told within the last ten seconds; any number if absent.
    pub activities_in_flight: Option<u32>,
    /// Jobs begun in a second, by each input poller; any number if absent.
    pub starts_per_second: Option<u32>,
    /// No job begins once its guests have used so many seconds on CPUs since midnight (UTC); any
    /// number if absent.
    pub cpu_seconds_per_day: Option<u64>,
    /// The same for the bytes that its guests read and write in S3 and exchange over HTTP, such as
    /// `50GiB`.
    #[serde(deserialize_with = "super::allowances::size")]
    pub bytes_per_day: Option<u64>,
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
        Self {
            jobs_in_flight: None,
            activities_in_flight: None,
            starts_per_second: None,
            cpu_seconds_per_day: None,
            bytes_per_day: None,
            over: OverQuota::Wait,
            weight: 1,
        }
    }
}

impl Quotas {
    pub(super) fn check(&self, client: &str, mut problem: impl FnMut(String)) {
        let mut within = |value: Option<u64>, most: u64, name: &str| {
            if value.is_some_and(|value| !(1..=most).contains(&value)) {
                problem(format!("quotas of `{client}`: `{name}` must be from 1 to {most}"));
            }
        };
        within(self.jobs_in_flight.map(u64::from), 100_000, "jobs_in_flight");
        within(self.activities_in_flight.map(u64::from), 100_000, "activities_in_flight");
        within(self.starts_per_second.map(u64::from), 1_000, "starts_per_second");
        within(self.cpu_seconds_per_day, MOST_SECONDS, "cpu_seconds_per_day");
        within(self.bytes_per_day, MOST_BYTES, "bytes_per_day");
        within(Some(self.weight.into()), 100, "weight");
    }

    pub(crate) fn to_worker(&self) -> cpe_worker::Quotas {
        cpe_worker::Quotas {
            jobs_in_flight: self.jobs_in_flight,
            activities_in_flight: self.activities_in_flight,
            starts_per_second: self.starts_per_second,
            cpu_seconds_per_day: self.cpu_seconds_per_day,
            bytes_per_day: self.bytes_per_day,
            over: match self.over {
                OverQuota::Wait => cpe_worker::OverQuota::Wait,
                OverQuota::Refuse => cpe_worker::OverQuota::Refuse,
            },
            weight: self.weight,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(yaml: &str) -> Vec<String> {
        let quotas: Quotas = match serde_saphyr::from_str(yaml) {
            Ok(quotas) => quotas,
            Err(error) => return vec![error.without_snippet().to_string()],
        };
        let mut problems = Vec::new();
        quotas.check("a", |problem| problems.push(problem));
        problems
    }

    #[test]
    fn what_is_counted_together_is_read() {
        let yaml = "{activities_in_flight: 5, cpu_seconds_per_day: 7200, bytes_per_day: 2KiB}";
        let quotas: Quotas = serde_saphyr::from_str(yaml).unwrap();
        let worker = quotas.to_worker();
        assert_eq!(worker.activities_in_flight, Some(5));
        assert_eq!(worker.cpu_seconds_per_day, Some(7_200));
        assert_eq!(worker.bytes_per_day, Some(2_048));
        assert_eq!(problems(yaml), [""; 0]);
        assert_eq!(problems("{}"), [""; 0]);
    }

    #[test]
    fn mistakes_are_told() {
        for (yaml, expected) in [
            ("{activities_in_flight: 0}", "`activities_in_flight` must be from 1 to 100000"),
            ("{cpu_seconds_per_day: 0}", "`cpu_seconds_per_day` must be from 1 to"),
            ("{bytes_per_day: lots}", "`lots` is no size"),
        ] {
            let told = problems(yaml).join("\n");
            assert!(told.contains(expected), "{yaml}: {told}");
        }
    }
}
