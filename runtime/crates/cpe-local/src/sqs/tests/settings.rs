//! Tags, permissions, and the settings that bind queues together.

use super::*;

/// The errors' messages, of commands that fail.
#[track_caller]
fn refusal<T: std::fmt::Debug>(result: Result<T, SqsFault>) -> String {
    result.unwrap_err().to_string()
}

fn world(script: &[&str]) -> World {
    let mut world = World::new();
    script.iter().for_each(|line| world.step(line));
    assert_eq!(world.told, "");
    world
}

#[test]
fn tags_are_kept_within_their_limits() {
    let mut world = world(&["create q"]);
    let q = name("q");
    world.sqs.tag_queue(&q, pairs(&["a=1", "b="])).unwrap();
    world.sqs.tag_queue(&q, pairs(&["a=2", "Ä/c d:@=x"])).unwrap();
    world.sqs.untag_queue(&q, &["b".to_owned(), "nothing".to_owned()]).unwrap();
    world.step("restart");
    assert_eq!(*world.sqs.tags(&q).unwrap(), pairs(&["a=2", "Ä/c d:@=x"]));

    let many = (0..50).map(|n| (format!("tag{n}"), String::new())).collect();
    expect!["InvalidParameterValueException: Too many tags added for queue q."]
        .assert_eq(&refusal(world.sqs.tag_queue(&q, many)));
    let mut tag = |key: &str, value: &str| {
        refusal(world.sqs.tag_queue(&q, Tags::from([(key.to_owned(), value.to_owned())])))
    };
    expect![
        "InvalidParameterValueException: Tag keys must be between 1 and 128 characters in length."
    ]
    .assert_eq(&tag("", "v"));
    assert_eq!(tag(&"k".repeat(129), "v"), tag("", "v"));
    expect![
        "InvalidParameterValueException: Tag values must be between 0 and 256 characters in length."
    ]
    .assert_eq(&tag("k", &"v".repeat(257)));
    expect!["InvalidParameterValueException: Tag keys that begin with aws: belong to AWS."]
        .assert_eq(&tag("AWS:x", "v"));
    expect!["InvalidParameterValueException: Tags can only include letters, digits, white space and the characters _ . : / = + - @."]
        .assert_eq(&tag("k", "{}"));
    expect!["MissingRequiredParameterException: The request must contain the parameter Tags."]
        .assert_eq(&refusal(world.sqs.tag_queue(&q, Tags::new())));
    expect![
        "InvalidParameterValueException: Tag keys must be between 1 and 128 characters in length."
    ]
    .assert_eq(&refusal(world.sqs.untag_queue(&q, &[])));
    assert_eq!(world.sqs.tags(&q).unwrap().len(), 2, "what is refused changes nothing");
}

#[test]
fn a_queue_is_made_with_tags_or_keeps_its_own() {
    let mut world = World::new();
    let q = name("q");
    for tags in [pairs(&["a=1"]), pairs(&["b=2"])] {
        world.sqs.create_queue_with_tags(world.now, &q, &BTreeMap::new(), tags).unwrap();
    }
    assert_eq!(*world.sqs.tags(&q).unwrap(), pairs(&["a=1"]));
    world.step("drop q");
    world.step("create q");
    assert!(world.sqs.tags(&q).unwrap().is_empty());
}

const ARN: &str = "arn:aws:sqs:us-east-1:123456789012:q";

fn permission(label: &str, accounts: &[&str], actions: &[&str]) -> Permission {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Permission { label: label.to_owned(), accounts: owned(accounts), actions: owned(actions) }
}

fn policy(world: &World) -> String {
    let attributes = world.sqs.attributes(&name("q")).unwrap();
    attributes.get("Policy").cloned().unwrap_or_default()
}

#[test]
fn permissions_are_statements_of_the_policy() {
    let mut world = world(&["create q"]);
    let q = name("q");
    let now = world.now;
    let one = permission("one", &["111111111111"], &["*"]);
    let two =
        permission("two", &["1", "2"].map(|_| "222222222222"), &["SendMessage", "PurgeQueue"]);
    world.sqs.add_permission(now, &q, ARN, &one).unwrap();
    world.sqs.add_permission(now, &q, ARN, &two).unwrap();
    expect![[r#"{"Version":"2012-10-17","Id":"arn:aws:sqs:us-east-1:123456789012:q/SQSDefaultPolicy","Statement":[{"Sid":"one","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111111111111:root"},"Action":"SQS:*","Resource":"arn:aws:sqs:us-east-1:123456789012:q"},{"Sid":"two","Effect":"Allow","Principal":{"AWS":["arn:aws:iam::222222222222:root","arn:aws:iam::222222222222:root"]},"Action":["SQS:SendMessage","SQS:PurgeQueue"],"Resource":"arn:aws:sqs:us-east-1:123456789012:q"}]}"#]]
        .assert_eq(&policy(&world));
    world.sqs.remove_permission(now, &q, "one").unwrap();
    world.step("restart");
    assert!(policy(&world).contains("two") && !policy(&world).contains("one"));
    expect!["InvalidParameterValueException: Value one for parameter Label is invalid. Reason: can't find label on existing policy."]
        .assert_eq(&refusal(world.sqs.remove_permission(now, &q, "one")));
    world.sqs.remove_permission(now, &q, "two").unwrap();
    assert_eq!(policy(&world), "");
}

#[test]
fn a_policy_that_was_uploaded_gets_its_permission_too() {
    let mut world = world(&[
        "create q",
        r#"set q Policy={"Version":"2008-10-17","Statement":{"Sid":"x","Effect":"Deny"}}"#,
    ]);
    let added = permission("two", &["222222222222"], &["SendMessage"]);
    world.sqs.add_permission(world.now, &name("q"), ARN, &added).unwrap();
    expect![[r#"{"Version":"2008-10-17","Statement":[{"Sid":"x","Effect":"Deny"},{"Sid":"two","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::222222222222:root"},"Action":"SQS:SendMessage","Resource":"arn:aws:sqs:us-east-1:123456789012:q"}]}"#]]
        .assert_eq(&policy(&world));
}

#[test]
fn permissions_that_sqs_refuses() {
    let mut world = world(&["create q"]);
    let mut add = |label: &str, accounts: &[&str], actions: &[&str]| {
        let added = permission(label, accounts, actions);
        refusal(world.sqs.add_permission(world.now, &name("q"), ARN, &added))
    };
    let id = "111111111111";
    expect!["MissingRequiredParameterException: The request must contain the parameter Actions."]
        .assert_eq(&add("l", &[id], &[]));
    expect!["InvalidParameterValueException: Value [] for parameter PrincipalId is invalid. Reason: Unable to verify."]
        .assert_eq(&add("l", &[], &["SendMessage"]));
    expect!["InvalidParameterValueException: Value [me] for parameter PrincipalId is invalid. Reason: Unable to verify."]
        .assert_eq(&add("l", &["me"], &["SendMessage"]));
    expect!["OverLimit: 8 Actions were found, maximum allowed is 7."].assert_eq(&add(
        "l",
        &[id],
        &["SendMessage"; 8],
    ));
    expect!["InvalidParameterValueException: Value SQS:RemovePermission for parameter ActionName is invalid. Reason: Only the queue owner is allowed to invoke this action."]
        .assert_eq(&add("l", &[id], &["RemovePermission"]));
    expect!["MissingRequiredParameterException: The request must contain the parameter Label."]
        .assert_eq(&add("", &[id], &["SendMessage"]));
    expect!["InvalidParameterValueException: Value a b for parameter Label is invalid. Reason: Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length."]
        .assert_eq(&add("a b", &[id], &["SendMessage"]));
    world.sqs.add_permission(world.now, &name("q"), ARN, &permission("l", &[id], &["*"])).unwrap();
    let again = permission("l", &[id], &["*"]);
    expect!["InvalidParameterValueException: Value l for parameter Label is invalid. Reason: Already exists."]
        .assert_eq(&refusal(world.sqs.add_permission(world.now, &name("q"), ARN, &again)));
}

#[test]
fn a_dead_letter_queue_chooses_its_sources() {
    let redrive = |queue: &str| {
        format!(
            r#"create {queue} RedrivePolicy={{"deadLetterTargetArn":"arn:aws:sqs:r:1:dead","maxReceiveCount":1}}"#
        )
    };
    let script = [
        "create dead",
        r#"set dead RedriveAllowPolicy={"redrivePermission":"denyAll"}"#,
        &redrive("a"),
        r#"set dead RedriveAllowPolicy={"redrivePermission":"byQueue","sourceQueueArns":["arn:aws:sqs:r:1:b"]}"#,
        &redrive("a"),
        &redrive("b"),
        r#"set dead RedriveAllowPolicy={"redrivePermission":"allowAll"}"#,
        &redrive("a"),
        r#"set dead RedriveAllowPolicy={"redrivePermission":"byQueue"}"#,
        r#"set dead RedriveAllowPolicy={"redrivePermission":"allowAll","sourceQueueArns":["arn:aws:sqs:r:1:b"]}"#,
        r#"set dead RedriveAllowPolicy={"redrivePermission":"byQueue","sourceQueueArns":["b"]}"#,
        "set dead RedriveAllowPolicy=all",
        "set dead RedriveAllowPolicy=",
    ];
    check(
        &script.join("\n"),
        expect![[r#"
            create a RedrivePolicy={"deadLetterTargetArn":"arn:aws:sqs:r:1:dead","maxReceiveCount":1}: InvalidParameterValueException
            create a RedrivePolicy={"deadLetterTargetArn":"arn:aws:sqs:r:1:dead","maxReceiveCount":1}: InvalidParameterValueException
            set dead RedriveAllowPolicy={"redrivePermission":"byQueue"}: InvalidAttributeValue
            set dead RedriveAllowPolicy={"redrivePermission":"allowAll","sourceQueueArns":["arn:aws:sqs:r:1:b"]}: InvalidAttributeValue
            set dead RedriveAllowPolicy={"redrivePermission":"byQueue","sourceQueueArns":["b"]}: InvalidAttributeValue
            set dead RedriveAllowPolicy=all: InvalidAttributeValue
        "#]],
    );
}

#[test]
fn a_fifo_queue_may_deduplicate_within_groups() {
    check(
        "
        create q.fifo FifoQueue=true DeduplicationScope=messageGroup FifoThroughputLimit=perMessageGroupId
        send q.fifo a group=g dedup=1
        send q.fifo b group=h dedup=1
        send q.fifo c group=g dedup=1
        count q.fifo
        set q.fifo DeduplicationScope=queue
        set q.fifo DeduplicationScope=queue FifoThroughputLimit=perQueue
        set q.fifo FifoThroughputLimit=much
        create q DeduplicationScope=queue
        ",
        expect![[r#"
            count q.fifo: 2 visible, 0 in flight, 0 delayed
            set q.fifo DeduplicationScope=queue: InvalidAttributeValue
            set q.fifo FifoThroughputLimit=much: InvalidAttributeValue
            create q DeduplicationScope=queue: InvalidAttributeName
        "#]],
    );
}

#[test]
fn settings_are_shown_as_sqs_shows_them() {
    let world = world(&[
        "create dead",
        r#"create q KmsMasterKeyId=alias/k RedrivePolicy={"deadLetterTargetArn":"arn:aws:sqs:r:1:dead","maxReceiveCount":"2"}"#,
        "create q.fifo FifoQueue=true",
    ]);
    let show = |queue: &str| {
        let lines = world.sqs.attributes(&name(queue)).unwrap();
        lines.iter().map(|(name, value)| format!("{name}={value}\n")).collect::<String>()
    };
    expect![[r#"
        ApproximateNumberOfMessages=0
        ApproximateNumberOfMessagesDelayed=0
        ApproximateNumberOfMessagesNotVisible=0
        CreatedTimestamp=1000
        DelaySeconds=0
        KmsDataKeyReusePeriodSeconds=300
        KmsMasterKeyId=alias/k
        LastModifiedTimestamp=1000
        MaximumMessageSize=1048576
        MessageRetentionPeriod=345600
        ReceiveMessageWaitTimeSeconds=0
        RedrivePolicy={"deadLetterTargetArn":"arn:aws:sqs:r:1:dead","maxReceiveCount":2}
        SqsManagedSseEnabled=false
        VisibilityTimeout=30
    "#]]
    .assert_eq(&show("q"));
    expect![[r#"
        ApproximateNumberOfMessages=0
        ApproximateNumberOfMessagesDelayed=0
        ApproximateNumberOfMessagesNotVisible=0
        ContentBasedDeduplication=false
        CreatedTimestamp=1000
        DeduplicationScope=queue
        DelaySeconds=0
        FifoQueue=true
        FifoThroughputLimit=perQueue
        LastModifiedTimestamp=1000
        MaximumMessageSize=1048576
        MessageRetentionPeriod=345600
        ReceiveMessageWaitTimeSeconds=0
        SqsManagedSseEnabled=true
        VisibilityTimeout=30
    "#]]
    .assert_eq(&show("q.fifo"));
}

#[test]
fn settings_that_sqs_refuses() {
    check(
        r#"
        create dead
        create q KmsMasterKeyId=k SqsManagedSseEnabled=true
        create q KmsDataKeyReusePeriodSeconds=59
        create q Policy=none
        create q Policy=[]
        create q MaximumMessageSize=1048577
        create q MaximumMessageSize=1023
        create q RedrivePolicy={"maxReceiveCount":1}
        create q RedrivePolicy={"deadLetterTargetArn":"arn:aws:sqs:r:1:dead"}
        create q RedrivePolicy={"deadLetterTargetArn":"arn:aws:sqs:r:1:dead","maxReceiveCount":1001}
        create q RedrivePolicy={"deadLetterTargetArn":"dead","maxReceiveCount":1}
        create q MaximumMessageSize=1024
        set q FifoQueue=true
        set q ContentBasedDeduplication=true
        "#,
        expect![[r#"
            create q KmsMasterKeyId=k SqsManagedSseEnabled=true: InvalidAttributeValue
            create q KmsDataKeyReusePeriodSeconds=59: InvalidAttributeValue
            create q Policy=none: InvalidAttributeValue
            create q Policy=[]: InvalidAttributeValue
            create q MaximumMessageSize=1048577: InvalidAttributeValue
            create q MaximumMessageSize=1023: InvalidAttributeValue
            create q RedrivePolicy={"maxReceiveCount":1}: InvalidParameterValueException
            create q RedrivePolicy={"deadLetterTargetArn":"arn:aws:sqs:r:1:dead"}: InvalidParameterValueException
            create q RedrivePolicy={"deadLetterTargetArn":"arn:aws:sqs:r:1:dead","maxReceiveCount":1001}: InvalidParameterValueException
            create q RedrivePolicy={"deadLetterTargetArn":"dead","maxReceiveCount":1}: InvalidParameterValueException
            set q FifoQueue=true: InvalidAttributeName
            set q ContentBasedDeduplication=true: InvalidAttributeName
        "#]],
    );
}

#[test]
fn a_queue_is_purged_once_in_a_minute() {
    check(
        "
        create q
        send q a
        send q b delay=5
        purge q
        count q
        send q c
        purge q
        count q
        wait 60
        purge q
        count q
        ",
        expect![[r#"
            count q: 0 visible, 0 in flight, 0 delayed
            purge q: PurgeQueueInProgress
            count q: 1 visible, 0 in flight, 0 delayed
            count q: 0 visible, 0 in flight, 0 delayed
        "#]],
    );
}

#[test]
fn a_message_is_hidden_for_twelve_hours_at_most() {
    check(
        "
        create q
        send q a
        receive q visibility=60
        hide q a 43200
        wait 300
        hide q a 43200
        hide q a 42899
        ",
        expect![[r#"
            receive q: a#1
            hide q a 43200: InvalidParameterValueException
        "#]],
    );
}
