//! Whether a client has room for one more job.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use cpe_ports::Error;
use cpe_protocol::{ClientName, JobRef, Quota, QuotaName};
use cpe_swf::WorkflowId;
use tokio::time::Instant;

use crate::{
    Quotas, Worker,
    executions::{self, Filter, Page},
};

/// So long a job waits here for its turn; a longer wait is told.
const WAIT: Duration = Duration::from_secs(5);
/// For how long a count of open executions is believed, with what was started since.
const BELIEVED: Duration = Duration::from_secs(5);
/// When a full quota is looked at again.
const AGAIN: Duration = Duration::from_secs(15);
/// Entries of a page, and pages of a count.
const PAGE: u32 = 1_000;
const MAX_PAGES: usize = 100;
/// Requests of one client that read, by each input poller: SWF's lists are throttled for all.
const READS_PER_SECOND: u32 = 5;

/// What one client has used in this process.
#[derive(Debug, Default)]
pub(super) struct Admission {
    starts: Pace,
    reads: Pace,
    jobs: Mutex<Count>,
}

/// Turns, evenly spaced.
#[derive(Debug, Default)]
struct Pace(Mutex<Option<Instant>>);

#[derive(Debug, Default)]
struct Count {
    at: Option<Instant>,
    jobs: u32,
}

impl Pace {
    /// How long until the next turn, which is taken if that is no more than `most`.
    fn take(&self, per_second: u32, most: Duration) -> Result<Duration, Duration> {
        let mut next = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let turn = next.unwrap_or(now).max(now);
        let wait = turn - now;
        if wait > most {
            return Err(wait);
        }
        *next = Some(turn + Duration::from_secs(1) / per_second.max(1));
        Ok(wait)
    }
}

impl Admission {
    /// Waits for a turn to read: a client that asks too much waits for itself.
    pub(super) async fn read(&self) {
        if let Ok(wait) = self.reads.take(READS_PER_SECOND, Duration::MAX) {
            tokio::time::sleep(wait).await;
        }
    }

    /// Lets one job start, perhaps a little later, or tells which quota is used up.
    pub(super) async fn admit(
        &self,
        worker: &Worker,
        client: &ClientName,
        quotas: &Quotas,
    ) -> Result<Result<(), Quota>, Error> {
        let until = |wait: Duration| worker.ports.clock.now() + wait;
        if quotas.are_metered() {
            let used = worker.usage.of(client).await?;
            if let Some((name, limit)) = quotas.used_up(&used) {
                let until = match name {
                    QuotaName::CpuSecondsPerDay | QuotaName::BytesPerDay => {
                        worker.usage.end_of_day()
                    }
                    _ => until(AGAIN),
                };
                return Ok(Err(Quota { name, limit, until }));
            }
        }
        if let Some(limit) = quotas.jobs_in_flight
            && !self.has_room(worker, client, limit).await?
        {
            let (name, limit) = (QuotaName::JobsInFlight, u64::from(limit));
            return Ok(Err(Quota { name, limit, until: until(AGAIN) }));
        }
        if let Some(limit) = quotas.starts_per_second {
            match self.starts.take(limit, WAIT) {
                Ok(wait) => tokio::time::sleep(wait).await,
                Err(wait) => {
                    self.leave();
                    let (name, limit) = (QuotaName::StartsPerSecond, u64::from(limit));
                    return Ok(Err(Quota { name, limit, until: until(wait) }));
                }
            }
        }
        worker.usage.expect_one(client);
        Ok(Ok(()))
    }

    /// Takes a place if there is one.
    async fn has_room(
        &self,
        worker: &Worker,
        client: &ClientName,
        limit: u32,
    ) -> Result<bool, Error> {
        if let Some(room) = self.take_place(limit) {
            return Ok(room);
        }
        let jobs = count(worker, client, limit).await?;
        *self.count() = Count { at: Some(Instant::now()), jobs };
        Ok(self.take_place(limit).unwrap_or(jobs < limit))
    }

    /// `None` if the last count is too old to tell.
    fn take_place(&self, limit: u32) -> Option<bool> {
        let mut count = self.count();
        count.at.filter(|at| at.elapsed() < BELIEVED)?;
        let room = count.jobs < limit;
        count.jobs += u32::from(room);
        Some(room)
    }

    fn leave(&self) {
        let mut count = self.count();
        count.jobs = count.jobs.saturating_sub(1);
    }

    fn count(&self) -> std::sync::MutexGuard<'_, Count> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_job(id: &WorkflowId) -> bool {
    JobRef::from_workflow_id(id).is_ok()
}

/// The client's open jobs, counted until there are more than `enough`.
async fn count(worker: &Worker, client: &ClientName, enough: u32) -> Result<u32, Error> {
    let mut jobs = 0;
    let mut token = None;
    for _ in 0..MAX_PAGES {
        let filter = Filter { tag: Some(format!("client:{client}")), ..Filter::default() };
        let page = executions::open(worker, filter, Page { size: Some(PAGE), token }).await?;
        // Children are of their client, too, but no jobs.
        let own = page.execution_infos.iter().filter(|info| is_job(&info.execution.workflow_id));
        jobs += u32::try_from(own.count()).unwrap_or(u32::MAX);
        token = page.next_page_token;
        if token.is_none() || jobs > enough {
            break;
        }
    }
    Ok(jobs)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{ScriptedQueues, ScriptedWorkflows, worker};

    #[tokio::test(start_paused = true)]
    async fn turns_are_evenly_spaced_and_not_saved() {
        let pace = Pace::default();
        let mut waits = Vec::new();
        for _ in 0..4 {
            waits.push(pace.take(2, Duration::from_secs(1)).map(|wait| wait.as_millis()));
        }
        assert_eq!(waits, [Ok(0), Ok(500), Ok(1000), Err(Duration::from_millis(1500))]);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(pace.take(2, Duration::ZERO), Ok(Duration::ZERO));
        assert!(pace.take(2, Duration::ZERO).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn open_jobs_are_counted_now_and_then() {
        let workflows = ScriptedWorkflows::default();
        let worker = worker(&workflows, &ScriptedQueues::default());
        let info = json!({
            "execution": {"workflowId": "c.j", "runId": "r"},
            "workflowType": {"name": "Two", "version": "1"},
            "startTimestamp": 5, "executionStatus": "OPEN",
        });
        let mut child = info.clone();
        child["execution"]["workflowId"] = json!("c.j.Child");
        let infos = json!({"executionInfos": [info, child]});
        workflows.reply("ListOpenWorkflowExecutions", Ok(infos));
        let client = ClientName::new("c").unwrap();
        let quotas = Quotas { jobs_in_flight: Some(3), ..Quotas::default() };
        let admission = Admission::default();
        let mut admitted = Vec::new();
        for _ in 0..3 {
            admitted.push(admission.admit(&worker, &client, &quotas).await.unwrap().is_ok());
        }
        assert_eq!(admitted, [true, true, false]);
        assert_eq!(workflows.calls_of("ListOpenWorkflowExecutions").len(), 1);
        tokio::time::advance(BELIEVED).await;
        assert!(admission.admit(&worker, &client, &quotas).await.unwrap().is_ok());
        let asked = &workflows.calls_of("ListOpenWorkflowExecutions")[1];
        assert_eq!(asked["tagFilter"]["tag"], "client:c");
    }
}
