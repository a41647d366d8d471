//! The live view of a job: a bar for each step on a terminal, a line for each event elsewhere.

use std::{collections::BTreeMap, io::IsTerminal, time::Duration};

use cpe_plan::parse_activity_id;
use cpe_swf::{ActivityId, EventAttributes, EventId, HistoryEvent, Timestamp};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::steps;
use crate::cli::Output;

/// Between two drawings of a bar that only counts time.
const TICK: Duration = Duration::from_millis(200);
const BAR: &str = "{prefix:<28!} [{bar:24}] {pos}/{len} {elapsed:>4} {msg}";

/// How events are shown.
pub(super) enum View {
    Json,
    Lines,
    Bars(Box<Bars>),
}

impl View {
    /// Bars where a person looks on, and lines where they are kept or read by programs.
    pub(super) fn of(output: Output) -> Self {
        match output {
            Output::Json => Self::Json,
            Output::Text if std::io::stdout().is_terminal() => {
                Self::Bars(Box::new(Bars::on(ProgressDrawTarget::stdout())))
            }
            Output::Text => Self::Lines,
        }
    }

    pub(super) fn show(
        &mut self,
        event: &HistoryEvent,
        earlier: &[HistoryEvent],
        now: Timestamp,
    ) -> anyhow::Result<()> {
        match self {
            Self::Json => println!("{}", serde_json::to_string(event)?),
            Self::Lines => {
                if let Some(line) = steps::line(event, earlier) {
                    println!("{line}");
                }
            }
            Self::Bars(bars) => bars.show(event, earlier, now)?,
        }
        Ok(())
    }
}

/// A bar for each step, in the order in which they begin; what is of no step goes above them.
pub(super) struct Bars {
    all: MultiProgress,
    bars: BTreeMap<String, ProgressBar>,
    board: Board,
}

impl Bars {
    fn on(target: ProgressDrawTarget) -> Self {
        let all = MultiProgress::with_draw_target(target);
        Self { all, bars: BTreeMap::new(), board: Board::default() }
    }

    fn show(
        &mut self,
        event: &HistoryEvent,
        earlier: &[HistoryEvent],
        now: Timestamp,
    ) -> anyhow::Result<()> {
        let Some(step) = self.board.apply(event) else {
            if let Some(line) = steps::line(event, earlier) {
                self.all.println(line)?;
            }
            return Ok(());
        };
        let Some(row) = self.board.rows.get(&step) else { return Ok(()) };
        let bar = self.bars.entry(step.clone()).or_insert_with(|| {
            let bar = ProgressBar::new(0).with_elapsed(now.since(event.event_timestamp));
            let bar = self.all.add(bar);
            if let Ok(style) = ProgressStyle::with_template(BAR) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar.set_prefix(step);
            bar.enable_steady_tick(TICK);
            bar
        });
        bar.set_length(row.items.len() as u64);
        bar.set_position(row.ended() as u64);
        let message = row.message();
        if row.is_at_work() {
            bar.set_message(message);
        } else {
            bar.disable_steady_tick();
            bar.abandon_with_message(message);
        }
        Ok(())
    }
}

/// What the steps are at.
#[derive(Debug, Default)]
struct Board {
    rows: BTreeMap<String, Row>,
    /// Which step's item an activity task is of.
    scheduled: BTreeMap<EventId, (String, usize)>,
}

#[derive(Debug, Default)]
struct Row {
    items: BTreeMap<usize, State>,
    attempts: u32,
    /// Why the last one failed that did.
    failure: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Scheduled,
    Running,
    Completed,
    Failed,
}

impl Board {
    /// The step that the event is of; `None` of what is of none.
    fn apply(&mut self, event: &HistoryEvent) -> Option<String> {
        let (scheduled, state, failure) = match &*event.attributes {
            EventAttributes::ActivityTaskScheduled(scheduled) => {
                let (step, item, attempt) = parts(&scheduled.activity_id);
                let row = self.rows.entry(step.clone()).or_default();
                row.items.insert(item, State::Scheduled);
                row.attempts = row.attempts.max(attempt);
                self.scheduled.insert(event.event_id, (step.clone(), item));
                return Some(step);
            }
            EventAttributes::ActivityTaskStarted(it) => {
                (it.scheduled_event_id, State::Running, None)
            }
            EventAttributes::ActivityTaskCompleted(it) => {
                (it.scheduled_event_id, State::Completed, None)
            }
            EventAttributes::ActivityTaskFailed(it) => {
                (it.scheduled_event_id, State::Failed, it.reason.clone())
            }
            EventAttributes::ActivityTaskTimedOut(it) => (
                it.scheduled_event_id,
                State::Failed,
                Some(format!("timed out: {}", it.timeout_type)),
            ),
            EventAttributes::ActivityTaskCanceled(it) => {
                (it.scheduled_event_id, State::Failed, Some("canceled".to_owned()))
            }
            _ => return None,
        };
        let (step, item) = self.scheduled.get(&scheduled)?.clone();
        let row = self.rows.get_mut(&step)?;
        row.items.insert(item, state);
        row.failure = failure.or_else(|| row.failure.take());
        Some(step)
    }
}

impl Row {
    fn count(&self, state: State) -> usize {
        self.items.values().filter(|item| **item == state).count()
    }

    fn ended(&self) -> usize {
        self.count(State::Completed) + self.count(State::Failed)
    }

    fn is_at_work(&self) -> bool {
        self.ended() < self.items.len()
    }

    fn message(&self) -> String {
        let mut parts = Vec::new();
        match (self.count(State::Running), self.count(State::Failed)) {
            (0, 0) if self.is_at_work() => parts.push("waits for a worker".to_owned()),
            (0, 0) => parts.push("completed".to_owned()),
            (0, failed) if failed == self.items.len() => parts.push("failed".to_owned()),
            (0, failed) => parts.push(format!("{failed} failed")),
            (running, 0) if running == self.items.len() => parts.push("running".to_owned()),
            (running, 0) => parts.push(format!("{running} running")),
            (running, failed) => parts.push(format!("{running} running, {failed} failed")),
        }
        if self.attempts > 1 {
            parts.push(format!("attempt {}", self.attempts));
        }
        if let Some(failure) = self.failure.as_ref().filter(|_| self.count(State::Failed) > 0) {
            parts.push(failure.clone());
        }
        parts.join(", ")
    }
}

/// Step, item and attempt.
fn parts(id: &ActivityId) -> (String, usize, u32) {
    let parts = parse_activity_id(id.as_str());
    (parts.step.to_owned(), parts.item.unwrap_or(0), parts.attempt)
}

#[cfg(test)]
mod tests;
