//! Tells a client how far an activity task is: that it began, and its guest's progress, at most
//! twice a second, and four times over all activity tasks of its job; the last one included.

use std::{fmt, sync::Arc, time::Duration};

use cpe_protocol::{ActivityRef, EventData, JobEvent, JobRef};
use cpe_swf::{EventId, WorkflowExecution};
use serde_json::Value;
use tokio::{sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{heartbeat::Progress, runs::Run};
use crate::{Client, Worker};

const BETWEEN: Duration = Duration::from_millis(500);

/// Whose activity task it is, and which.
#[derive(Debug, Clone)]
pub(super) struct About {
    pub(super) client: Arc<Client>,
    pub(super) job: JobRef,
    pub(super) execution: WorkflowExecution,
    pub(super) activity: ActivityRef,
    /// The history event of its start.
    pub(super) started: EventId,
    pub(super) run: Arc<Run>,
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.job, self.activity.activity_id)
    }
}

/// Tells until `ended`, and then what is left to tell.
///
/// An event that cannot be sent is left out: none of these is worth failing the activity for.
pub(super) async fn tell(
    worker: Arc<Worker>,
    about: About,
    mut progress: watch::Receiver<Progress>,
    ended: CancellationToken,
) {
    let activity_type = &about.activity.activity_type;
    let base = about.run.base(&worker, &about.execution, activity_type).await;
    let event = |data| JobEvent {
        time: worker.ports.clock.now(),
        job_id: Some(about.job.job_id.clone()),
        execution: Some(about.execution.clone()),
        request: None,
        seq: base.saturating_add(about.started.0),
        data,
    };
    let (teller, client) = (worker.teller(), &about.client);
    let began = event(EventData::ActivityStarted { activity: about.activity.clone() });
    if let Err(error) = teller.tell_all(&worker.outbox, client, vec![began]).await {
        warn!(client = %client.name, activity = %about, %error, "A client does not hear of a start");
    }
    let mut count = 0;
    loop {
        tokio::select! {
            biased;
            changed = progress.changed() => if changed.is_err() { return },
            () = ended.cancelled() => return,
        }
        // What comes meanwhile is told in its place, and what came last without waiting.
        tokio::select! {
            () = ended.cancelled() => {}
            () = tokio::time::sleep(about.run.turn()) => {}
        }
        count += 1;
        let text = progress.borrow_and_update().clone();
        let data = EventData::ActivityProgress {
            activity: about.activity.clone(),
            progress: serde_json::from_str(&text).unwrap_or(Value::String(text)),
            count,
        };
        let next = Instant::now() + BETWEEN;
        if !worker.outbox.is_resting(&client.output)
            && let Err(error) = teller.try_to_tell(client, &event(data)).await
        {
            warn!(client = %client.name, activity = %about, %error, "A client does not hear of progress");
            worker.outbox.failed(&client.output);
        }
        tokio::select! {
            () = ended.cancelled() => {}
            () = tokio::time::sleep_until(next) => {}
        }
    }
}
