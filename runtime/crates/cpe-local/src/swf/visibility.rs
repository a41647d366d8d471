//! Reading: histories, descriptions, lists and counts of executions.

use cpe_swf::{EventId, ExecutionStatus, Fault, Timestamp, WorkflowExecution, api::*, limits};

use super::{
    Call, Filter, Listing, RunNo, Swf, TaskKind, TimeField,
    check::{Checks, invalid},
    executions::unknown_execution,
    pages::{Ask, Stretch},
    token::{PageToken, of_run},
};

const HISTORY_PAGE: &str = "h";
const LIST_PAGE: &str = "l";
/// Counting stops here; SWF says that a count is approximate and may be truncated.
const COUNTED: u32 = 10_000;

impl Swf {
    pub(crate) fn get_workflow_execution_history(
        &self,
        call: &Call<'_>,
        request: &GetWorkflowExecutionHistoryRequest,
    ) -> Result<History, Fault> {
        let mut checks = Checks::default();
        check_execution(&mut checks, &request.execution);
        checks.page_size(request.maximum_page_size);
        checks.finish()?;
        self.domain(&request.domain)?;
        let execution = &request.execution;
        let of = of_run(execution);
        let no = self.open_run(&request.domain, &execution.workflow_id, Some(&execution.run_id));
        let no = match no {
            Some(no) => no,
            None => self.closed_run(call, &request.domain, execution)?.0,
        };
        let stretch = match request.next_page_token.as_deref() {
            Some(token) => {
                let page = PageToken::read(HISTORY_PAGE, of, token, call.now)?;
                Stretch::from_numbers(&page.numbers).ok_or_else(|| invalid("Invalid token"))?
            }
            None => Stretch {
                first: EventId(1),
                last: self.last_event(call, no)?,
                reverse: request.reverse_order,
            },
        };
        let ask = Ask { kind: HISTORY_PAGE, token: None, size: request.maximum_page_size };
        let (events, rest) = self.history_page(call, no, stretch, ask.size())?;
        let next_page_token = rest.map(|stretch| {
            let numbers = stretch.numbers().to_vec();
            PageToken { issued: call.now, numbers }.write(HISTORY_PAGE, of)
        });
        Ok(History { events, next_page_token })
    }

    fn last_event(&self, call: &Call<'_>, no: RunNo) -> Result<EventId, Fault> {
        match self.runs.get(&no) {
            Some(run) => Ok(run.state.last),
            None => call.archive.last_event(no),
        }
    }

    pub(crate) fn describe_workflow_execution(
        &self,
        call: &Call<'_>,
        request: &DescribeWorkflowExecutionRequest,
    ) -> Result<WorkflowExecutionDetail, Fault> {
        let mut checks = Checks::default();
        check_execution(&mut checks, &request.execution);
        checks.finish()?;
        self.domain(&request.domain)?;
        let execution = &request.execution;
        let no = self.open_run(&request.domain, &execution.workflow_id, Some(&execution.run_id));
        match no.and_then(|no| self.runs.get(&no)) {
            Some(run) => Ok(run.detail()),
            None => Ok(self.closed_run(call, &request.domain, execution)?.1),
        }
    }

    fn closed_run(
        &self,
        call: &Call<'_>,
        domain: &cpe_swf::DomainName,
        execution: &WorkflowExecution,
    ) -> Result<(RunNo, WorkflowExecutionDetail), Fault> {
        let found = call.archive.find(domain, execution)?;
        found.ok_or_else(|| unknown_execution(&execution.workflow_id, Some(&execution.run_id)))
    }

    pub(crate) fn list_open_workflow_executions(
        &self,
        call: &Call<'_>,
        request: &ListOpenWorkflowExecutionsRequest,
    ) -> Result<WorkflowExecutionInfos, Fault> {
        let filters = Filters {
            started: Some(&request.start_time_filter),
            execution: request.execution_filter.as_ref(),
            kind: request.type_filter.as_ref(),
            tag: request.tag_filter.as_ref(),
            ..Filters::default()
        };
        let mut listing = filters.listing(&request.domain, ExecutionStatus::Open)?;
        listing.ascending = request.reverse_order;
        let token = request.next_page_token.as_deref();
        self.list(call, listing, (token, request.maximum_page_size))
    }

    pub(crate) fn list_closed_workflow_executions(
        &self,
        call: &Call<'_>,
        request: &ListClosedWorkflowExecutionsRequest,
    ) -> Result<WorkflowExecutionInfos, Fault> {
        let filters = Filters {
            started: request.start_time_filter.as_ref(),
            closed: request.close_time_filter.as_ref(),
            execution: request.execution_filter.as_ref(),
            kind: request.type_filter.as_ref(),
            tag: request.tag_filter.as_ref(),
            status: request.close_status_filter.as_ref(),
        };
        let mut listing = filters.listing(&request.domain, ExecutionStatus::Closed)?;
        listing.ascending = request.reverse_order;
        let token = request.next_page_token.as_deref();
        self.list(call, listing, (token, request.maximum_page_size))
    }

    fn list(
        &self,
        call: &Call<'_>,
        mut listing: Listing<'_>,
        (token, size): (Option<&str>, Option<u32>),
    ) -> Result<WorkflowExecutionInfos, Fault> {
        let mut checks = Checks::default();
        checks.page_size(size);
        checks.finish()?;
        self.domain(listing.domain)?;
        let of = listing.domain.as_str();
        if let Some(token) = token {
            let page = PageToken::read(LIST_PAGE, of, token, call.now)?;
            let &[at, no] = page.numbers.as_slice() else { return Err(invalid("Invalid token")) };
            listing.after = Some((Timestamp(at), RunNo(no)));
        }
        let size = size.filter(|size| *size > 0).unwrap_or(limits::PAGE_SIZE);
        // One more than wanted tells whether there is a next page.
        listing.limit = size + 1;
        let mut listed = call.archive.list(&listing)?;
        let page = usize::try_from(size).unwrap_or(usize::MAX);
        let more = listed.len() > page;
        listed.truncate(page);
        let next_page_token = listed.last().filter(|_| more).map(|last| {
            let at = match listing.time {
                TimeField::Started => last.info.start_timestamp,
                TimeField::Closed => last.info.close_timestamp.unwrap_or_default(),
            };
            let numbers = vec![at.0, last.no.0];
            PageToken { issued: call.now, numbers }.write(LIST_PAGE, of)
        });
        let execution_infos = listed.into_iter().map(|listed| listed.info).collect();
        Ok(WorkflowExecutionInfos { execution_infos, next_page_token })
    }

    pub(crate) fn count_open_workflow_executions(
        &self,
        call: &Call<'_>,
        request: &CountOpenWorkflowExecutionsRequest,
    ) -> Result<WorkflowExecutionCount, Fault> {
        let filters = Filters {
            started: Some(&request.start_time_filter),
            execution: request.execution_filter.as_ref(),
            kind: request.type_filter.as_ref(),
            tag: request.tag_filter.as_ref(),
            ..Filters::default()
        };
        self.count(call, filters.listing(&request.domain, ExecutionStatus::Open)?)
    }

    pub(crate) fn count_closed_workflow_executions(
        &self,
        call: &Call<'_>,
        request: &CountClosedWorkflowExecutionsRequest,
    ) -> Result<WorkflowExecutionCount, Fault> {
        let filters = Filters {
            started: request.start_time_filter.as_ref(),
            closed: request.close_time_filter.as_ref(),
            execution: request.execution_filter.as_ref(),
            kind: request.type_filter.as_ref(),
            tag: request.tag_filter.as_ref(),
            status: request.close_status_filter.as_ref(),
        };
        self.count(call, filters.listing(&request.domain, ExecutionStatus::Closed)?)
    }

    fn count(
        &self,
        call: &Call<'_>,
        mut listing: Listing<'_>,
    ) -> Result<WorkflowExecutionCount, Fault> {
        self.domain(listing.domain)?;
        listing.limit = COUNTED + 1;
        let count = call.archive.count(&listing)?;
        Ok(WorkflowExecutionCount { count: count.min(COUNTED), truncated: count > COUNTED })
    }

    pub(crate) fn count_pending_decision_tasks(
        &self,
        _call: &Call<'_>,
        request: &CountPendingDecisionTasksRequest,
    ) -> Result<PendingTaskCount, Fault> {
        self.pending(TaskKind::Decision, &request.domain, &request.task_list.name)
    }

    pub(crate) fn count_pending_activity_tasks(
        &self,
        _call: &Call<'_>,
        request: &CountPendingActivityTasksRequest,
    ) -> Result<PendingTaskCount, Fault> {
        self.pending(TaskKind::Activity, &request.domain, &request.task_list.name)
    }

    fn pending(
        &self,
        kind: TaskKind,
        domain: &cpe_swf::DomainName,
        task_list: &str,
    ) -> Result<PendingTaskCount, Fault> {
        self.domain(domain)?;
        let count = self.agenda.count(kind, domain, task_list);
        Ok(PendingTaskCount { count: u32::try_from(count).unwrap_or(u32::MAX), truncated: false })
    }
}

/// The filters of a list or a count, as requests have them.
#[derive(Debug, Default)]
struct Filters<'a> {
    started: Option<&'a ExecutionTimeFilter>,
    closed: Option<&'a ExecutionTimeFilter>,
    execution: Option<&'a WorkflowExecutionFilter>,
    kind: Option<&'a WorkflowTypeFilter>,
    tag: Option<&'a TagFilter>,
    status: Option<&'a CloseStatusFilter>,
}

impl<'a> Filters<'a> {
    fn listing(
        &self,
        domain: &'a cpe_swf::DomainName,
        status: ExecutionStatus,
    ) -> Result<Listing<'a>, Fault> {
        let (time, window) = match (self.started, self.closed) {
            (Some(window), None) => (TimeField::Started, window),
            (None, Some(window)) => (TimeField::Closed, window),
            (None, None) => return Err(invalid("Must specify time filter")),
            (Some(_), Some(_)) => {
                let message = "Cannot specify both a startTimeFilter and a closeTimeFilter";
                return Err(invalid(message));
            }
        };
        let given: Vec<(&str, Filter<'a>)> = [
            self.execution.map(|f| ("executionFilter", Filter::WorkflowId(&f.workflow_id))),
            self.kind.map(|f| ("typeFilter", Filter::Type(f))),
            self.tag.map(|f| ("tagFilter", Filter::Tag(&f.tag))),
            self.status.map(|f| ("closeStatusFilter", Filter::CloseStatus(f.status))),
        ]
        .into_iter()
        .flatten()
        .collect();
        let filter = match given.as_slice() {
            [] => Filter::All,
            [(_, filter)] => *filter,
            _ => {
                let names: Vec<&str> = given.iter().map(|(name, _)| *name).collect();
                return Err(invalid(format!(
                    "Cannot specify more than one exclusive filters in the same query: {}",
                    names.join(", ")
                )));
            }
        };
        Ok(Listing {
            domain,
            status,
            time,
            oldest: window.oldest_date,
            latest: window.latest_date.unwrap_or(Timestamp(i64::MAX)),
            filter,
            ascending: false,
            after: None,
            limit: limits::PAGE_SIZE,
        })
    }
}

fn check_execution(checks: &mut Checks, execution: &WorkflowExecution) {
    checks.text("execution.workflowId", execution.workflow_id.as_str(), limits::ID_CHARS);
    checks.text("execution.runId", execution.run_id.as_str(), 64);
}
