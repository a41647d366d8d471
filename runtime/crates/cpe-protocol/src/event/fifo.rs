//! What FIFO queues need to know of an event: its group, and what duplicates have in common.

use sha2::{Digest, Sha256};

use super::JobEvent;

/// Of a group id or a de-duplication id.
const MAX_CHARS: usize = 128;

impl JobEvent {
    /// The events of one job come in their order; jobs do not wait for each other.
    pub fn group_id(&self) -> String {
        match (&self.execution, &self.job_id) {
            (Some(execution), _) => accepted(execution.workflow_id.to_string()),
            (None, Some(job_id)) => accepted(format!("job.{job_id}")),
            (None, None) => "cpe".to_owned(),
        }
    }

    /// SQS drops what it has seen in the last five minutes.
    pub fn deduplication_id(&self) -> Option<String> {
        self.event_id().map(accepted)
    }
}

/// The id itself where SQS takes it, which is 128 printable characters of ASCII; else its digest.
fn accepted(id: String) -> String {
    if id.len() <= MAX_CHARS && id.bytes().all(|byte| byte.is_ascii_graphic()) {
        id
    } else {
        hex::encode(Sha256::digest(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sqs_does_not_take_becomes_a_digest() {
        assert_eq!(accepted("c.j#2".into()), "c.j#2");
        for id in ["x".repeat(129), "a b".into(), "ü".into()] {
            let digest = accepted(id.clone());
            assert_eq!((digest.len(), accepted(id)), (64, digest));
        }
    }
}
