//! Tells of jobs that SWF itself ended: timed out, or terminated by an operator or because their
//! histories grew too long. No decision task follows such an end, so no decider hears of it.
//!
//! Every process with a decider looks, once a minute at most, at what closed since the last look
//! of any: that time is kept in a bucket, and moves on only when all was told. Looks overlap,
//! since SWF's lists are behind; what is told twice has one `eventId`.

use std::{num::NonZeroUsize, sync::Arc, time::Duration};

use bytes::Bytes;
use cpe_ports::{Error, ErrorKind, PutOptions};
use cpe_protocol::{EventData, JobEvent, JobRef};
use cpe_swf::{CloseStatus, RunId, Timestamp, api::WorkflowExecutionInfo, limits};
use lru::LruCache;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::{
    Worker,
    backoff::retrying,
    ending,
    executions::{self, Filter, Page},
    sequence,
};

const BETWEEN: Duration = Duration::from_secs(60);
/// Soon after the start, and then less and less often: whatever ended while nobody ran is told.
const FIRST: Duration = Duration::from_secs(2);
/// SWF's lists are behind by seconds; so much is looked at again.
const OVERLAP: Duration = Duration::from_secs(120);
/// How far back the very first look goes.
const AT_FIRST: Duration = Duration::from_secs(24 * 3600);
const PATIENCE: Duration = Duration::from_secs(30);
/// Pages of one list in one look: the rest is for the next.
const MAX_PAGES: usize = 20;
const MAX_MARK: usize = 1 << 10;
/// Runs that are known to have been told.
const TOLD: NonZeroUsize = NonZeroUsize::new(10_000).expect("is not zero");

#[derive(Debug)]
pub(super) struct Sweeper {
    worker: Arc<Worker>,
    told: LruCache<RunId, ()>,
    /// The last look of this process, where no bucket keeps it.
    mark: Option<Timestamp>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    until: Timestamp,
}

impl Sweeper {
    pub(super) fn new(worker: Arc<Worker>) -> Self {
        Self { worker, told: LruCache::sparse(TOLD), mark: None }
    }

    pub(super) async fn run(mut self, stop: &CancellationToken) {
        let mut wait = FIRST;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            wait = (wait * 3).min(BETWEEN);
            match self.sweep().await {
                Ok(0) => {}
                Ok(told) => info!(told, "Jobs that SWF ended were told"),
                Err(error) => warn!(%error, "Jobs that SWF ended cannot be told yet"),
            }
        }
    }

    /// One look; answers how many jobs were told.
    async fn sweep(&mut self) -> Result<usize, Error> {
        let now = self.worker.ports.clock.now();
        let mark = self.read_mark().await.or(self.mark);
        // Another process has just looked.
        if self.mark < mark && mark.is_some_and(|mark| now.since(mark) < BETWEEN / 2) {
            self.mark = mark;
            return Ok(0);
        }
        let since = mark.map_or(earlier(now, AT_FIRST), |mark| earlier(mark, OVERLAP));
        let mut told = 0;
        for status in [CloseStatus::TimedOut, CloseStatus::Terminated] {
            told += self.sweep_status(status, since).await?;
        }
        self.mark = Some(now);
        self.write_mark(now).await;
        Ok(told)
    }

    async fn sweep_status(
        &mut self,
        status: CloseStatus,
        since: Timestamp,
    ) -> Result<usize, Error> {
        let mut told = 0;
        let mut token = None;
        for _ in 0..MAX_PAGES {
            let filter = Filter { status: Some(status), since, ..Filter::default() };
            let page = Page { size: None, token };
            let worker = &self.worker;
            let list = || executions::closed(worker, filter.clone(), page.clone());
            let closed = retrying(worker.backoff, PATIENCE, list).await?;
            for info in closed.execution_infos {
                told += usize::from(self.tell(info).await?);
            }
            token = closed.next_page_token;
            if token.is_none() {
                break;
            }
        }
        Ok(told)
    }

    async fn tell(&mut self, info: WorkflowExecutionInfo) -> Result<bool, Error> {
        let run = info.execution.run_id.clone();
        // How a child ends is its parent's business.
        let Ok(job) = JobRef::from_workflow_id(&info.execution.workflow_id) else {
            return Ok(false);
        };
        let worker = &self.worker;
        let client = worker.clients.of_execution(&info.execution.workflow_id);
        let (Some((client, _)), false) = (client, self.told.contains(&run)) else {
            return Ok(false);
        };
        let (seq, data) = self.end(&info).await?;
        info!(client = %client.name, %job, "SWF ended a job");
        let event = JobEvent {
            time: info.close_timestamp.unwrap_or(worker.ports.clock.now()),
            job_id: Some(job.job_id),
            execution: Some(info.execution),
            request: None,
            seq,
            data,
        };
        worker.teller().tell_all(&worker.outbox, &client, vec![event]).await?;
        self.told.put(run, ());
        Ok(true)
    }

    async fn end(&self, info: &WorkflowExecutionInfo) -> Result<(i64, EventData), Error> {
        let base = sequence::base_of(&info.tag_list);
        let worker = &self.worker;
        let read = || executions::last_event(worker, &info.execution);
        let last = match retrying(worker.backoff, PATIENCE, read).await {
            Ok(last) => last,
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        let end = last.as_ref().and_then(|event| Some((event.event_id.0, ending::end_of(event)?)));
        let (seq, data) = end.unwrap_or_else(|| {
            // SWF has forgotten the history: what the list said is all there is.
            let end = match info.close_status {
                Some(CloseStatus::TimedOut) => ending::timed_out(),
                _ => ending::terminated(""),
            };
            (limits::HISTORY_EVENTS as i64, end)
        });
        Ok((base.saturating_add(seq), data))
    }

    async fn read_mark(&self) -> Option<Timestamp> {
        let at = self.worker.outbox.beside("sweeper.json");
        let object = self.worker.ports.blobs.get(&at, None).await.ok()?;
        let bytes = object.whole(MAX_MARK).await.ok()??;
        Some(serde_json::from_slice::<Mark>(&bytes).ok()?.until)
    }

    async fn write_mark(&self, until: Timestamp) {
        let at = self.worker.outbox.beside("sweeper.json");
        let body = Bytes::from(serde_json::to_vec(&Mark { until }).unwrap_or_default());
        if let Err(error) = self.worker.ports.blobs.put(&at, body, PutOptions::default()).await {
            warn!(%error, "What was told of jobs that SWF ended cannot be kept: it may be told again");
        }
    }
}

fn earlier(time: Timestamp, by: Duration) -> Timestamp {
    let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(time.as_millis().saturating_sub(by).max(0))
}

#[cfg(test)]
mod tests {
    use cpe_ports::QueueUrl;
    use expect_test::expect;
    use serde_json::json;

    use super::*;
    use crate::testing::{ScriptedQueues, ScriptedWorkflows, told, worker};

    fn info(id: &str, run: &str, status: &str) -> serde_json::Value {
        json!({
            "execution": {"workflowId": id, "runId": run},
            "workflowType": {"name": "Two", "version": "1"}, "startTimestamp": 1,
            "closeTimestamp": 2, "executionStatus": "CLOSED", "closeStatus": status,
            "tagList": ["client:c", "seq:100"],
        })
    }

    fn terminated() -> serde_json::Value {
        json!({"events": [{
            "eventId": 7, "eventTimestamp": 2, "eventType": "WorkflowExecutionTerminated",
            "workflowExecutionTerminatedEventAttributes": {
                "childPolicy": "TERMINATE", "reason": "enough", "cause": "OPERATOR_INITIATED",
            },
        }]})
    }

    #[tokio::test(start_paused = true)]
    async fn what_swf_ended_is_told_once_and_children_are_not() {
        let (workflows, queues) = (ScriptedWorkflows::default(), ScriptedQueues::default());
        let list = |infos: Vec<serde_json::Value>| Ok(json!({"executionInfos": infos}));
        let lists = [
            list(vec![info("c.a", "r1", "TIMED_OUT"), info("c.a.Child", "r2", "TIMED_OUT")]),
            list(vec![info("c.b", "r3", "TERMINATED"), info("x.b", "r4", "TERMINATED")]),
            list(vec![info("c.a", "r1", "TIMED_OUT")]),
            list(Vec::new()),
        ];
        for reply in lists {
            workflows.reply("ListClosedWorkflowExecutions", reply);
        }
        workflows.reply("GetWorkflowExecutionHistory", Err(ErrorKind::NotFound));
        workflows.reply("GetWorkflowExecutionHistory", Ok(terminated()));
        let worker = worker(&workflows, &queues);
        let mut sweeper = Sweeper::new(Arc::clone(&worker));
        assert_eq!(sweeper.sweep().await.unwrap(), 2);
        assert_eq!(sweeper.sweep().await.unwrap(), 0);
        expect![[r#"
            JOB_FAILED #25100 r1:end {"reason":"cpe.timeout.execution","details":"the job took longer than its execution may: executionStartToCloseTimeout"}
            JOB_FAILED #107 r3:end {"reason":"cpe.terminated","details":"an operator or SWF has terminated the job: enough"}
        "#]].assert_eq(&told(&queues.sent(&QueueUrl("c-out".into()))));
        let asked = &workflows.calls_of("ListClosedWorkflowExecutions")[2];
        assert_eq!(asked["closeTimeFilter"]["oldestDate"], 880.0, "since the mark, with overlap");
        // Within half a minute of another process's look there is nothing to do.
        sweeper.mark = Some(Timestamp(5));
        assert_eq!(sweeper.sweep().await.unwrap(), 0);
        assert_eq!(workflows.calls_of("ListClosedWorkflowExecutions").len(), 4);
    }

    #[tokio::test(start_paused = true)]
    async fn what_could_not_be_told_is_looked_at_again() {
        let (workflows, queues) = (ScriptedWorkflows::default(), ScriptedQueues::default());
        workflows.reply("ListClosedWorkflowExecutions", Err(ErrorKind::Refused));
        let mut sweeper = Sweeper::new(worker(&workflows, &queues));
        sweeper.sweep().await.unwrap_err();
        assert!(sweeper.mark.is_none() && sweeper.read_mark().await.is_none());
    }
}
