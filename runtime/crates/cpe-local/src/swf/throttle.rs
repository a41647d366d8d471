//! How often SWF lets an account call an operation or make a decision: a bucket for each, which
//! empties by one with each call and fills up steadily.
//!
//! Off unless asked for. The figures are those of US East, US West (Oregon) and Europe (Ireland):
//! [Throttling quotas](https://docs.aws.amazon.com/amazonswf/latest/developerguide/swf-dg-limits.html).

use std::collections::HashMap;

use cpe_swf::{Fault, FaultKind, Timestamp};

/// What a bucket holds, and what flows into it each second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Quota {
    holds: i64,
    per_second: i64,
}

const fn quota(holds: i64, per_second: i64) -> Quota {
    Quota { holds, per_second }
}

fn quota_of(operation: &str) -> Option<Quota> {
    Some(match operation {
        "PollForActivityTask"
        | "PollForDecisionTask"
        | "RespondActivityTaskCanceled"
        | "RespondActivityTaskCompleted"
        | "RespondActivityTaskFailed"
        | "RespondDecisionTaskCompleted"
        | "StartWorkflowExecution"
        | "StartTimer" => quota(2_000, 200),
        "RecordActivityTaskHeartbeat" => quota(2_000, 160),
        "GetWorkflowExecutionHistory" | "TerminateWorkflowExecution" => quota(2_000, 60),
        "RequestCancelWorkflowExecution" | "SignalWorkflowExecution" => quota(2_000, 30),
        "CountClosedWorkflowExecutions"
        | "CountOpenWorkflowExecutions"
        | "DescribeActivityType"
        | "DescribeWorkflowExecution"
        | "DescribeWorkflowType" => quota(2_000, 6),
        "ScheduleActivityTask" => quota(1_000, 200),
        "RequestCancelExternalWorkflowExecution" | "SignalExternalWorkflowExecution" => {
            quota(1_200, 120)
        }
        "StartChildWorkflowExecution" => quota(500, 12),
        "RegisterActivityType" | "RegisterWorkflowType" => quota(200, 60),
        "ListOpenWorkflowExecutions" => quota(200, 48),
        "CountPendingActivityTasks"
        | "CountPendingDecisionTasks"
        | "DeleteActivityType"
        | "DeleteWorkflowType"
        | "DeprecateActivityType"
        | "DeprecateWorkflowType"
        | "DescribeDomain"
        | "ListActivityTypes"
        | "ListClosedWorkflowExecutions"
        | "ListWorkflowTypes"
        | "UndeprecateActivityType"
        | "UndeprecateWorkflowType" => quota(200, 6),
        "DeprecateDomain" | "ListDomains" | "RegisterDomain" | "UndeprecateDomain" => quota(100, 6),
        "ListTagsForResource" | "TagResource" | "UntagResource" => quota(50, 30),
        _ => return None,
    })
}

/// The buckets that were used so far.
#[derive(Debug, Default)]
pub(crate) struct Throttle {
    buckets: HashMap<&'static str, Bucket>,
}

/// Fills in thousandths, so that a millisecond counts.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    thousandths: i64,
    filled: Timestamp,
}

impl Throttle {
    /// Takes one from the operation's bucket. `false` if there is none.
    pub(super) fn take(&mut self, operation: &'static str, now: Timestamp) -> bool {
        let Some(quota) = quota_of(operation) else { return true };
        let full = quota.holds * 1_000;
        let bucket =
            self.buckets.entry(operation).or_insert(Bucket { thousandths: full, filled: now });
        let millis = now.0.saturating_sub(bucket.filled.0).max(0);
        let flown = millis.saturating_mul(quota.per_second);
        bucket.thousandths = bucket.thousandths.saturating_add(flown).min(full);
        bucket.filled = bucket.filled.max(now);
        if bucket.thousandths < 1_000 {
            return false;
        }
        bucket.thousandths -= 1_000;
        true
    }

    /// Whether an operation may be called now.
    pub(super) fn admit(&mut self, operation: &'static str, now: Timestamp) -> Result<(), Fault> {
        if self.take(operation, now) {
            return Ok(());
        }
        Err(Fault::new(FaultKind::ThrottlingException, "Rate exceeded"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills() {
        let mut throttle = Throttle::default();
        let mut at = |millis: i64, calls: usize| {
            let now = Timestamp(millis);
            (0..calls).filter(|_| throttle.take("StartChildWorkflowExecution", now)).count()
        };
        assert_eq!(at(0, 600), 500, "a bucket holds 500");
        assert_eq!(at(500, 10), 6, "and 12 flow in each second");
        assert_eq!(at(400, 10), 0, "a clock that goes back fills nothing");
        assert_eq!(at(1_000, 10), 6);
        assert_eq!(at(1_000_000_000, 600), 500, "it never holds more");
    }

    #[test]
    fn buckets_are_separate_and_what_has_no_quota_is_free() {
        let mut throttle = Throttle::default();
        let now = Timestamp(0);
        assert!((0..50).all(|_| throttle.admit("TagResource", now).is_ok()));
        let fault = throttle.admit("TagResource", now).unwrap_err();
        assert_eq!(fault.kind, FaultKind::ThrottlingException);
        assert!(throttle.admit("UntagResource", now).is_ok());
        assert!((0..10_000).all(|_| throttle.take("RecordMarker", now)));
    }
}
