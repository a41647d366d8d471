//! `context`: what the guest may know of its activity task.

use super::bindings::cpe::activity::context as wit;
use crate::TaskContext;

pub(crate) struct ContextView<'a> {
    pub(crate) task: &'a TaskContext,
    /// In milliseconds since the Unix epoch.
    pub(crate) deadline: u64,
}

impl wit::Host for ContextView<'_> {
    fn current(&mut self) -> wasmtime::Result<wit::ActivityTask> {
        let task = self.task.clone();
        Ok(wit::ActivityTask {
            workflow_id: task.workflow_id,
            run_id: task.run_id,
            activity_id: task.activity_id,
            activity_name: task.activity_name,
            activity_version: task.activity_version,
            attempt: task.attempt,
            client: task.client,
            job_id: task.job_id,
            deadline: Some(self.deadline),
        })
    }
}
