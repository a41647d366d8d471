//! Which activity task runs. It knows only what the host tells.

use crate::host;

/// The activity task that this instance runs for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivityTask {
    /// The workflow id of the execution: unique among the open ones of a domain.
    pub workflow_id: String,
    /// The run id of the execution.
    pub run_id: String,
    /// The activity id: the name of the plan's step.
    pub activity_id: String,
    /// The name of the activity type.
    pub activity_name: String,
    /// The version of the activity type.
    pub activity_version: String,
    /// 1 for the first attempt at this step, 2 for the second, and so on.
    pub attempt: u32,
    /// The client on whose behalf the execution runs.
    pub client: String,
    /// The client's name for the execution.
    pub job_id: String,
    /// When the host stops the activity, in milliseconds since the Unix epoch, if it does.
    pub deadline: Option<u64>,
}

/// The activity task that this instance runs for.
///
/// ```
/// # cpe_guest::testing::Host::new().run(|| {
/// let activity_task = cpe_guest::context::current();
/// assert_eq!(activity_task.attempt, 1);
/// # Ok(()) });
/// ```
pub fn current() -> ActivityTask {
    host::current()
}
