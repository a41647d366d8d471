//! Lists, counts, descriptions and histories.

use expect_test::expect;
use serde_json::{Value, json};

use super::{
    Bench,
    bench::{complete, decision, merge, schedule, timer},
};

fn ids(page: &Value) -> Vec<&str> {
    let infos = page["executionInfos"].as_array().unwrap();
    infos.iter().map(|info| info["execution"]["workflowId"].as_str().unwrap()).collect()
}

/// Runs `w0` to `w9`, a second apart; the even ones are closed, tagged `even`.
fn ten() -> Bench {
    let mut bench = Bench::new();
    for n in 0..10 {
        let tags = if n % 2 == 0 { json!(["even"]) } else { json!([]) };
        bench.ok(
            "StartWorkflowExecution",
            json!({
                "domain": "d", "workflowId": format!("w{n}"),
                "workflowType": {"name": "W", "version": "1"}, "tagList": tags,
            }),
        );
        let polled = bench.poll_decision(json!({})).unwrap();
        bench.pass(1);
        match n {
            0 => bench.answer(&polled, json!([decision("FailWorkflowExecution", json!({}))])),
            2 | 4 | 6 | 8 => bench.answer(&polled, json!([complete("")])),
            _ => bench.answer(&polled, json!([])),
        }
    }
    bench
}

fn since(more: Value) -> Value {
    let mut request = json!({"domain": "d", "startTimeFilter": {"oldestDate": 0}});
    merge(&mut request, more);
    request
}

#[test]
fn lists_filter_order_and_page() {
    let mut bench = ten();
    let mut open = |more: Value| bench.ok("ListOpenWorkflowExecutions", since(more));
    assert_eq!(ids(&open(json!({}))), ["w9", "w7", "w5", "w3", "w1"]);
    assert_eq!(ids(&open(json!({"reverseOrder": true}))), ["w1", "w3", "w5", "w7", "w9"]);
    assert_eq!(ids(&open(json!({"executionFilter": {"workflowId": "w3"}}))), ["w3"]);
    assert_eq!(ids(&open(json!({"tagFilter": {"tag": "even"}}))), [""; 0]);
    let window =
        json!({"startTimeFilter": {"oldestDate": 1_000_000_003, "latestDate": 1_000_000_005}});
    assert_eq!(ids(&open(window)), ["w5", "w3"]);
    let first = open(json!({"maximumPageSize": 2}));
    assert_eq!(ids(&first), ["w9", "w7"]);
    let second = open(json!({"maximumPageSize": 3, "nextPageToken": first["nextPageToken"]}));
    assert_eq!(ids(&second), ["w5", "w3", "w1"]);
    assert_eq!(second.get("nextPageToken"), None);
    let mut closed = |more: Value| bench.ok("ListClosedWorkflowExecutions", since(more));
    assert_eq!(ids(&closed(json!({}))), ["w8", "w6", "w4", "w2", "w0"]);
    assert_eq!(ids(&closed(json!({"closeStatusFilter": {"status": "FAILED"}}))), ["w0"]);
    assert_eq!(ids(&closed(json!({"tagFilter": {"tag": "even"}}))).len(), 5);
    assert_eq!(ids(&closed(json!({"typeFilter": {"name": "W", "version": "2"}}))), [""; 0]);
    assert_eq!(ids(&closed(json!({"typeFilter": {"name": "W"}}))).len(), 5);
    let by_close = json!({"domain": "d", "closeTimeFilter": {"oldestDate": 1_000_000_004}});
    assert_eq!(
        ids(&bench.ok("ListClosedWorkflowExecutions", by_close.clone())),
        ["w8", "w6", "w4"]
    );
    assert_eq!(bench.ok("CountClosedWorkflowExecutions", by_close)["count"], 3);
    let open = bench.ok("CountOpenWorkflowExecutions", since(json!({})));
    assert_eq!(open, json!({"count": 5, "truncated": false}));
}

#[test]
fn lists_want_one_time_and_at_most_one_filter() {
    let mut bench = ten();
    bench.refused(
        "ListClosedWorkflowExecutions",
        json!({"domain": "d"}),
        expect!["ValidationException: Must specify time filter"],
    );
    let both = since(json!({"closeTimeFilter": {"oldestDate": 0}}));
    bench.refused(
        "ListClosedWorkflowExecutions",
        both,
        expect!["ValidationException: Cannot specify both a startTimeFilter and a closeTimeFilter"],
    );
    let two = since(json!({"tagFilter": {"tag": "t"}, "typeFilter": {"name": "W"}}));
    bench.refused("ListOpenWorkflowExecutions", two, expect!["ValidationException: Cannot specify more than one exclusive filters in the same query: typeFilter, tagFilter"]);
    bench.refused("ListOpenWorkflowExecutions", json!({"domain": "d"}), expect!["ValidationException: 1 validation error detected: Value null at 'startTimeFilter' failed to satisfy constraint: Member must not be null"]);
    bench.refused("ListOpenWorkflowExecutions", since(json!({"maximumPageSize": 1001})), expect!["ValidationException: 1 validation error detected: Value '1001' at 'maximumPageSize' failed to satisfy constraint: Member must have value less than or equal to 1000"]);
    bench.refused(
        "ListOpenWorkflowExecutions",
        since(json!({"nextPageToken": "x"})),
        expect!["ValidationException: Invalid token"],
    );
    let mut elsewhere = since(json!({}));
    elsewhere["domain"] = json!("x");
    bench.refused(
        "CountOpenWorkflowExecutions",
        elsewhere,
        expect!["UnknownResourceFault: Unknown domain: x"],
    );
}

#[test]
fn an_execution_is_described_open_and_closed() {
    let mut bench = Bench::new();
    let run_id = bench.start("w");
    bench.decide(json!([schedule("a"), schedule("b"), timer("t", 9)]));
    let request = json!({"domain": "d", "execution": {"workflowId": "w", "runId": run_id}});
    let show = |detail: Value, expect: expect_test::Expect| {
        let lines: String = detail
            .as_object()
            .unwrap()
            .iter()
            .map(|(key, value)| format!("{key} {value}\n").replace(&run_id, "run"))
            .collect();
        expect.assert_eq(&lines);
    };
    show(
        bench.ok("DescribeWorkflowExecution", request.clone()),
        expect![[r#"
        executionInfo {"execution":{"workflowId":"w","runId":"run"},"workflowType":{"name":"W","version":"1"},"startTimestamp":1000000000.0,"executionStatus":"OPEN","cancelRequested":false}
        executionConfiguration {"taskStartToCloseTimeout":"100","executionStartToCloseTimeout":"10000","taskList":{"name":"dl"},"childPolicy":"TERMINATE"}
        openCounts {"openActivityTasks":2,"openDecisionTasks":0,"openTimers":1,"openChildWorkflowExecutions":0,"openLambdaFunctions":0}
        latestActivityTaskTimestamp 1000000000.0
    "#]],
    );
    bench.pass(10);
    let polled = bench.poll_decision(json!({})).unwrap();
    bench.ok(
        "RespondDecisionTaskCompleted",
        json!({
            "taskToken": polled["taskToken"], "executionContext": "ctx",
            "decisions": [complete("")],
        }),
    );
    // What was open at the close stays counted.
    show(
        bench.ok("DescribeWorkflowExecution", request),
        expect![[r#"
        executionInfo {"execution":{"workflowId":"w","runId":"run"},"workflowType":{"name":"W","version":"1"},"startTimestamp":1000000000.0,"closeTimestamp":1000000010.0,"executionStatus":"CLOSED","closeStatus":"COMPLETED","cancelRequested":false}
        executionConfiguration {"taskStartToCloseTimeout":"100","executionStartToCloseTimeout":"10000","taskList":{"name":"dl"},"childPolicy":"TERMINATE"}
        openCounts {"openActivityTasks":2,"openDecisionTasks":0,"openTimers":0,"openChildWorkflowExecutions":0,"openLambdaFunctions":0}
        latestActivityTaskTimestamp 1000000000.0
        latestExecutionContext "ctx"
    "#]],
    );
}

#[test]
fn histories_page_in_both_directions_open_and_closed() {
    let mut bench = Bench::new();
    let run_id = bench.start("w");
    bench.decide(json!([timer("a", 1), timer("b", 2)]));
    let read = |bench: &mut Bench, reverse: bool| {
        let mut request = json!({
            "domain": "d", "execution": {"workflowId": "w", "runId": run_id},
            "maximumPageSize": 3, "reverseOrder": reverse,
        });
        let mut seen = Vec::new();
        loop {
            let page = bench.ok("GetWorkflowExecutionHistory", request.clone());
            let events = page["events"].as_array().unwrap();
            assert!(events.len() <= 3);
            seen.extend(events.iter().map(|event| event["eventId"].as_i64().unwrap()));
            let Some(token) = page.get("nextPageToken") else { return seen };
            request["nextPageToken"] = token.clone();
        }
    };
    assert_eq!(read(&mut bench, false), (1..=6).collect::<Vec<_>>());
    assert_eq!(read(&mut bench, true), (1..=6).rev().collect::<Vec<_>>());
    bench.pass(2);
    bench.decide(json!([complete("")]));
    assert_eq!(read(&mut bench, false), (1..=12).collect::<Vec<_>>());
    assert_eq!(read(&mut bench, true), (1..=12).rev().collect::<Vec<_>>());
}

#[test]
fn types_and_domains_are_listed_by_name() {
    let mut bench = Bench::new();
    for name in ["C", "B"] {
        bench.ok("RegisterActivityType", json!({"domain": "d", "name": name, "version": "1"}));
    }
    bench.ok(
        "DeprecateActivityType",
        json!({"domain": "d", "activityType": {"name": "B", "version": "1"}}),
    );
    let mut names = |more: Value| -> (Vec<String>, Value) {
        let mut request = json!({"domain": "d", "registrationStatus": "REGISTERED"});
        merge(&mut request, more);
        let page = bench.ok("ListActivityTypes", request);
        let infos = page["typeInfos"].as_array().unwrap();
        let names =
            infos.iter().map(|info| info["activityType"]["name"].as_str().unwrap().to_owned());
        (names.collect(), page["nextPageToken"].clone())
    };
    assert_eq!(names(json!({})).0, ["A", "C"]);
    assert_eq!(names(json!({"reverseOrder": true})).0, ["C", "A"]);
    assert_eq!(names(json!({"registrationStatus": "DEPRECATED"})).0, ["B"]);
    assert_eq!(names(json!({"name": "C"})).0, ["C"]);
    let (first, token) = names(json!({"maximumPageSize": 1}));
    assert_eq!(first, ["A"]);
    assert_eq!(names(json!({"maximumPageSize": 1, "nextPageToken": token})).0, ["C"]);
    let domains = bench.ok("ListDomains", json!({"registrationStatus": "REGISTERED"}));
    assert_eq!(domains["domainInfos"][0]["arn"], "arn:aws:swf:us-east-1:123456789012:/domain/d");
}
