//! Whether all of it was tested: every operation that `cpe-local` serves has a test here that
//! calls it with success, and every fault of the service models that can be given was given.

use std::collections::{BTreeMap, BTreeSet};

use cpe_local::operations;

use crate::{
    heard::{self, Call},
    s3, sqs, swf,
};

mod faults;

/// The test of each operation of SWF.
const SWF: &[(&str, fn())] = &[
    ("RegisterDomain", swf::domains::are_registered_described_and_deprecated),
    ("DescribeDomain", swf::domains::are_registered_described_and_deprecated),
    ("DeprecateDomain", swf::domains::are_registered_described_and_deprecated),
    ("UndeprecateDomain", swf::domains::are_registered_described_and_deprecated),
    ("ListDomains", swf::domains::are_listed_by_status_in_both_orders_and_in_pages),
    ("TagResource", swf::domains::are_tagged),
    ("UntagResource", swf::domains::are_tagged),
    ("ListTagsForResource", swf::domains::are_tagged),
    ("RegisterWorkflowType", swf::types::of_workflows_live_and_are_deleted),
    ("RegisterActivityType", swf::types::of_activities_live_and_are_deleted),
    ("DescribeWorkflowType", swf::types::of_workflows_live_and_are_deleted),
    ("DescribeActivityType", swf::types::of_activities_live_and_are_deleted),
    ("DeprecateWorkflowType", swf::types::of_workflows_live_and_are_deleted),
    ("DeprecateActivityType", swf::types::of_activities_live_and_are_deleted),
    ("UndeprecateWorkflowType", swf::types::of_workflows_live_and_are_deleted),
    ("UndeprecateActivityType", swf::types::of_activities_live_and_are_deleted),
    ("DeleteWorkflowType", swf::types::of_workflows_live_and_are_deleted),
    ("DeleteActivityType", swf::types::of_activities_live_and_are_deleted),
    ("ListWorkflowTypes", swf::types::of_workflows_are_listed),
    ("ListActivityTypes", swf::types::of_activities_are_listed),
    ("StartWorkflowExecution", swf::decisions::start_with_every_option),
    (
        "SignalWorkflowExecution",
        swf::decisions::are_told_of_signals_and_cancel_requests_from_outside,
    ),
    (
        "RequestCancelWorkflowExecution",
        swf::decisions::are_told_of_signals_and_cancel_requests_from_outside,
    ),
    ("TerminateWorkflowExecution", swf::decisions::come_too_late_after_a_termination),
    ("DescribeWorkflowExecution", swf::workers::open_what_is_counted),
    ("GetWorkflowExecutionHistory", swf::history::are_read_in_pages),
    ("ListOpenWorkflowExecutions", swf::lists::show_open_executions),
    ("ListClosedWorkflowExecutions", swf::lists::show_closed_executions),
    ("CountOpenWorkflowExecutions", swf::lists::are_counted),
    ("CountClosedWorkflowExecutions", swf::lists::are_counted),
    ("CountPendingDecisionTasks", swf::polls::take_from_what_is_counted),
    ("CountPendingActivityTasks", swf::polls::take_from_what_is_counted),
    ("PollForDecisionTask", swf::polls::for_decisions_wake),
    ("PollForActivityTask", swf::polls::for_activities_wake),
    ("RespondDecisionTaskCompleted", swf::history::come_with_decision_tasks_in_pages),
    ("RespondActivityTaskCompleted", swf::workers::complete_activity_tasks),
    ("RespondActivityTaskFailed", swf::workers::fail_activity_tasks),
    ("RespondActivityTaskCanceled", swf::workers::beat_and_hear_of_cancel_requests),
    ("RecordActivityTaskHeartbeat", swf::workers::beat_and_hear_of_cancel_requests),
];

/// The test of each operation of SQS.
const SQS: &[(&str, fn())] = &[
    ("CreateQueue", sqs::queues::are_made_found_and_deleted),
    ("GetQueueUrl", sqs::queues::are_made_found_and_deleted),
    ("DeleteQueue", sqs::queues::are_made_found_and_deleted),
    ("ListQueues", sqs::queues::are_listed_by_prefix_and_in_pages),
    ("ListDeadLetterSourceQueues", sqs::messages::that_come_too_often_go_to_a_dead_letter_queue),
    ("PurgeQueue", sqs::queues::are_purged),
    ("GetQueueAttributes", sqs::queues::have_attributes),
    ("SetQueueAttributes", sqs::queues::have_attributes),
    ("TagQueue", sqs::queues::are_tagged),
    ("UntagQueue", sqs::queues::are_tagged),
    ("ListQueueTags", sqs::queues::are_tagged),
    ("AddPermission", sqs::queues::are_shared),
    ("RemovePermission", sqs::queues::are_shared),
    ("StartMessageMoveTask", sqs::moves::bring_messages_back),
    ("ListMessageMoveTasks", sqs::moves::bring_messages_back),
    ("CancelMessageMoveTask", sqs::moves::go_as_slowly_as_they_should_until_they_are_canceled),
    ("SendMessage", sqs::messages::keep_bodies_and_attributes),
    ("ReceiveMessage", sqs::messages::keep_bodies_and_attributes),
    ("SendMessageBatch", sqs::batches::of_messages_are_sent_in_part),
    ("DeleteMessageBatch", sqs::batches::of_receipts_are_deleted_in_part),
    ("ChangeMessageVisibilityBatch", sqs::batches::of_receipts_are_shown_again_in_part),
    ("DeleteMessage", sqs::messages::are_hidden_until_they_are_deleted_or_come_back),
    ("ChangeMessageVisibility", sqs::messages::are_hidden_until_they_are_deleted_or_come_back),
];

/// The test of each operation of S3.
const S3: &[(&str, fn())] = &[
    ("CreateBucket", s3::buckets::are_made_and_deleted),
    ("HeadBucket", s3::buckets::are_made_and_deleted),
    ("DeleteBucket", s3::buckets::are_made_and_deleted),
    ("ListBuckets", s3::buckets::are_listed),
    ("GetBucketLocation", s3::buckets::are_in_regions),
    ("GetBucketVersioning", s3::buckets::have_no_versions),
    ("ListObjectVersions", s3::buckets::have_no_versions),
    ("ListObjects", s3::lists::of_the_first_version),
    ("ListObjectsV2", s3::lists::of_the_second_version),
    ("PutObject", s3::objects::keep_what_they_are_put_with),
    ("GetObject", s3::objects::keep_what_they_are_put_with),
    ("HeadObject", s3::objects::keep_what_they_are_put_with),
    ("DeleteObject", s3::objects::keep_what_they_are_put_with),
    ("CopyObject", s3::copies::keep_what_belongs_to_the_source),
    ("DeleteObjects", s3::objects::are_deleted_together),
    ("GetObjectAttributes", s3::objects::have_attributes),
    ("CreateMultipartUpload", s3::uploads::become_one_object),
    ("UploadPart", s3::uploads::become_one_object),
    ("UploadPartCopy", s3::uploads::become_one_object),
    ("CompleteMultipartUpload", s3::uploads::become_one_object),
    ("ListParts", s3::uploads::become_one_object),
    ("AbortMultipartUpload", s3::uploads::are_listed_and_aborted),
    ("ListMultipartUploads", s3::uploads::are_listed_and_aborted),
    ("PutObjectTagging", s3::settings::tags_of_objects),
    ("GetObjectTagging", s3::settings::tags_of_objects),
    ("DeleteObjectTagging", s3::settings::tags_of_objects),
    ("PutBucketTagging", s3::settings::tags),
    ("GetBucketTagging", s3::settings::tags),
    ("DeleteBucketTagging", s3::settings::tags),
    ("PutBucketPolicy", s3::settings::policies),
    ("GetBucketPolicy", s3::settings::policies),
    ("DeleteBucketPolicy", s3::settings::policies),
    ("PutBucketCors", s3::settings::cors),
    ("GetBucketCors", s3::settings::cors),
    ("DeleteBucketCors", s3::settings::cors),
    ("PutPublicAccessBlock", s3::settings::public_access),
    ("GetPublicAccessBlock", s3::settings::public_access),
    ("DeletePublicAccessBlock", s3::settings::public_access),
    ("PutBucketOwnershipControls", s3::settings::ownership),
    ("GetBucketOwnershipControls", s3::settings::ownership),
    ("DeleteBucketOwnershipControls", s3::settings::ownership),
    ("PutBucketLifecycleConfiguration", s3::settings::lifecycles),
    ("GetBucketLifecycleConfiguration", s3::settings::lifecycles),
    ("DeleteBucketLifecycle", s3::settings::lifecycles),
    ("PutBucketAcl", s3::settings::access_control_lists),
    ("PutObjectAcl", s3::settings::access_control_lists),
    ("PutBucketNotificationConfiguration", s3::notifications::reach_queues),
    ("GetBucketAcl", s3::settings::access_control_lists),
    ("GetObjectAcl", s3::settings::access_control_lists),
    ("GetBucketNotificationConfiguration", s3::notifications::reach_queues),
];

/// Runs every test of a table once, and looks whether it called what it is the test of.
fn check(served: &[&str], table: &[(&str, fn())]) {
    let tested: BTreeSet<_> = table.iter().map(|(operation, _)| *operation).collect();
    assert_eq!(tested.len(), table.len(), "an operation has one line");
    assert_eq!(tested, served.iter().copied().collect(), "served, and in the table");
    // Several operations may have the same test.
    let mut heard_of: BTreeMap<usize, BTreeSet<Call>> = BTreeMap::new();
    for (operation, test) in table {
        let calls = heard_of.entry(*test as usize).or_insert_with(|| heard::during(*test));
        let answered = |call: &Call| call.1 == *operation && call.2.is_none();
        assert!(calls.iter().any(answered), "its test does not call {operation}: {calls:?}");
    }
}

#[test]
fn every_operation_of_swf_has_a_test() {
    check(operations::SWF, SWF);
}

#[test]
fn every_operation_of_sqs_has_a_test() {
    check(operations::SQS, SQS);
}

#[test]
fn every_operation_of_s3_has_a_test() {
    // Versions are refused, see `s3::buckets::have_no_versions`.
    let served: Vec<_> =
        operations::S3.iter().copied().filter(|name| *name != "PutBucketVersioning").collect();
    check(&served, S3);
}
