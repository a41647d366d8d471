//! Every fault of the service model that this endpoint can give, as the SDK's own type.
//!
//! It has no keys of KMS, no other accounts and no addresses to forbid, and lets a name be used
//! again at once.

use aws_sdk_sqs::{
    operation::*,
    types::{
        ChangeMessageVisibilityBatchRequestEntry as ChangeEntry,
        DeleteMessageBatchRequestEntry as DeleteEntry, QueueAttributeName as Name,
        SendMessageBatchRequestEntry as SendEntry,
    },
};

use super::{arn, queue, queue_with, receive, send};
use crate::world::World;

#[tokio::test]
pub(crate) async fn of_queues_that_are_not_there() {
    use {
        add_permission::AddPermissionError as Add, delete_queue::DeleteQueueError as Delete,
        get_queue_attributes::GetQueueAttributesError as Get,
        get_queue_url::GetQueueUrlError as Url,
        list_dead_letter_source_queues::ListDeadLetterSourceQueuesError as Sources,
        list_queue_tags::ListQueueTagsError as Tags, purge_queue::PurgeQueueError as Purge,
        receive_message::ReceiveMessageError as Receive,
        remove_permission::RemovePermissionError as Remove, send_message::SendMessageError as Send,
        set_queue_attributes::SetQueueAttributesError as Set, tag_queue::TagQueueError as Tag,
        untag_queue::UntagQueueError as Untag,
    };
    let World { sqs, address, .. } = World::start().await;
    let nowhere = format!("http://{address}/123456789012/nowhere");
    let fault = refused!(sqs.get_queue_url().queue_name("nowhere"), Url::QueueDoesNotExist);
    assert_eq!(fault.message.as_deref(), Some("The specified queue does not exist."));
    refused!(sqs.delete_queue().queue_url(&nowhere), Delete::QueueDoesNotExist);
    refused!(sqs.purge_queue().queue_url(&nowhere), Purge::QueueDoesNotExist);
    let get = sqs.get_queue_attributes().queue_url(&nowhere).attribute_names(Name::All);
    refused!(get, Get::QueueDoesNotExist);
    let set = sqs.set_queue_attributes().queue_url(&nowhere).attributes(Name::DelaySeconds, "1");
    refused!(set, Set::QueueDoesNotExist);
    refused!(sqs.list_queue_tags().queue_url(&nowhere), Tags::QueueDoesNotExist);
    refused!(sqs.tag_queue().queue_url(&nowhere).tags("k", "v"), Tag::QueueDoesNotExist);
    refused!(sqs.untag_queue().queue_url(&nowhere).tag_keys("k"), Untag::QueueDoesNotExist);
    let add = sqs.add_permission().queue_url(&nowhere).label("l").actions("SendMessage");
    refused!(add.aws_account_ids("123456789012"), Add::QueueDoesNotExist);
    refused!(sqs.remove_permission().queue_url(&nowhere).label("l"), Remove::QueueDoesNotExist);
    let send = sqs.send_message().queue_url(&nowhere).message_body("m");
    refused!(send, Send::QueueDoesNotExist);
    refused!(sqs.receive_message().queue_url(&nowhere), Receive::QueueDoesNotExist);
    let sources = sqs.list_dead_letter_source_queues().queue_url(&nowhere);
    refused!(sources, Sources::QueueDoesNotExist);
}

#[tokio::test]
pub(crate) async fn of_receipts() {
    use change_message_visibility::ChangeMessageVisibilityError as Change;
    use delete_message::DeleteMessageError as Delete;

    let world = World::start().await;
    let sqs = &world.sqs;
    let url = queue(sqs, "q").await;
    let nowhere = format!("{url}-not");
    let change = |url: &str, receipt: &str| {
        let change = sqs.change_message_visibility().queue_url(url).receipt_handle(receipt);
        change.visibility_timeout(1)
    };
    let delete =
        |url: &str, receipt: &str| sqs.delete_message().queue_url(url).receipt_handle(receipt);
    refused!(change(&url, "nonsense"), Change::ReceiptHandleIsInvalid);
    refused!(delete(&url, "nonsense"), Delete::ReceiptHandleIsInvalid);
    refused!(change(&nowhere, "nonsense"), Change::QueueDoesNotExist);
    refused!(delete(&nowhere, "nonsense"), Delete::QueueDoesNotExist);
    send(sqs, &url, "m").await;
    let (_, receipt) = receive(sqs, &url).await.pop().unwrap();
    world.pass(30).await;
    refused!(change(&url, &receipt), Change::MessageNotInflight);
    let other = queue(sqs, "other").await;
    refused!(delete(&other, &receipt), Delete::ReceiptHandleIsInvalid);
}

#[tokio::test]
pub(crate) async fn of_settings() {
    use add_permission::AddPermissionError as Add;
    use create_queue::CreateQueueError as Create;
    use get_queue_attributes::GetQueueAttributesError as Get;
    use set_queue_attributes::SetQueueAttributesError as Set;

    let World { sqs, .. } = World::start().await;
    let url = queue(&sqs, "q").await;
    let create = |name: &str| sqs.create_queue().queue_name(name);
    refused!(create("q").attributes(Name::DelaySeconds, "1"), Create::QueueNameExists);
    refused!(create("x").attributes("Colour".into(), "red"), Create::InvalidAttributeName);
    refused!(create("x").attributes(Name::DelaySeconds, "901"), Create::InvalidAttributeValue);
    assert_eq!(code_of!(create("a b")), "InvalidParameterValue");
    let get = sqs.get_queue_attributes().queue_url(&url).attribute_names("Colour".into());
    refused!(get, Get::InvalidAttributeName);
    let set = || sqs.set_queue_attributes().queue_url(&url);
    refused!(set().attributes("Colour".into(), "red"), Set::InvalidAttributeName);
    refused!(set().attributes(Name::VisibilityTimeout, "-1"), Set::InvalidAttributeValue);
    let add = sqs.add_permission().queue_url(&url).label("l").aws_account_ids("123456789012");
    let actions = ["SendMessage"; 8].map(str::to_owned).to_vec();
    refused!(add.set_actions(Some(actions)), Add::OverLimit);
}

#[tokio::test]
pub(crate) async fn of_messages() {
    use purge_queue::PurgeQueueError as Purge;
    use send_message::SendMessageError as Send;

    let world = World::start().await;
    let sqs = &world.sqs;
    let url = queue(sqs, "q").await;
    let send = || sqs.send_message().queue_url(&url);
    refused!(send().message_body("\u{0}"), Send::InvalidMessageContents);
    let too_long = "x".repeat(1_048_577);
    assert_eq!(code_of!(send().message_body(too_long)), "InvalidParameterValue");
    let fifo = queue_with(sqs, "q.fifo", &[(Name::FifoQueue, "true")]).await;
    let no_group = sqs.send_message().queue_url(&fifo).message_body("m");
    assert_eq!(code_of!(no_group), "MissingParameter");
    sqs.purge_queue().queue_url(&url).send().await.unwrap();
    world.pass(59).await;
    refused!(sqs.purge_queue().queue_url(&url), Purge::PurgeQueueInProgress);
    world.pass(1).await;
    sqs.purge_queue().queue_url(&url).send().await.unwrap();
}

#[tokio::test]
pub(crate) async fn of_batches_to_send() {
    use send_message_batch::SendMessageBatchError as Send;

    let World { sqs, .. } = World::start().await;
    let url = queue(&sqs, "q").await;
    let entry =
        |id: &str, body: &str| SendEntry::builder().id(id).message_body(body).build().unwrap();
    let send = |entries: Vec<SendEntry>| {
        sqs.send_message_batch().queue_url(&url).set_entries(Some(entries))
    };
    refused!(send(vec![]), Send::EmptyBatchRequest);
    refused!(send(vec![entry("a", "m"), entry("a", "m")]), Send::BatchEntryIdsNotDistinct);
    refused!(send(vec![entry("a b", "m")]), Send::InvalidBatchEntryId);
    let many = (0..11).map(|id| entry(&id.to_string(), "m")).collect();
    refused!(send(many), Send::TooManyEntriesInBatchRequest);
    let half = "x".repeat(524_289);
    refused!(send(vec![entry("a", &half), entry("b", &half)]), Send::BatchRequestTooLong);
    let nowhere = send(vec![entry("a", "m")]).queue_url(format!("{url}-not"));
    refused!(nowhere, Send::QueueDoesNotExist);
}

#[tokio::test]
pub(crate) async fn of_batches_of_receipts() {
    use change_message_visibility_batch::ChangeMessageVisibilityBatchError as Change;
    use delete_message_batch::DeleteMessageBatchError as Delete;

    let World { sqs, .. } = World::start().await;
    let url = queue(&sqs, "q").await;
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    let many: Vec<String> = (0..11).map(|id| id.to_string()).collect();
    let delete = |ids: Vec<String>| {
        let entry = |id| DeleteEntry::builder().id(id).receipt_handle("r").build().unwrap();
        let entries = ids.into_iter().map(entry).collect();
        sqs.delete_message_batch().queue_url(&url).set_entries(Some(entries))
    };
    refused!(delete(vec![]), Delete::EmptyBatchRequest);
    refused!(delete(ids(&["a", "a"])), Delete::BatchEntryIdsNotDistinct);
    refused!(delete(ids(&["a.b"])), Delete::InvalidBatchEntryId);
    refused!(delete(many.clone()), Delete::TooManyEntriesInBatchRequest);
    refused!(delete(ids(&["a"])).queue_url("x"), Delete::QueueDoesNotExist);
    let change = |ids: Vec<String>| {
        let entry = |id| {
            let entry = ChangeEntry::builder().id(id).receipt_handle("r");
            entry.visibility_timeout(1).build().unwrap()
        };
        let entries = ids.into_iter().map(entry).collect();
        sqs.change_message_visibility_batch().queue_url(&url).set_entries(Some(entries))
    };
    refused!(change(vec![]), Change::EmptyBatchRequest);
    refused!(change(ids(&["a", "a"])), Change::BatchEntryIdsNotDistinct);
    refused!(change(ids(&["a.b"])), Change::InvalidBatchEntryId);
    refused!(change(many), Change::TooManyEntriesInBatchRequest);
    let nowhere = change(ids(&["a"])).queue_url(format!("{url}-not"));
    refused!(nowhere, Change::QueueDoesNotExist);
}

#[tokio::test]
pub(crate) async fn of_moves() {
    use cancel_message_move_task::CancelMessageMoveTaskError as Cancel;
    use list_message_move_tasks::ListMessageMoveTasksError as List;
    use start_message_move_task::StartMessageMoveTaskError as Start;

    let World { sqs, .. } = World::start().await;
    let nowhere = "arn:aws:sqs:us-east-1:123456789012:nowhere";
    let start = sqs.start_message_move_task().source_arn(nowhere);
    refused!(start, Start::ResourceNotFoundException);
    refused!(sqs.list_message_move_tasks().source_arn(nowhere), List::ResourceNotFoundException);
    let url = queue(&sqs, "q").await;
    let handle = format!(
        r#"{{"taskId":"00000000-0000-0000-0000-000000000000","sourceArn":"{}"}}"#,
        arn(&sqs, &url).await
    );
    use base64::Engine as _;
    let handle = base64::engine::general_purpose::STANDARD.encode(handle);
    let cancel = sqs.cancel_message_move_task().task_handle(handle);
    refused!(cancel, Cancel::ResourceNotFoundException);
    // Nobody's dead letters.
    let start = sqs.start_message_move_task().source_arn(arn(&sqs, &url).await);
    assert_eq!(code_of!(start), "InvalidParameterValue");
}

#[tokio::test]
pub(crate) async fn of_numbers() {
    let World { sqs, .. } = World::start().await;
    let url = queue(&sqs, "q").await;
    let receive = || sqs.receive_message().queue_url(&url);
    for bad in [
        receive().max_number_of_messages(0),
        receive().max_number_of_messages(11),
        receive().wait_time_seconds(21),
        receive().visibility_timeout(43_201),
    ] {
        assert_eq!(code_of!(bad), "InvalidParameterValue");
    }
    let send = sqs.send_message().queue_url(&url).message_body("m").delay_seconds(901);
    assert_eq!(code_of!(send), "InvalidParameterValue");
    assert_eq!(code_of!(sqs.send_message().queue_url(&url).message_body("")), "MissingParameter");
    let fifo = queue_with(&sqs, "q.fifo", &[(Name::FifoQueue, "true")]).await;
    let send = || sqs.send_message().queue_url(&fifo).message_body("m").message_group_id("g");
    // A FIFO queue delays as a whole, and tells messages apart by an id or by their content.
    let delayed = send().message_deduplication_id("d").delay_seconds(5);
    assert_eq!(code_of!(delayed), "InvalidParameterValue");
    assert_eq!(code_of!(send()), "InvalidParameterValue");
    let own = sqs.create_queue().queue_name("other").attributes(Name::FifoQueue, "true");
    assert_eq!(code_of!(own), "InvalidParameterValue");
}
