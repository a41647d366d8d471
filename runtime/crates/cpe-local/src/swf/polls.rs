//! Handing out decision tasks and activity tasks. Never waits: the engine holds the pollers.

use cpe_swf::{
    EventAttributes, EventId, Fault, FaultKind, TaskList,
    api::{ActivityTask, DecisionTask, PollForActivityTaskRequest, PollForDecisionTaskRequest},
    event::{ActivityTaskStarted, DecisionTaskStarted},
    limits,
};

use super::{
    Call, Swf, TaskKind,
    check::{Checks, invalid},
    pages::{Ask, Stretch},
    token::{HandedOut, PageToken},
};

pub(super) const DECISION_TOKEN: &str = "d";
pub(super) const ACTIVITY_TOKEN: &str = "a";
const PAGE_KIND: &str = "dp";

/// A decision task that was handed out, and the stretch of its history that is wanted next.
#[derive(Debug, Clone, Copy)]
struct Handed {
    out: HandedOut,
    previous: EventId,
    stretch: Stretch,
}

impl Swf {
    /// The next decision task of a list, or with a page token more history of one that was handed
    /// out before.
    pub(crate) fn poll_for_decision_task(
        &mut self,
        call: &Call<'_>,
        request: &PollForDecisionTaskRequest,
    ) -> Result<Option<DecisionTask>, Fault> {
        let mut checks = Checks::default();
        check_poll(&mut checks, &request.task_list, request.identity.as_ref());
        checks.page_size(request.maximum_page_size);
        checks.finish()?;
        self.domain(&request.domain)?;
        if let Some(token) = request.next_page_token.as_deref() {
            let page = PageToken::read(PAGE_KIND, request.domain.as_str(), token, call.now)?;
            let handed =
                Handed::from_numbers(&page.numbers).ok_or_else(|| invalid("Invalid token"))?;
            return self.decision_task(call, request, handed).map(Some);
        }
        let (no, scheduled, started) = loop {
            let list = &request.task_list.name;
            let next = self.agenda.next_in(TaskKind::Decision, &request.domain, list);
            let Some((no, scheduled)) = next else { return Ok(None) };
            let event = DecisionTaskStarted {
                identity: request.identity.clone(),
                scheduled_event_id: scheduled,
            };
            let started = self.append(no, call.now, event);
            self.settle(call.now);
            // Not written means that the run was closed, which took it off the list.
            if let Some(started) = started {
                break (no, scheduled, started);
            }
        };
        let previous =
            (self.runs.get(&no)).map_or(EventId(0), |run| run.state.decisions.previous_started);
        let first = if request.start_at_previous_started_event { previous.0.max(1) } else { 1 };
        let handed = Handed {
            out: HandedOut { run: no, scheduled, started },
            previous,
            stretch: Stretch {
                first: EventId(first),
                last: started,
                reverse: request.reverse_order,
            },
        };
        self.decision_task(call, request, handed).map(Some)
    }

    fn decision_task(
        &self,
        call: &Call<'_>,
        request: &PollForDecisionTaskRequest,
        handed: Handed,
    ) -> Result<DecisionTask, Fault> {
        let Handed { out, previous, stretch } = handed;
        let run = self.runs.get(&out.run).ok_or_else(|| {
            let message = format!("Unknown decision task, scheduledEventId = {}", out.scheduled);
            Fault::new(FaultKind::UnknownResourceFault, message)
        })?;
        let ask = Ask { kind: PAGE_KIND, token: None, size: request.maximum_page_size };
        let (events, rest) = self.history_page(call, out.run, stretch, ask.size())?;
        let next_page_token = rest.map(|stretch| {
            let numbers = Handed { stretch, ..handed }.numbers();
            PageToken { issued: call.now, numbers }.write(PAGE_KIND, request.domain.as_str())
        });
        Ok(DecisionTask {
            task_token: out.token(DECISION_TOKEN, &run.execution.run_id),
            started_event_id: out.started,
            workflow_execution: run.execution.clone(),
            workflow_type: run.state.config.workflow_type.clone(),
            events,
            next_page_token,
            previous_started_event_id: Some(previous),
        })
    }

    /// The next activity task of a list.
    pub(crate) fn poll_for_activity_task(
        &mut self,
        call: &Call<'_>,
        request: &PollForActivityTaskRequest,
    ) -> Result<Option<ActivityTask>, Fault> {
        let mut checks = Checks::default();
        check_poll(&mut checks, &request.task_list, request.identity.as_ref());
        checks.finish()?;
        self.domain(&request.domain)?;
        loop {
            let list = &request.task_list.name;
            let next = self.agenda.next_in(TaskKind::Activity, &request.domain, list);
            let Some((no, scheduled)) = next else { return Ok(None) };
            let event = ActivityTaskStarted {
                identity: request.identity.clone(),
                scheduled_event_id: scheduled,
            };
            let started = self.append(no, call.now, event);
            self.settle(call.now);
            if let Some(started) = started {
                let out = HandedOut { run: no, scheduled, started };
                return Ok(self.activity_task(out));
            }
        }
    }

    fn activity_task(&self, out: HandedOut) -> Option<ActivityTask> {
        let run = self.runs.get(&out.run)?;
        let activity = run.state.activities.get(&out.scheduled)?;
        let event = run.events.get(usize::try_from(out.scheduled.0 - 1).ok()?)?;
        let input = match &*event.attributes {
            EventAttributes::ActivityTaskScheduled(scheduled) => scheduled.input.clone(),
            _ => None,
        };
        Some(ActivityTask {
            task_token: out.token(ACTIVITY_TOKEN, &run.execution.run_id),
            activity_id: activity.id.clone(),
            started_event_id: out.started,
            workflow_execution: run.execution.clone(),
            activity_type: activity.activity_type.clone(),
            input,
        })
    }
}

impl Handed {
    fn numbers(self) -> Vec<i64> {
        let mut numbers =
            vec![self.out.run.0, self.out.scheduled.0, self.out.started.0, self.previous.0];
        numbers.extend(self.stretch.numbers());
        numbers
    }

    fn from_numbers(numbers: &[i64]) -> Option<Self> {
        let (&[run, scheduled, started, previous], stretch) = numbers.split_first_chunk()?;
        Some(Self {
            out: HandedOut {
                run: super::RunNo(run),
                scheduled: EventId(scheduled),
                started: EventId(started),
            },
            previous: EventId(previous),
            stretch: Stretch::from_numbers(stretch)?,
        })
    }
}

fn check_poll(checks: &mut Checks, task_list: &TaskList, identity: Option<&String>) {
    checks.trimmed_id("taskList.name", &task_list.name);
    checks.optional("identity", identity, limits::IDENTITY_CHARS);
}
