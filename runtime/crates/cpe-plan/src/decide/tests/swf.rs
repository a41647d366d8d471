//! A small SWF: carries out decisions, and writes the history that the real one would write.
//!
//! Knows nothing of plans. Refuses what SWF refuses, so that a decision that cannot be carried
//! out shows.

use std::collections::BTreeMap;

use cpe_swf::{
    ActivityTaskTimeoutType, CancelTimerFailedCause, ChildPolicy,
    CompleteWorkflowExecutionFailedCause, Decision, EventAttributes, EventId, HistoryEvent,
    RequestCancelActivityTaskFailedCause, RequestCancelExternalWorkflowExecutionFailedCause,
    ScheduleActivityTaskFailedCause, StartChildWorkflowExecutionFailedCause, StartTimerFailedCause,
    TaskList, Timeout, Timestamp, WorkflowExecution, WorkflowType, event::*, limits,
};

#[derive(Debug, Default)]
pub(super) struct Swf {
    pub(super) events: Vec<HistoryEvent>,
    tag: &'static str,
    now: i64,
    pub(super) activities: BTreeMap<String, EventId>,
    timers: BTreeMap<String, (i64, EventId)>,
    children: BTreeMap<String, Child>,
    /// The decision that ended the execution.
    pub(super) end: Option<Decision>,
    pub(super) runs: usize,
    /// Decisions of each kind that were carried out.
    pub(super) scheduled: usize,
    pub(super) elapsed: i64,
    /// So many of the next decisions that begin something are refused, as over some limit.
    pub(super) refuse: usize,
}

#[derive(Debug, Clone)]
struct Child {
    initiated: EventId,
    started: Option<EventId>,
}

/// How something ends that SWF runs.
#[derive(Debug, Clone, Copy)]
pub(super) enum Answer {
    Completed,
    Garbage,
    Failed,
    TimedOut,
    Canceled,
}

impl Swf {
    pub(super) fn start(&mut self, input: &str) {
        self.tag = "tag";
        self.begin_run(input, None);
    }

    /// With what another execution came to.
    pub(super) fn rerun(&mut self, input: &str) {
        self.tag = "rerun:r";
        self.begin_run(input, None);
    }

    fn begin_run(&mut self, input: &str, continued: Option<&str>) {
        self.runs += 1;
        self.events.clear();
        let started = WorkflowExecutionStarted {
            input: Some(input.to_owned()),
            execution_start_to_close_timeout: Some(Timeout::Seconds(2_592_000)),
            task_start_to_close_timeout: Some(Timeout::Seconds(60)),
            child_policy: ChildPolicy::Terminate,
            task_list: TaskList::new("d"),
            task_priority: None,
            workflow_type: WorkflowType::new("W", "1"),
            tag_list: vec![self.tag.to_owned()],
            continued_execution_run_id: continued.map(Into::into),
            parent_workflow_execution: None,
            parent_initiated_event_id: EventId(0),
            lambda_role: None,
        };
        self.add(started);
    }

    fn add(&mut self, attributes: impl Into<EventAttributes>) -> EventId {
        self.now += 10;
        let event_id = EventId(self.events.len() as i64 + 1);
        self.events.push(HistoryEvent {
            event_id,
            event_timestamp: Timestamp::from_millis(self.now),
            attributes: std::sync::Arc::new(attributes.into()),
        });
        event_id
    }

    /// Whether nothing will ever happen again by itself.
    pub(super) fn is_idle(&self) -> bool {
        self.activities.is_empty() && self.timers.is_empty() && self.children.is_empty()
    }

    /// Carries out an answer. `seen` is how many events the decider had seen: with more, a
    /// closing decision is refused.
    pub(super) fn carry_out(&mut self, decisions: Vec<Decision>, seen: usize) {
        let unseen = self.events.len() > seen;
        let decided = EventId(self.events.len() as i64);
        let count = decisions.len();
        for (index, decision) in decisions.into_iter().enumerate() {
            if decision.is_closing() {
                assert_eq!(index + 1, count, "a closing decision is the last");
                if unseen {
                    let cause = CompleteWorkflowExecutionFailedCause::UnhandledDecision;
                    self.add(CompleteWorkflowExecutionFailed {
                        cause,
                        decision_task_completed_event_id: decided,
                    });
                    return;
                }
                return self.close(decision);
            }
            self.do_one(decision, decided);
        }
    }

    fn close(&mut self, decision: Decision) {
        assert!(self.activities.is_empty() && self.children.is_empty(), "closed while some ran");
        self.timers.clear();
        match decision {
            Decision::ContinueAsNewWorkflowExecution(next) => {
                assert_eq!(next.tag_list, [self.tag]);
                self.begin_run(&next.input.unwrap(), Some("before"));
            }
            other => self.end = Some(other),
        }
    }

    /// Writes that a limit is reached, if it is this decision's turn.
    fn refused(&mut self, decision: &Decision, decided: EventId) -> bool {
        if self.refuse == 0 {
            return false;
        }
        let _event = match decision {
            Decision::ScheduleActivityTask(wanted) => self.add(ScheduleActivityTaskFailed {
                activity_type: wanted.activity_type.clone(),
                activity_id: wanted.activity_id.clone(),
                cause: match self.refuse % 3 {
                    0 => ScheduleActivityTaskFailedCause::ActivityTypeDoesNotExist,
                    1 => ScheduleActivityTaskFailedCause::ActivityCreationRateExceeded,
                    _ => ScheduleActivityTaskFailedCause::OpenActivitiesLimitExceeded,
                },
                decision_task_completed_event_id: decided,
            }),
            Decision::StartTimer(wanted) => self.add(StartTimerFailed {
                timer_id: wanted.timer_id.clone(),
                cause: StartTimerFailedCause::TimerCreationRateExceeded,
                decision_task_completed_event_id: decided,
            }),
            Decision::StartChildWorkflowExecution(wanted) => {
                self.add(StartChildWorkflowExecutionFailed {
                    workflow_type: wanted.workflow_type.clone(),
                    cause: StartChildWorkflowExecutionFailedCause::ChildCreationRateExceeded,
                    workflow_id: wanted.workflow_id.clone(),
                    initiated_event_id: EventId(0),
                    decision_task_completed_event_id: decided,
                    control: wanted.control.clone(),
                })
            }
            _ => return false,
        };
        self.refuse -= 1;
        true
    }

    fn do_one(&mut self, decision: Decision, decided: EventId) {
        if self.refused(&decision, decided) {
            return;
        }
        match decision {
            Decision::ScheduleActivityTask(wanted) => {
                let id = wanted.activity_id.to_string();
                assert!(!self.activities.contains_key(&id), "{id} runs already");
                assert!(self.activities.len() < limits::OPEN_ACTIVITY_TASKS);
                let event = self.add(ActivityTaskScheduled {
                    activity_type: wanted.activity_type,
                    activity_id: wanted.activity_id,
                    input: wanted.input,
                    control: None,
                    schedule_to_start_timeout: None,
                    schedule_to_close_timeout: None,
                    start_to_close_timeout: None,
                    task_list: TaskList::new("l"),
                    task_priority: None,
                    decision_task_completed_event_id: decided,
                    heartbeat_timeout: None,
                });
                self.scheduled += 1;
                self.activities.insert(id, event);
            }
            Decision::RequestCancelActivityTask(ask) => {
                if !self.activities.contains_key(ask.activity_id.as_str()) {
                    self.add(RequestCancelActivityTaskFailed {
                        activity_id: ask.activity_id,
                        cause: RequestCancelActivityTaskFailedCause::ActivityIdUnknown,
                        decision_task_completed_event_id: decided,
                    });
                    return;
                }
                self.add(ActivityTaskCancelRequested {
                    decision_task_completed_event_id: decided,
                    activity_id: ask.activity_id,
                });
            }
            Decision::StartTimer(wanted) => {
                let id = wanted.timer_id.to_string();
                assert!(!self.timers.contains_key(&id), "the timer {id} runs already");
                assert!(self.timers.len() < limits::OPEN_TIMERS);
                let wait = wanted.start_to_fire_timeout.as_duration().unwrap();
                let event = self.add(TimerStarted {
                    timer_id: wanted.timer_id,
                    control: None,
                    start_to_fire_timeout: wanted.start_to_fire_timeout,
                    decision_task_completed_event_id: decided,
                });
                let fires = self.now + i64::try_from(wait.as_millis()).unwrap();
                self.timers.insert(id, (fires, event));
            }
            Decision::CancelTimer(cancel) => {
                let Some((_, started)) = self.timers.remove(cancel.timer_id.as_str()) else {
                    self.add(CancelTimerFailed {
                        timer_id: cancel.timer_id,
                        cause: CancelTimerFailedCause::TimerIdUnknown,
                        decision_task_completed_event_id: decided,
                    });
                    return;
                };
                self.add(TimerCanceled {
                    timer_id: cancel.timer_id,
                    started_event_id: started,
                    decision_task_completed_event_id: decided,
                });
            }
            other => self.do_with_child(other, decided),
        }
    }

    fn do_with_child(&mut self, decision: Decision, decided: EventId) {
        match decision {
            Decision::StartChildWorkflowExecution(wanted) => {
                let id = wanted.workflow_id.to_string();
                assert!(!self.children.contains_key(&id), "{id} runs already");
                let initiated = self.add(StartChildWorkflowExecutionInitiated {
                    workflow_id: wanted.workflow_id,
                    workflow_type: wanted.workflow_type,
                    control: wanted.control,
                    input: wanted.input,
                    execution_start_to_close_timeout: None,
                    task_list: TaskList::new("d"),
                    task_priority: None,
                    decision_task_completed_event_id: decided,
                    child_policy: ChildPolicy::Terminate,
                    task_start_to_close_timeout: None,
                    tag_list: Vec::new(),
                    lambda_role: None,
                });
                self.children.insert(id, Child { initiated, started: None });
            }
            Decision::RequestCancelExternalWorkflowExecution(ask) => {
                let Some(child) = self.children.get(ask.workflow_id.as_str()) else {
                    use RequestCancelExternalWorkflowExecutionFailedCause as Cause;
                    self.add(RequestCancelExternalWorkflowExecutionFailed {
                        workflow_id: ask.workflow_id,
                        run_id: None,
                        cause: Cause::UnknownExternalWorkflowExecution,
                        initiated_event_id: EventId(0),
                        decision_task_completed_event_id: decided,
                        control: None,
                    });
                    return;
                };
                assert!(child.started.is_some(), "it has begun");
                self.add(RequestCancelExternalWorkflowExecutionInitiated {
                    workflow_id: ask.workflow_id,
                    run_id: None,
                    decision_task_completed_event_id: decided,
                    control: None,
                });
            }
            other => panic!("not carried out: {other:?}"),
        }
    }

    /// Something ends: the activity task or child at this place, or the next timer fires.
    /// `false` if there is nothing.
    pub(super) fn happen(&mut self, place: usize, answer: Answer) -> bool {
        let running = self.activities.len() + self.children.len();
        if running == 0 || place % (running + 1) == running {
            return self.fire() || (running > 0 && self.happen(0, answer));
        }
        let place = place % (running + 1);
        if let Some(id) = self.activities.keys().nth(place).cloned() {
            self.end_activity(&id, answer);
        } else if let Some(id) = self.children.keys().nth(place - self.activities.len()).cloned() {
            self.move_child(&id, answer);
        }
        true
    }

    fn fire(&mut self) -> bool {
        let next = self.timers.iter().min_by_key(|(_, (fires, _))| *fires);
        let Some((id, (fires, started))) = next.map(|(id, timer)| (id.clone(), *timer)) else {
            return false;
        };
        self.timers.remove(&id);
        self.now = self.now.max(fires);
        self.elapsed = self.now;
        self.add(TimerFired { timer_id: id.into(), started_event_id: started });
        true
    }

    pub(super) fn end_activity(&mut self, id: &str, answer: Answer) {
        let scheduled = self.activities.remove(id).expect("it runs");
        let started = EventId(0);
        match answer {
            Answer::Completed | Answer::Garbage => {
                let text = if matches!(answer, Answer::Garbage) { "[" } else { "7" };
                self.add(ActivityTaskCompleted {
                    result: Some(text.to_owned()),
                    scheduled_event_id: scheduled,
                    started_event_id: started,
                });
            }
            Answer::Failed => drop(self.add(ActivityTaskFailed {
                reason: Some("x.y".to_owned()),
                details: None,
                scheduled_event_id: scheduled,
                started_event_id: started,
            })),
            Answer::TimedOut => drop(self.add(ActivityTaskTimedOut {
                timeout_type: ActivityTaskTimeoutType::Heartbeat,
                scheduled_event_id: scheduled,
                started_event_id: started,
                details: None,
            })),
            Answer::Canceled => drop(self.add(ActivityTaskCanceled {
                details: None,
                scheduled_event_id: scheduled,
                started_event_id: started,
                latest_cancel_requested_event_id: None,
            })),
        }
    }

    fn move_child(&mut self, id: &str, answer: Answer) {
        let Child { initiated, started } = self.children.get(id).cloned().expect("it runs");
        let workflow_execution = WorkflowExecution { workflow_id: id.into(), run_id: "r".into() };
        let workflow_type = WorkflowType::new("C", "1");
        let Some(started_event_id) = started else {
            let event = self.add(ChildWorkflowExecutionStarted {
                workflow_execution,
                workflow_type,
                initiated_event_id: initiated,
            });
            self.children.get_mut(id).expect("it runs").started = Some(event);
            return;
        };
        self.children.remove(id);
        if matches!(answer, Answer::Completed | Answer::Garbage) {
            self.add(ChildWorkflowExecutionCompleted {
                workflow_execution,
                workflow_type,
                result: Some("8".to_owned()),
                initiated_event_id: initiated,
                started_event_id,
            });
        } else {
            self.add(ChildWorkflowExecutionFailed {
                workflow_execution,
                workflow_type,
                reason: None,
                details: None,
                initiated_event_id: initiated,
                started_event_id,
            });
        }
    }

    pub(super) fn signal(&mut self, name: &str, input: &str) {
        self.add(WorkflowExecutionSignaled {
            signal_name: name.to_owned(),
            input: Some(input.to_owned()),
            external_workflow_execution: None,
            external_initiated_event_id: EventId(0),
        });
    }

    pub(super) fn cancel(&mut self) {
        self.add(WorkflowExecutionCancelRequested {
            external_workflow_execution: None,
            external_initiated_event_id: EventId(0),
            cause: None,
        });
    }
}
