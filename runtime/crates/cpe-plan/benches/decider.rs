//! What deciding costs: decisions per second, whether the n-th costs what the first does, a long
//! list to its end, and reading a large plan.
//!
//! `cargo xtask bench decider`
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench prints, and may panic")]
#![allow(clippy::indexing_slicing, reason = "the medians index what was just filled")]

/// The small SWF of the tests.
#[path = "../src/decide/tests/swf.rs"]
#[allow(dead_code, unreachable_pub, reason = "the tests use more of it")]
mod swf;

use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

use cpe_plan::{Plan, RunState, decide, next_decisions};
use cpe_swf::{Decision, HistoryEvent};
use serde_json::{Value, json};

use self::swf::{Answer, Swf};

/// Events of the long history.
const EVENTS: usize = 10_000;
/// Where the n-th decision is timed, each the median of the decisions just before.
const PLACES: [usize; 3] = [100, 1_000, 10_000];
const WINDOW: usize = 15;
const ITEMS: usize = 10_000;
const STEPS: usize = 500;
const ROUNDS: usize = 15;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let json = arguments.windows(2).any(|pair| pair[0] == "--output" && pair[1] == "json");
    let report = Report::measure();
    if json {
        println!("{}", serde_json::to_string_pretty(&report.to_json()).unwrap());
    } else {
        println!("{}", report.to_text());
    }
}

struct Report {
    /// Seconds of the decisions before each of [`PLACES`].
    nth: Vec<f64>,
    decisions_per_second: f64,
    replay: f64,
    list: List,
    load: f64,
}

struct List {
    seconds: f64,
    decisions: usize,
    runs: usize,
    /// Seconds for an item of the first and of the last tenth of the list.
    first: f64,
    last: f64,
}

impl Report {
    fn measure() -> Self {
        let row = plan(1, "foreach: '{{ range(50000) | list }}', max_parallel: 1");
        let (history, times) = long_history(&row);
        let nth = PLACES.map(|place| {
            let until = times.iter().take_while(|(events, _)| *events <= place).count();
            let window = &times[until.saturating_sub(WINDOW)..until];
            median(window.iter().map(|(_, time)| *time).collect())
        });
        let all: f64 = times.iter().map(|(_, time)| time).sum();
        let replay = median((0..ROUNDS).map(|_| time(|| decide(&row, &history))).collect());
        let text = text(STEPS, "");
        let load = median((0..ROUNDS).map(|_| time(|| Plan::parse("p", &text).unwrap())).collect());
        Self {
            nth: nth.to_vec(),
            decisions_per_second: times.len() as f64 / all,
            replay,
            list: long_list(),
            load,
        }
    }

    fn ratio(&self) -> f64 {
        self.nth[PLACES.len() - 1] / self.nth[0]
    }

    fn to_json(&self) -> Value {
        json!({
            "decisions_per_second": self.decisions_per_second,
            "nth_decision_seconds": PLACES.iter().zip(&self.nth)
                .map(|(place, time)| (place.to_string(), json!(time)))
                .collect::<serde_json::Map<_, _>>(),
            "last_to_first": self.ratio(),
            "replay_of_10000_events_seconds": self.replay,
            "foreach_of_10000": {
                "seconds": self.list.seconds,
                "decisions": self.list.decisions,
                "continued_as_new": self.list.runs - 1,
                "first_item_seconds": self.list.first,
                "last_item_seconds": self.list.last,
            },
            "load_of_500_steps_seconds": self.load,
        })
    }

    fn to_text(&self) -> String {
        let mut text = String::new();
        let micros = |seconds: f64| seconds * 1e6;
        let _ = writeln!(text, "decisions per second   {:>10.0}", self.decisions_per_second);
        for (place, time) in PLACES.iter().zip(&self.nth) {
            let _ = writeln!(text, "decision at {place:>6} ev. {:>10.1} µs", micros(*time));
        }
        let _ = writeln!(text, "last to first          {:>10.2}    (aim: 2)", self.ratio());
        let _ =
            writeln!(text, "replay of {EVENTS} events {:>10.2} ms (aim: 20)", self.replay * 1e3);
        let list = &self.list;
        let _ = writeln!(
            text,
            "foreach of {ITEMS}       {:>10.2} ms, {} decisions, {} times continued as new",
            list.seconds * 1e3,
            list.decisions,
            list.runs - 1
        );
        let _ = writeln!(
            text,
            "  an item, first tenth {:>10.1} µs, last tenth {:.1} µs",
            micros(list.first),
            micros(list.last)
        );
        let _ = write!(text, "load of {STEPS} steps      {:>10.2} ms (aim: 50)", self.load * 1e3);
        text
    }
}

/// Steps in a row, each of which has what `more` says.
fn text(steps: usize, more: &str) -> String {
    let mut text = "name: W\nversion: 1\nactivities:\n\
                    - {name: A, version: 1, outputs_spec: {v: $}}\nsteps:\n"
        .to_owned();
    for n in 0..steps {
        let (requires, input) = match n.checked_sub(1) {
            Some(before) => (format!("[S{before}, succeeded]"), format!("{{{{ S{before}.v }}}}")),
            None => (String::new(), "{{ __input__ }}".to_owned()),
        };
        let more = if more.is_empty() {
            String::new()
        } else {
            format!("  {more}\n").replace(", max", "\n  max")
        };
        let _ = write!(
            text,
            "- name: S{n}\n  activity: A\n  requires: [{requires}]\n  input: '[{input}]'\n{more}"
        );
    }
    text
}

fn plan(steps: usize, more: &str) -> Plan {
    let text = text(steps, more);
    Plan::parse("p.yaml", &text).unwrap_or_else(|errors| panic!("{errors}"))
}

/// A history of [`EVENTS`] events as SWF writes it, six for each item, with the time of each
/// decision and the number of events that it was made of. It stays one run, since SWF is said not
/// to continue it.
fn long_history(plan: &Plan) -> (Vec<HistoryEvent>, Vec<(usize, f64)>) {
    let mut log = Log::default();
    log.add(
        "WorkflowExecutionStarted",
        json!({"childPolicy": "TERMINATE", "taskList": {"name": "d"}, "input": "{}",
               "workflowType": {"name": "W", "version": "1"}}),
    );
    log.add(
        "ContinueAsNewWorkflowExecutionFailed",
        json!({"cause": "WORKFLOW_TYPE_DEPRECATED", "decisionTaskCompletedEventId": 0}),
    );
    let mut state = RunState::default().by_reference();
    let mut times = Vec::new();
    let mut seen = 0;
    while log.0.len() < EVENTS {
        log.add("DecisionTaskScheduled", json!({"taskList": {"name": "d"}}));
        let scheduled = log.0.len();
        log.add("DecisionTaskStarted", json!({"scheduledEventId": scheduled}));
        let begun = Instant::now();
        log.0[seen..].iter().for_each(|event| state.apply(plan, event));
        let decisions = next_decisions(plan, &state);
        times.push((log.0.len(), begun.elapsed().as_secs_f64()));
        seen = log.0.len();
        log.add(
            "DecisionTaskCompleted",
            json!({"scheduledEventId": scheduled, "startedEventId": scheduled + 1}),
        );
        let [Decision::ScheduleActivityTask(next)] = &decisions[..] else {
            panic!("{decisions:?}");
        };
        let answer = scheduled + 2;
        log.add(
            "ActivityTaskScheduled",
            json!({"activityId": next.activity_id, "activityType": {"name": "A", "version": "1"},
                   "taskList": {"name": "l"}, "input": next.input,
                   "decisionTaskCompletedEventId": answer}),
        );
        log.add("ActivityTaskStarted", json!({"scheduledEventId": answer + 1}));
        log.add(
            "ActivityTaskCompleted",
            json!({"scheduledEventId": answer + 1, "startedEventId": answer + 2, "result": "7"}),
        );
    }
    (log.0, times)
}

#[derive(Default)]
struct Log(Vec<HistoryEvent>);

impl Log {
    fn add(&mut self, kind: &str, attributes: Value) {
        let key = format!("{}{}EventAttributes", kind[..1].to_lowercase(), &kind[1..]);
        let event = json!({
            "eventId": self.0.len() + 1, "eventTimestamp": 1.5, "eventType": kind, key: attributes,
        });
        self.0.push(serde_json::from_value(event).unwrap());
    }
}

/// A list of [`ITEMS`], 100 of them at work at a time, each decided upon when it ends.
fn long_list() -> List {
    let more = format!("foreach: '{{{{ range({ITEMS}) | list }}}}', max_parallel: 100");
    let plan = plan(1, &more);
    let mut swf = Swf::default();
    swf.start("{}");
    let (mut state, mut seen, mut run) = (RunState::default().by_reference(), 0, swf.runs);
    let (mut spent, mut decisions) = (Duration::ZERO, 0);
    // The time that was spent when so many tenths of the list were scheduled.
    let mut marks = vec![Duration::ZERO];
    while swf.end.is_none() {
        if run != swf.runs {
            run = swf.runs;
            state = RunState::default().by_reference();
            seen = 0;
        }
        let begun = Instant::now();
        swf.events[seen..].iter().for_each(|event| state.apply(&plan, event));
        let next = next_decisions(&plan, &state);
        spent += begun.elapsed();
        decisions += 1;
        seen = swf.events.len();
        swf.carry_out(next, seen);
        while marks.len() * ITEMS / 10 <= swf.scheduled {
            marks.push(spent);
        }
        if swf.runs == run && swf.end.is_none() {
            assert!(swf.happen(0, Answer::Completed), "nothing runs any more");
        }
    }
    let tenth = |from: usize| {
        let time = marks[from + 1].saturating_sub(marks[from]);
        time.as_secs_f64() / (ITEMS as f64 / 10.0)
    };
    let (first, last) = (tenth(0), tenth(marks.len() - 2));
    List { seconds: spent.as_secs_f64(), decisions, runs: swf.runs, first, last }
}

fn time<T>(work: impl FnOnce() -> T) -> f64 {
    let begun = Instant::now();
    let result = work();
    let seconds = begun.elapsed().as_secs_f64();
    drop(result);
    seconds
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
