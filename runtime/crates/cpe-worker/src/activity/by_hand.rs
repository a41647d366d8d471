//! Activity tasks one at a time, as they are given: for tests of plans.

use cpe_swf::api::ActivityTask;

use super::Activities;
use crate::poller::Handler as _;

impl Activities {
    /// Runs an activity task to its answer.
    pub async fn serve_one(&self, task: ActivityTask) {
        self.handle(task).await;
    }
}
