//! `GET_JOB_LIST`: the client's own jobs, a page at a time.

use std::time::Duration;

use cpe_ports::ErrorKind;
use cpe_protocol::{ClientName, EventData, JobInfo, JobQuery, JobRef, JobStatus};
use cpe_swf::{
    CloseStatus, Timestamp,
    api::{WorkflowExecutionInfo, WorkflowExecutionInfos},
};

use super::{
    Inbox,
    answer::{Answer, Failure, bad_token, job_info},
};
use crate::executions::{self, Filter, Page};

/// Jobs that ended longer ago are listed if the client asks for them.
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Where a list goes on: among the open jobs, or among the closed ones since a time.
#[derive(Debug, PartialEq)]
enum Place {
    Open(Option<String>),
    Closed(Timestamp, Option<String>),
}

impl Inbox {
    /// What SWF tells, as it tells it, so that a page may have fewer jobs than asked for, even
    /// none, and be followed by more.
    pub(super) async fn job_list(
        &self,
        client: &ClientName,
        query: JobQuery,
    ) -> Result<Answer, Failure> {
        self.admission.read().await;
        let day_ago = self.worker.ports.clock.now().as_millis() - DAY.as_millis() as i64;
        let since = query.since.unwrap_or(Timestamp::from_millis(day_ago.max(0)));
        let place = match &query.page.token {
            Some(token) => Place::read(token).ok_or_else(bad_token)?,
            None if matches!(query.status, None | Some(JobStatus::Running)) => Place::Open(None),
            None => Place::Closed(since, None),
        };
        let filter = Filter { tag: Some(format!("client:{client}")), ..Filter::default() };
        let size = u32::try_from(query.page.limit).ok();
        let (listed, next) = match place {
            Place::Open(token) => {
                let page = executions::open(&self.worker, filter, Page { size, token }).await;
                let page = readable(page)?;
                let next = match page.next_page_token {
                    Some(token) => Some(Place::Open(Some(token))),
                    None if query.status == Some(JobStatus::Running) => None,
                    None => Some(Place::Closed(since, None)),
                };
                (page.execution_infos, next)
            }
            Place::Closed(since, token) => {
                let filter = Filter { since, ..filter };
                let page = executions::closed(&self.worker, filter, Page { size, token }).await;
                let page = readable(page)?;
                let next = page.next_page_token.map(|token| Place::Closed(since, Some(token)));
                (page.execution_infos, next)
            }
        };
        let jobs = listed.into_iter().filter_map(|info| listable(client, &query, info)).collect();
        let next_page_token = next.map(|place| place.write());
        Ok((None, EventData::JobList { jobs, next_page_token }))
    }
}

/// A page that SWF refuses is one of a token that it did not give.
fn readable(
    page: Result<WorkflowExecutionInfos, cpe_ports::Error>,
) -> Result<WorkflowExecutionInfos, Failure> {
    page.map_err(|error| match error.kind() {
        ErrorKind::Refused | ErrorKind::NotFound => bad_token(),
        _ => Failure::Later(error),
    })
}

/// Only what is this client's, whatever the service listed, and only whole jobs.
fn listable(client: &ClientName, query: &JobQuery, info: WorkflowExecutionInfo) -> Option<JobInfo> {
    let job = JobRef::from_workflow_id(&info.execution.workflow_id).ok()?;
    let status = JobStatus::of(info.close_status);
    let wanted = job.client == *client
        // A run that was continued is part of a job that is listed by its newest run.
        && info.close_status != Some(CloseStatus::ContinuedAsNew)
        && query.status.is_none_or(|wanted| wanted == status)
        && query.plan.as_ref().is_none_or(|plan| *plan == info.workflow_type.name);
    wanted.then(|| job_info(job.job_id, info))
}

impl Place {
    fn write(&self) -> String {
        match self {
            Self::Open(token) => format!("open:{}", token.as_deref().unwrap_or_default()),
            Self::Closed(since, token) => {
                format!("closed:{}:{}", since.as_millis(), token.as_deref().unwrap_or_default())
            }
        }
    }

    fn read(text: &str) -> Option<Self> {
        let token = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        match text.split_once(':')? {
            ("open", rest) => Some(Self::Open(token(rest))),
            ("closed", rest) => {
                let (since, rest) = rest.split_once(':')?;
                let since: i64 = since.parse().ok().filter(|since| *since >= 0)?;
                Some(Self::Closed(Timestamp::from_millis(since), token(rest)))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_read_as_they_were_written() {
        for place in [
            Place::Open(Some("a:b".into())),
            Place::Closed(Timestamp(5), None),
            Place::Closed(Timestamp(5), Some("x:".into())),
        ] {
            assert_eq!(Place::read(&place.write()), Some(place));
        }
        for text in ["", "open", "closed:x:", "closed:-1:", "other:1"] {
            assert_eq!(Place::read(text), None, "{text}");
        }
    }
}
