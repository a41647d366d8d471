//! The faults that the service models name, operation by operation.

use std::collections::BTreeSet;

use crate::{
    heard::{self, Call},
    sqs, swf,
};

/// Those of SWF, but for `OperationNotPermittedFault`: who may do what is not checked here.
const SWF: &[(&str, &[&str])] = &[
    ("CountClosedWorkflowExecutions", &["UnknownResourceFault"]),
    ("CountOpenWorkflowExecutions", &["UnknownResourceFault"]),
    ("CountPendingActivityTasks", &["UnknownResourceFault"]),
    ("CountPendingDecisionTasks", &["UnknownResourceFault"]),
    ("DeleteActivityType", &["TypeNotDeprecatedFault", "UnknownResourceFault"]),
    ("DeleteWorkflowType", &["TypeNotDeprecatedFault", "UnknownResourceFault"]),
    ("DeprecateActivityType", &["TypeDeprecatedFault", "UnknownResourceFault"]),
    ("DeprecateDomain", &["DomainDeprecatedFault", "UnknownResourceFault"]),
    ("DeprecateWorkflowType", &["TypeDeprecatedFault", "UnknownResourceFault"]),
    ("DescribeActivityType", &["UnknownResourceFault"]),
    ("DescribeDomain", &["UnknownResourceFault"]),
    ("DescribeWorkflowExecution", &["UnknownResourceFault"]),
    ("DescribeWorkflowType", &["UnknownResourceFault"]),
    ("GetWorkflowExecutionHistory", &["UnknownResourceFault"]),
    ("ListActivityTypes", &["UnknownResourceFault"]),
    ("ListClosedWorkflowExecutions", &["UnknownResourceFault"]),
    ("ListOpenWorkflowExecutions", &["UnknownResourceFault"]),
    ("ListTagsForResource", &["LimitExceededFault", "UnknownResourceFault"]),
    ("ListWorkflowTypes", &["UnknownResourceFault"]),
    ("PollForActivityTask", &["LimitExceededFault", "UnknownResourceFault"]),
    ("PollForDecisionTask", &["LimitExceededFault", "UnknownResourceFault"]),
    ("RecordActivityTaskHeartbeat", &["UnknownResourceFault"]),
    (
        "RegisterActivityType",
        &["LimitExceededFault", "TypeAlreadyExistsFault", "UnknownResourceFault"],
    ),
    ("RegisterDomain", &["DomainAlreadyExistsFault", "LimitExceededFault", "TooManyTagsFault"]),
    (
        "RegisterWorkflowType",
        &["LimitExceededFault", "TypeAlreadyExistsFault", "UnknownResourceFault"],
    ),
    ("RequestCancelWorkflowExecution", &["UnknownResourceFault"]),
    ("RespondActivityTaskCanceled", &["UnknownResourceFault"]),
    ("RespondActivityTaskCompleted", &["UnknownResourceFault"]),
    ("RespondActivityTaskFailed", &["UnknownResourceFault"]),
    ("RespondDecisionTaskCompleted", &["UnknownResourceFault"]),
    ("SignalWorkflowExecution", &["UnknownResourceFault"]),
    (
        "StartWorkflowExecution",
        &[
            "DefaultUndefinedFault",
            "LimitExceededFault",
            "TypeDeprecatedFault",
            "UnknownResourceFault",
            "WorkflowExecutionAlreadyStartedFault",
        ],
    ),
    ("TagResource", &["LimitExceededFault", "TooManyTagsFault", "UnknownResourceFault"]),
    ("TerminateWorkflowExecution", &["UnknownResourceFault"]),
    ("UndeprecateActivityType", &["TypeAlreadyExistsFault", "UnknownResourceFault"]),
    ("UndeprecateDomain", &["DomainAlreadyExistsFault", "UnknownResourceFault"]),
    ("UndeprecateWorkflowType", &["TypeAlreadyExistsFault", "UnknownResourceFault"]),
    ("UntagResource", &["LimitExceededFault", "UnknownResourceFault"]),
];

/// What the tests below are not given, and why.
const NOT_OF_SWF: [(&str, &str, &str); 4] = [
    (
        "StartWorkflowExecution",
        "LimitExceededFault",
        "it is, in swf::limits::executions: too long to run twice",
    ),
    ("ListTagsForResource", "LimitExceededFault", "AWS documents no limit that it could exceed"),
    ("TagResource", "LimitExceededFault", "too many tags are a TooManyTagsFault"),
    ("UntagResource", "LimitExceededFault", "AWS documents no limit that it could exceed"),
];

/// Those of SQS that have to do with queues and messages: there are no keys of KMS, no address is
/// forbidden, and nothing is throttled.
const SQS: &[(&str, &[&str])] = &[
    ("AddPermission", &["OverLimit", "QueueDoesNotExist", "UnsupportedOperation"]),
    ("CancelMessageMoveTask", &["ResourceNotFoundException", "UnsupportedOperation"]),
    (
        "ChangeMessageVisibility",
        &[
            "MessageNotInflight",
            "QueueDoesNotExist",
            "ReceiptHandleIsInvalid",
            "UnsupportedOperation",
        ],
    ),
    (
        "ChangeMessageVisibilityBatch",
        &[
            "BatchEntryIdsNotDistinct",
            "EmptyBatchRequest",
            "InvalidBatchEntryId",
            "QueueDoesNotExist",
            "TooManyEntriesInBatchRequest",
            "UnsupportedOperation",
        ],
    ),
    (
        "CreateQueue",
        &[
            "InvalidAttributeName",
            "InvalidAttributeValue",
            "QueueDeletedRecently",
            "QueueNameExists",
            "UnsupportedOperation",
        ],
    ),
    (
        "DeleteMessage",
        &["InvalidIdFormat", "QueueDoesNotExist", "ReceiptHandleIsInvalid", "UnsupportedOperation"],
    ),
    (
        "DeleteMessageBatch",
        &[
            "BatchEntryIdsNotDistinct",
            "EmptyBatchRequest",
            "InvalidBatchEntryId",
            "QueueDoesNotExist",
            "TooManyEntriesInBatchRequest",
            "UnsupportedOperation",
        ],
    ),
    ("DeleteQueue", &["QueueDoesNotExist", "UnsupportedOperation"]),
    ("GetQueueAttributes", &["InvalidAttributeName", "QueueDoesNotExist", "UnsupportedOperation"]),
    ("GetQueueUrl", &["QueueDoesNotExist", "UnsupportedOperation"]),
    ("ListDeadLetterSourceQueues", &["QueueDoesNotExist", "UnsupportedOperation"]),
    ("ListMessageMoveTasks", &["ResourceNotFoundException", "UnsupportedOperation"]),
    ("ListQueueTags", &["QueueDoesNotExist", "UnsupportedOperation"]),
    ("ListQueues", &["UnsupportedOperation"]),
    ("PurgeQueue", &["PurgeQueueInProgress", "QueueDoesNotExist", "UnsupportedOperation"]),
    ("ReceiveMessage", &["OverLimit", "QueueDoesNotExist", "UnsupportedOperation"]),
    ("RemovePermission", &["QueueDoesNotExist", "UnsupportedOperation"]),
    ("SendMessage", &["InvalidMessageContents", "QueueDoesNotExist", "UnsupportedOperation"]),
    (
        "SendMessageBatch",
        &[
            "BatchEntryIdsNotDistinct",
            "BatchRequestTooLong",
            "EmptyBatchRequest",
            "InvalidBatchEntryId",
            "QueueDoesNotExist",
            "TooManyEntriesInBatchRequest",
            "UnsupportedOperation",
        ],
    ),
    (
        "SetQueueAttributes",
        &[
            "InvalidAttributeName",
            "InvalidAttributeValue",
            "OverLimit",
            "QueueDoesNotExist",
            "UnsupportedOperation",
        ],
    ),
    ("StartMessageMoveTask", &["ResourceNotFoundException", "UnsupportedOperation"]),
    ("TagQueue", &["QueueDoesNotExist", "UnsupportedOperation"]),
    ("UntagQueue", &["QueueDoesNotExist", "UnsupportedOperation"]),
];

/// What the tests below are not given, and why.
const NOT_OF_SQS: [(&str, &str, &str); 5] = [
    ("CreateQueue", "QueueDeletedRecently", "a name is free at once, as tests need it"),
    ("DeleteMessage", "InvalidIdFormat", "AWS calls it deprecated: ReceiptHandleIsInvalid"),
    ("ReceiveMessage", "OverLimit", "it takes 120,000 messages in flight"),
    ("SetQueueAttributes", "OverLimit", "AWS documents no limit that it could exceed"),
    ("*", "UnsupportedOperation", "all operations are there, but for canceling what has ended"),
];

fn check(named: &[(&str, &[&str])], left_out: &[(&str, &str, &str)], tests: &[fn()]) {
    let given: BTreeSet<Call> = tests.iter().flat_map(|test| heard::during(*test)).collect();
    let given: BTreeSet<(String, String)> =
        given.into_iter().filter_map(|(_, operation, fault)| Some((operation, fault?))).collect();
    let is_left_out = |operation: &str, fault: &str| {
        left_out.iter().any(|(of, name, _)| (*of == operation || *of == "*") && *name == fault)
    };
    let pairs = named.iter().flat_map(|(of, names)| names.iter().map(move |name| (*of, *name)));
    let missing: Vec<_> = pairs
        .filter(|(operation, fault)| !is_left_out(operation, fault))
        .filter(|(operation, fault)| {
            !given.contains(&((*operation).to_owned(), (*fault).to_owned()))
        })
        .collect();
    assert!(missing.is_empty(), "no test was given these: {missing:?}");
}

#[test]
fn every_fault_of_swf_was_given() {
    use swf::{faults, limits};
    check(
        SWF,
        &NOT_OF_SWF,
        &[
            faults::of_domains,
            faults::of_tags,
            faults::of_workflow_types,
            faults::of_activity_types,
            faults::of_starting,
            faults::of_executions,
            faults::of_lists_and_counts,
            faults::of_workers_and_deciders,
            limits::domains,
            limits::types,
            limits::pollers,
        ],
    );
}

#[test]
fn every_fault_of_sqs_was_given() {
    use sqs::faults;
    check(
        SQS,
        &NOT_OF_SQS,
        &[
            faults::of_queues_that_are_not_there,
            faults::of_receipts,
            faults::of_settings,
            faults::of_messages,
            faults::of_batches_to_send,
            faults::of_batches_of_receipts,
            faults::of_moves,
        ],
    );
}
