//! Messages one at a time, as they are given: for tests of plans.

use std::sync::Arc;

use cpe_ports::Message;

use super::InputPoller;
use crate::Client;

impl InputPoller {
    /// Serves a message as if it had come on the client's queue; answers whether its effect is
    /// certain.
    pub async fn serve(&self, client: &Arc<Client>, message: Message) -> bool {
        self.inbox_of(client).serve(message).await.is_some()
    }
}
