//! Requests that are refused, and what they are told.

use expect_test::expect;
use serde_json::json;

use super::{
    Bench,
    bench::{complete, schedule},
};

#[test]
fn domains_and_types_that_are_there_or_not() {
    let mut bench = Bench::new();
    let domain = json!({"name": "d", "workflowExecutionRetentionPeriodInDays": "1"});
    bench.refused("RegisterDomain", domain, expect!["DomainAlreadyExistsFault: d"]);
    bench.refused(
        "DescribeDomain",
        json!({"name": "x"}),
        expect!["UnknownResourceFault: Unknown domain: x"],
    );
    let kind = json!({"domain": "d", "name": "W", "version": "1"});
    bench.refused(
        "RegisterWorkflowType",
        kind,
        expect!["TypeAlreadyExistsFault: WorkflowType=[name=W, version=1]"],
    );
    let kind = json!({"domain": "d", "activityType": {"name": "A", "version": "2"}});
    bench.refused(
        "DescribeActivityType",
        kind,
        expect!["UnknownResourceFault: Unknown type: ActivityType=[name=A, version=2]"],
    );
    let start =
        json!({"domain": "d", "workflowId": "w", "workflowType": {"name": "X", "version": "1"}});
    bench.refused(
        "StartWorkflowExecution",
        start,
        expect!["UnknownResourceFault: Unknown type: WorkflowType=[name=X, version=1]"],
    );
}

#[test]
fn a_deprecated_domain_takes_its_types_with_it() {
    let mut bench = Bench::new();
    let name = json!({"name": "d"});
    bench.refused("UndeprecateDomain", name.clone(), expect!["DomainAlreadyExistsFault: d"]);
    bench.ok("DeprecateDomain", name.clone());
    bench.refused("DeprecateDomain", name.clone(), expect!["DomainDeprecatedFault: d"]);
    let start =
        json!({"domain": "d", "workflowId": "w", "workflowType": {"name": "W", "version": "1"}});
    bench.refused(
        "StartWorkflowExecution",
        start.clone(),
        expect!["TypeDeprecatedFault: WorkflowType=[name=W, version=1]"],
    );
    let kind = json!({"domain": "d", "name": "N", "version": "1"});
    bench.refused("RegisterActivityType", kind, expect!["DomainDeprecatedFault: d"]);
    bench.restart();
    let kind = json!({"domain": "d", "workflowType": {"name": "W", "version": "1"}});
    bench.ok("UndeprecateWorkflowType", kind.clone());
    bench.refused("StartWorkflowExecution", start, expect!["DomainDeprecatedFault: d"]);
    bench.ok("UndeprecateDomain", name);
    bench.refused(
        "UndeprecateWorkflowType",
        kind.clone(),
        expect!["TypeAlreadyExistsFault: WorkflowType=[name=W, version=1]"],
    );
    bench.refused(
        "DeleteWorkflowType",
        kind.clone(),
        expect!["TypeNotDeprecatedFault: WorkflowType=[name=W, version=1]"],
    );
    bench.ok("DeprecateWorkflowType", kind.clone());
    bench.ok("DeleteWorkflowType", kind.clone());
    bench.restart();
    bench.refused(
        "DescribeWorkflowType",
        kind,
        expect!["UnknownResourceFault: Unknown type: WorkflowType=[name=W, version=1]"],
    );
}

#[test]
fn what_neither_start_nor_type_defines() {
    let mut bench = Bench::new();
    bench.ok("RegisterWorkflowType", json!({"domain": "d", "name": "Bare", "version": "1"}));
    let mut start =
        json!({"domain": "d", "workflowId": "w", "workflowType": {"name": "Bare", "version": "1"}});
    for (member, value) in [
        ("executionStartToCloseTimeout", json!("10")),
        ("taskList", json!({"name": "l"})),
        ("taskStartToCloseTimeout", json!("10")),
        ("childPolicy", json!("ABANDON")),
    ] {
        let fault = bench.call("StartWorkflowExecution", start.clone()).unwrap_err();
        assert_eq!(fault, format!("DefaultUndefinedFault: {member}"));
        start[member] = value;
    }
    bench.ok("StartWorkflowExecution", start);
}

#[test]
fn lengths_characters_and_ranges() {
    let mut bench = Bench::new();
    let base =
        json!({"domain": "d", "workflowId": "w", "workflowType": {"name": "W", "version": "1"}});
    let faults: String = [
        ("workflowId", json!("")),
        ("workflowId", json!("a/b")),
        ("workflowId", json!("arn")),
        ("input", json!("x".repeat(32_769))),
        ("executionStartToCloseTimeout", json!("NONE")),
        ("executionStartToCloseTimeout", json!("31536001")),
        ("taskStartToCloseTimeout", json!("100000000")),
        ("taskPriority", json!("high")),
        ("tagList", json!(["1", "2", "3", "4", "5", "6"])),
        ("childPolicy", json!("KEEP")),
        ("workflowType", json!({"name": "W"})),
        ("input", json!(7)),
    ]
    .into_iter()
    .map(|(member, value)| {
        let mut request = base.clone();
        request[member] = value;
        let fault = bench.call("StartWorkflowExecution", request).unwrap_err();
        fault.replace("ValidationException: 1 validation error detected: ", "") + "\n"
    })
    .collect();
    expect![[r#"
        Value '' at 'workflowId' failed to satisfy constraint: Member must have length greater than or equal to 1
        Value 'a/b' at 'workflowId' failed to satisfy constraint: Member must not contain '/'
        Value 'arn' at 'workflowId' failed to satisfy constraint: Member must not contain 'arn'
        Value 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…' at 'input' failed to satisfy constraint: Member must have length less than or equal to 32768
        Value 'NONE' at 'executionStartToCloseTimeout' failed to satisfy constraint: Member must be a number of seconds
        Value '31536001' at 'executionStartToCloseTimeout' failed to satisfy constraint: Member must be at most 31536000 seconds, a year
        Value '100000000' at 'taskStartToCloseTimeout' failed to satisfy constraint: Member must have length less than or equal to 8
        Value 'high' at 'taskPriority' failed to satisfy constraint: Member must be a whole number of 32 bits
        Value '1, 2, 3, 4, 5, 6' at 'tagList' failed to satisfy constraint: Member must have length less than or equal to 5
        Value 'KEEP' failed to satisfy constraint: Member must satisfy enum value set: [TERMINATE, REQUEST_CANCEL, ABANDON]
        Value null at 'workflowType.version' failed to satisfy constraint: Member must not be null
        SerializationException: invalid type: integer `7`, expected a string
    "#]].assert_eq(&faults);
    // Lengths count characters, not bytes.
    let mut request = base;
    request["input"] = json!("ü".repeat(32_768));
    bench.ok("StartWorkflowExecution", request);
}

#[test]
fn domains_and_polled_lists_are_trimmed() {
    let mut bench = Bench::new();
    let domain = json!({"name": "x ", "workflowExecutionRetentionPeriodInDays": "1"});
    bench.refused("RegisterDomain", domain, expect!["ValidationException: 1 validation error detected: Value 'x ' at 'name' failed to satisfy constraint: Member must not start or end with whitespace"]);
}

#[test]
fn requests_that_cannot_be_read() {
    let mut bench = Bench::new();
    bench.refused("StartWorkflowExecution", json!({}), expect!["ValidationException: 3 validation errors detected: Value null at 'domain' failed to satisfy constraint: Member must not be null; Value null at 'workflowId' failed to satisfy constraint: Member must not be null; Value null at 'workflowType' failed to satisfy constraint: Member must not be null"]);
    bench.refused(
        "StartWorkflowExecution",
        json!([]),
        expect!["SerializationException: the body is not a JSON object"],
    );
    bench.refused(
        "StartWorkflowExecution",
        json!(null),
        expect!["SerializationException: the body is not a JSON object"],
    );
    // A member that is null is not there.
    let types = json!({"domain": "d", "registrationStatus": "REGISTERED", "name": null, "reverseOrder": null});
    bench.ok("ListActivityTypes", types);
    bench.refused(
        "MakeCoffee",
        json!({}),
        expect!["UnknownOperationException: SWF has no operation `MakeCoffee`"],
    );
    bench.refused("RegisterDomain", json!({"name": "x", "workflowExecutionRetentionPeriodInDays": "91"}), expect!["ValidationException: 1 validation error detected: Value '91' at 'workflowExecutionRetentionPeriodInDays' failed to satisfy constraint: Member must be NONE or a number of days up to 90"]);
}

#[test]
fn executions_that_are_not_open() {
    let mut bench = Bench::new();
    let run_id = bench.start("w");
    let signal = json!({"domain": "d", "workflowId": "v", "signalName": "s"});
    bench.refused(
        "SignalWorkflowExecution",
        signal,
        expect!["UnknownResourceFault: Unknown execution, workflowId = v"],
    );
    let signal = json!({"domain": "d", "workflowId": "w", "runId": "r", "signalName": "s"});
    bench.refused(
        "SignalWorkflowExecution",
        signal,
        expect![
            "UnknownResourceFault: Unknown execution: WorkflowExecution=[workflowId=w, runId=r]"
        ],
    );
    bench.decide(json!([complete("")]));
    let closed = json!({"domain": "d", "workflowId": "w", "runId": run_id});
    let fault = bench.call("TerminateWorkflowExecution", closed.clone()).unwrap_err();
    assert!(fault.starts_with("UnknownResourceFault: Unknown execution"), "{fault}");
    assert!(bench.call("RequestCancelWorkflowExecution", closed).is_err());
    let unknown = json!({"domain": "d", "execution": {"workflowId": "w", "runId": "r"}});
    bench.refused(
        "GetWorkflowExecutionHistory",
        unknown,
        expect![
            "UnknownResourceFault: Unknown execution: WorkflowExecution=[workflowId=w, runId=r]"
        ],
    );
}

#[test]
fn tokens_that_are_stale_foreign_or_nonsense() {
    let mut bench = Bench::new();
    bench.start("w");
    bench.decide(json!([schedule("a")]));
    bench.poll_activity();
    let token = bench.token("a");
    bench.refused(
        "RespondActivityTaskCompleted",
        json!({"taskToken": "x"}),
        expect!["ValidationException: Invalid token"],
    );
    // A decision task's token is not an activity task's.
    bench.refused(
        "RespondDecisionTaskCompleted",
        json!({"taskToken": token}),
        expect!["ValidationException: Invalid token"],
    );
    bench.ok("RespondActivityTaskCompleted", json!({"taskToken": token}));
    bench.refused(
        "RespondActivityTaskFailed",
        json!({"taskToken": token}),
        expect!["UnknownResourceFault: Unknown activity, scheduledEventId = 5"],
    );
    // Of another endpoint, where the same run number is another run.
    let mut other = Bench::new();
    other.pass(1);
    other.start("w");
    other.decide(json!([schedule("a")]));
    other.poll_activity();
    other.refused(
        "RespondActivityTaskCompleted",
        json!({"taskToken": token}),
        expect!["UnknownResourceFault: Unknown activity, scheduledEventId = 5"],
    );
}

#[test]
fn tags_of_domains() {
    let mut bench = Bench::empty();
    bench.ok(
        "RegisterDomain",
        json!({
            "name": "d", "workflowExecutionRetentionPeriodInDays": "NONE",
            "tags": [{"key": "a", "value": "1"}],
        }),
    );
    let arn = bench.ok("DescribeDomain", json!({"name": "d"}))["domainInfo"]["arn"].clone();
    let tags = json!([{"key": "a", "value": "2"}, {"key": "b"}]);
    bench.ok("TagResource", json!({"resourceArn": arn, "tags": tags}));
    bench.restart();
    assert_eq!(bench.ok("ListTagsForResource", json!({"resourceArn": arn}))["tags"], tags);
    let many: Vec<_> = (0..50).map(|n| json!({"key": n.to_string()})).collect();
    bench.refused(
        "TagResource",
        json!({"resourceArn": arn, "tags": many}),
        expect!["TooManyTagsFault: A domain has at most 50 tags, not 52"],
    );
    bench.ok("UntagResource", json!({"resourceArn": arn, "tagKeys": ["a"]}));
    assert_eq!(
        bench.ok("ListTagsForResource", json!({"resourceArn": arn}))["tags"],
        json!([{"key": "b"}])
    );
    bench.refused(
        "ListTagsForResource",
        json!({"resourceArn": "arn:x"}),
        expect!["UnknownResourceFault: Unknown resource: arn:x"],
    );
}
