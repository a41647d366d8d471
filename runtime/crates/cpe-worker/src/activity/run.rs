//! From an activity task to an answer: the module, what it may use and touch, the run, and what
//! its end means.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use cpe_modules::ModuleError;
use cpe_plan::parse_activity_id;
use cpe_protocol::ClientName;
use cpe_sandbox::{
    Beats, Digest, Directive, Failure, Finished, Invocation, Limits, Metering, Module,
    SandboxError, TaskContext, Unfinished,
};
use cpe_swf::MAX_PAYLOAD_CHARS;
use futures::future::BoxFuture;
use tracing::{debug, warn};

use super::{
    Job,
    answer::{Answer, Noted},
    asked,
    heartbeat::Pulse,
    note,
    version::{self, Choice},
};
use crate::{Binding, Usage, Worker, grants};

/// Where a plan gives an activity no time limit.
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);
/// Before SWF would time the activity task out, so that the reason is told: this share of the
/// time, and at most so much.
const MARGIN_SHARE: u32 = 20;
const MAX_MARGIN: Duration = Duration::from_secs(1);

/// What a guest is given, with the time that is left for it.
pub type NewInvocation = Box<dyn Fn() -> Invocation + Send + Sync>;

/// What runs modules: the sandbox, behind a seam where tests put scripted guests.
#[async_trait]
pub trait Guests: fmt::Debug + Send + Sync + 'static {
    /// Runs the activity's module once. Dropping the future stops the guest and undoes its writes.
    /// `invocation` is asked for when a guest can start, once for each that does.
    async fn run(
        &self,
        binding: Arc<Binding>,
        choice: Choice,
        invocation: NewInvocation,
        input: String,
    ) -> Ran;
}

/// How a run went, and what it took.
#[derive(Debug)]
pub struct Ran {
    pub outcome: Result<Result<String, Failure>, RunError>,
    pub metering: Metering,
    /// The component that ran, where it came so far.
    pub module: Option<Digest>,
}

impl Ran {
    /// What the sandbox answers for a component.
    pub fn of(module: &Module, ended: Result<Finished, Unfinished>) -> Self {
        let (outcome, metering) = match ended {
            Ok(Finished { outcome, metering }) => (Ok(outcome), metering),
            Err(Unfinished { error, metering }) => (Err(error.into()), metering),
        };
        Self { outcome, metering, module: Some(module.digest().clone()) }
    }
}

impl From<ModuleError> for Ran {
    fn from(error: ModuleError) -> Self {
        Self { outcome: Err(error.into()), metering: Metering::default(), module: None }
    }
}

/// Why a module gave no answer of its own.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Module(#[from] ModuleError),
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
}

impl RunError {
    /// The code by which SWF and plans know it.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Module(error) => error.reason(),
            Self::Sandbox(error) => error.reason(),
        }
    }

    fn answer(&self, cap: &OutputCap) -> Answer {
        match self {
            Self::Sandbox(SandboxError::Output { limit }) if *limit == cap.bytes && cap.ours => {
                let message = format!("the result has more than {MAX_PAYLOAD_CHARS} characters");
                Answer::failed("cpe.result.too-large", &message, false)
            }
            Self::Module(error) => {
                Answer::failed(error.reason(), &error.details(), error.is_retryable())
            }
            Self::Sandbox(error) => {
                Answer::failed(error.reason(), &error.details(), error.is_retryable())
            }
        }
    }
}

/// A pulse whose guest is counted for its client.
#[derive(Debug)]
struct Counted {
    pulse: Arc<Pulse>,
    usage: Usage,
    client: ClientName,
}

impl Beats for Counted {
    fn beat(&self, progress: &str) -> Directive {
        self.pulse.beat(progress)
    }

    fn canceled(&self) -> BoxFuture<'_, ()> {
        self.pulse.canceled()
    }

    fn took(&self, metering: &Metering) {
        self.usage.took(&self.client, metering);
    }
}

/// Runs an activity task to its answer, or until SWF does not want it any more.
pub(super) async fn work(
    worker: Arc<Worker>,
    guests: Arc<dyn Guests>,
    job: Job,
    pulse: Arc<Pulse>,
    cancel_grace: Duration,
) -> Noted {
    let stopped = async {
        pulse.cancel.cancelled().await;
        tokio::time::sleep(cancel_grace).await;
    };
    tokio::select! {
        biased;
        answer = run(&worker, &*guests, job, &pulse) => answer,
        () = pulse.lost.cancelled() => Answer::Nobody.into(),
        () = stopped => {
            warn!(?cancel_grace, "A guest that was asked to cancel did not end, and was stopped");
            let message = format!("stopped {cancel_grace:?} after it was asked to cancel");
            Answer::canceled(&message).into()
        }
    }
}

async fn run(worker: &Worker, guests: &dyn Guests, job: Job, pulse: &Arc<Pulse>) -> Noted {
    let Job { about, binding, task, began } = job;
    let limits = about.client.ceilings.limits(&binding.activity.limits);
    let cap = OutputCap::of(limits.output);
    let limits = Limits { output: cap.bytes, ..limits };
    let input = task.input.unwrap_or_default();
    let input = match worker.payloads.follow(&about.execution.workflow_id, input).await {
        Ok(input) => input,
        Err(error) => return Answer::without_text(&error).into(),
    };
    let context = TaskContext {
        workflow_id: about.execution.workflow_id.to_string(),
        run_id: about.execution.run_id.to_string(),
        activity_id: about.activity.activity_id.to_string(),
        activity_name: about.activity.activity_type.name.clone(),
        activity_version: about.activity.activity_type.version.clone(),
        attempt: parse_activity_id(&task.activity_id.0).attempt,
        client: about.job.client.to_string(),
        job_id: about.job.job_id.to_string(),
    };
    let asked = match asked::grants(worker, &binding, &about.execution).await {
        Ok(asked) => asked,
        Err(answer) => return answer.into(),
    };
    let choice = version::choose(worker, &binding, &about).await;
    let choice = match choice {
        Ok(choice) => choice,
        Err(answer) => return answer.into(),
    };
    let grants = grants::effective(asked.as_ref(), &about.client.grants);
    let reach = grants.to_string();
    debug!(activity = %about, ?limits, "It may reach {reach}");
    let (blobs, clock) = (Arc::clone(&worker.ports.blobs), Arc::clone(&worker.ports.clock));
    let start_to_close = binding.start_to_close;
    let beats = Arc::new(Counted {
        pulse: Arc::clone(pulse),
        usage: worker.usage.clone(),
        client: about.job.client.clone(),
    });
    let invocation = move || Invocation {
        context: context.clone(),
        // SWF's clock runs since the activity task was handed out; fetching and compiling a
        // module takes of it.
        limits: Limits { wall: remaining(start_to_close, began.elapsed()), ..limits.clone() },
        grants: grants.clone(),
        blobs: Arc::clone(&blobs),
        beats: Arc::<Counted>::clone(&beats),
        clock: Arc::clone(&clock),
    };
    let Ran { outcome, metering, module } =
        guests.run(binding, choice, Box::new(invocation), input).await;
    debug!(activity = %about, ?metering, "A guest ended");
    let answer = match outcome {
        Ok(outcome) => ended(outcome, pulse),
        Err(error) => error.answer(&cap),
    };
    Noted { answer, note: module.map(|module| note::of_run(&module, &metering, &reach)) }
}

fn ended(outcome: Result<String, Failure>, pulse: &Pulse) -> Answer {
    match outcome {
        Ok(result) => Answer::completed(result),
        Err(failure) if failure.reason == "cpe.canceled" && pulse.cancel.is_cancelled() => {
            Answer::canceled(&failure.details)
        }
        Err(failure) => Answer::failed(&failure.reason, &failure.details, failure.retryable),
    }
}

/// The limit on a result's bytes. A result that is too long in any case is refused before what
/// the guest wrote becomes visible.
struct OutputCap {
    bytes: u64,
    /// Whether the limit is CPE's, and not the plan's.
    ours: bool,
}

impl OutputCap {
    fn of(asked: u64) -> Self {
        // A character takes up to four bytes.
        let storable = MAX_PAYLOAD_CHARS as u64 * 4;
        Self { bytes: asked.min(storable), ours: storable < asked }
    }
}

/// The time that is left for a guest, a little less than SWF gives it.
fn remaining(start_to_close: Option<Duration>, elapsed: Duration) -> Duration {
    let whole = start_to_close.unwrap_or(YEAR);
    let margin = (whole / MARGIN_SHARE).min(MAX_MARGIN);
    let left = whole.saturating_sub(margin).saturating_sub(elapsed).as_millis();
    // Whole milliseconds, because people read the limit where it was broken.
    Duration::from_millis(u64::try_from(left).unwrap_or(u64::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_has_a_little_less_time_than_swf_gives() {
        let seconds = |whole, elapsed| {
            let whole = Some(Duration::from_secs(whole));
            remaining(whole, Duration::from_secs(elapsed)).as_secs_f64()
        };
        assert_eq!(seconds(100, 10), 89.0);
        assert_eq!(seconds(4, 0), 3.8);
        assert_eq!(seconds(4, 9), 0.001);
        assert_eq!(remaining(None, Duration::ZERO), YEAR - MAX_MARGIN);
    }
}
