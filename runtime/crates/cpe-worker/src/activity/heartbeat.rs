//! Keeps an activity task alive while its guest runs, and hears from SWF when it should end.

use std::{sync::Arc, time::Duration};

use cpe_ports::ErrorKind;
use cpe_sandbox::{Beats, Directive};
use cpe_swf::{TaskToken, limits};
use futures::future::BoxFuture;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior, interval_at},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::Worker;

/// The guest's latest progress: JSON text, empty before the first.
pub(super) type Progress = String;

/// What guest, heartbeats and clients have in common: the guest's progress goes out, the wish to
/// stop comes in.
#[derive(Debug)]
pub(super) struct Pulse {
    progress: watch::Sender<Progress>,
    /// SWF asked to cancel.
    pub(super) cancel: CancellationToken,
    /// SWF gave the activity task up: it timed out, or its execution is closed.
    pub(super) lost: CancellationToken,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            progress: watch::Sender::new(String::new()),
            cancel: CancellationToken::new(),
            lost: CancellationToken::new(),
        }
    }
}

impl Pulse {
    pub(super) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }
}

impl Beats for Pulse {
    fn beat(&self, progress: &str) -> Directive {
        self.progress.send_replace(progress.to_owned());
        if self.cancel.is_cancelled() { Directive::Cancel } else { Directive::Proceed }
    }

    fn canceled(&self) -> BoxFuture<'_, ()> {
        Box::pin(self.cancel.cancelled())
    }
}

/// Heartbeats until it is dropped, or until SWF has given the activity task up. However often the
/// guest beats, SWF hears one heartbeat an interval, with the latest progress.
pub(super) async fn keep_alive(
    worker: Arc<Worker>,
    token: TaskToken,
    interval: Duration,
    pulse: Arc<Pulse>,
) {
    let progress = pulse.progress();
    let mut timer = interval_at(Instant::now() + interval, interval);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        timer.tick().await;
        let details = Some(progress.borrow().clone())
            .filter(|text| !text.is_empty())
            .filter(|text| text.chars().count() <= limits::HEARTBEAT_DETAILS_CHARS);
        match worker.ports.workflows.record_activity_task_heartbeat(&token, details).await {
            Ok(status) if status.cancel_requested => pulse.cancel.cancel(),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {
                debug!(%error, "The activity task is gone");
                pulse.lost.cancel();
                return;
            }
            Err(error) => {
                // There is time for two more before the timeout.
                warn!(%error, "A heartbeat failed");
                timer.reset_after(interval / 2);
            }
        }
    }
}
