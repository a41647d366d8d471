use expect_test::{Expect, expect};

use super::*;

#[track_caller]
fn check(body: &str, expect: Expect) {
    let text = match Command::parse(body) {
        Ok(command) => {
            let client = command.head.client.as_ref().map(|client| client.name.to_string());
            let head = format!(
                "{} job={:?} request={:?} client={client:?}",
                command.type_name(),
                command.head.job_id.as_ref().map(JobId::as_str),
                command.head.request_id.as_ref().map(RequestId::as_str),
            );
            match command.action {
                Action::StartJob(start) => format!(
                    "{head} {}@{} list={:?} timeout={:?}",
                    start.workflow.name,
                    start.workflow.version,
                    start.workflow.task_list,
                    start.workflow.execution_start_to_close_timeout,
                ),
                Action::OfJob(_, action) => format!("{head} {action:?}"),
                Action::GetJobList(query) => format!("{head} {query:?}"),
            }
        }
        Err(bad) => {
            let problems: String =
                bad.problems.iter().map(|problem| format!("{problem}\n")).collect();
            format!("readable={} job={:?}\n{problems}", bad.readable, bad.job_id)
        }
    };
    expect.assert_eq(&text);
}

#[test]
fn the_original_envelope_is_read() {
    check(
        r#"{"time": 1437447258.9, "type": "START_JOB", "jobId": "954e8de9dfa0d44d",
            "data": {"workflow": {"name": "Transcode", "version": "1.0", "domain": "SADomain",
                                  "taskList": "basic_transcode",
                                  "executionStartToCloseTimeout": 2592000},
                     "client": {"name": "ClientA", "queues": {"input": "i", "output": "o"}},
                     "input_asset": {}, "output_assets": []}}"#,
        expect![[
            r#"START_JOB job=Some("954e8de9dfa0d44d") request=None client=Some("ClientA") Transcode@1.0 list=Some("basic_transcode") timeout=Some(Seconds(2592000))"#
        ]],
    );
    check(
        r#"{"time": 1, "type": "start_job", "jobId": "j", "requestId": "r1", "data": {"workflow": {"name": "T", "version": 1.5}}}"#,
        expect![[
            r#"START_JOB job=Some("j") request=Some("r1") client=None T@1.5 list=None timeout=None"#
        ]],
    );
}

#[test]
fn every_command_is_read_in_either_case() {
    let head = r#""time": 1, "jobId": "j""#;
    check(
        &format!(r#"{{"type": "CANCEL_JOB", {head}}}"#),
        expect![[r#"CANCEL_JOB job=Some("j") request=None client=None Cancel"#]],
    );
    check(
        &format!(r#"{{"type": "cancel_activity", {head}, "data": {{"activityId": "S[2]#3"}}}}"#),
        expect![[
            r#"CANCEL_ACTIVITY job=Some("j") request=None client=None CancelActivity(ActivityId("S[2]#3"))"#
        ]],
    );
    check(
        &format!(
            r#"{{"type": "GET_ACTIVITY_STATUS", {head}, "data": {{"activity": {{"activityId": "S"}}}}}}"#
        ),
        expect![[
            r#"GET_ACTIVITY_STATUS job=Some("j") request=None client=None ActivityStatus(ActivityId("S"))"#
        ]],
    );
    check(
        &format!(r#"{{"type": "get_job_status", {head}, "data": null}}"#),
        expect![[r#"GET_JOB_STATUS job=Some("j") request=None client=None Status"#]],
    );
    check(
        &format!(r#"{{"type": "GET_ACTIVITY_LIST", {head}, "data": {{"limit": 7}}}}"#),
        expect![[
            r#"GET_ACTIVITY_LIST job=Some("j") request=None client=None ActivityList(Page { limit: 7, token: None })"#
        ]],
    );
    check(
        r#"{"type": "GET_JOB_LIST", "time": 1, "data": {"status": "timed_out", "plan": "P", "since": 5.5, "pageToken": "t"}}"#,
        expect![[
            r#"GET_JOB_LIST job=None request=None client=None JobQuery { page: Page { limit: 50, token: Some("t") }, status: Some(TimedOut), plan: Some("P"), since: Some(Timestamp(5500)) }"#
        ]],
    );
    check(
        &format!(
            r#"{{"type": "SIGNAL_JOB", {head}, "data": {{"signal": "approved", "input": {{"by": "me"}}}}}}"#
        ),
        expect![[
            r#"SIGNAL_JOB job=Some("j") request=None client=None Signal { name: "approved", input: Some(Object {"by": String("me")}) }"#
        ]],
    );
}

#[test]
fn every_problem_is_named() {
    check(
        r#"{"type": "START_JOB", "jobId": 7, "data": {"workflow": {"version": [], "executionStartToCloseTimeout": "soon"}, "client": {"name": "a b"}}}"#,
        expect![[r#"
            readable=true job=None
            time: missing: seconds since 1970, as a number
            jobId: expected a string, found a number
            data.client.name: `a b` is no client name: 1 to 64 letters, digits, `_` or `-`
            data.workflow.name: missing: expected a string
            data.workflow.version: expected a string, found a list
            data.workflow.executionStartToCloseTimeout: expected whole seconds from 1 to 31536000
        "#]],
    );
    check(
        r#"{"type": "STOP_THE_WORLD\n", "jobId": "j"}"#,
        expect![[r#"
        readable=true job=Some(JobId("j"))
        type: unknown command `STOP_THE_WORLD\n`: expected START_JOB, CANCEL_JOB, CANCEL_ACTIVITY, GET_JOB_LIST, GET_ACTIVITY_LIST, GET_JOB_STATUS, GET_ACTIVITY_STATUS, SIGNAL_JOB
        time: missing: seconds since 1970, as a number
    "#]],
    );
    check(
        "{}",
        expect![[r#"
        readable=true job=None
        type: missing: expected a string
        time: missing: seconds since 1970, as a number
        jobId: missing: expected a string
    "#]],
    );
    check(
        r#"{"type": "GET_JOB_LIST", "time": "now", "requestId": "", "data": {"limit": 51, "status": "OPEN", "since": "x"}}"#,
        expect![[r#"
            readable=true job=None
            time: expected a number of seconds, found a string
            requestId: is empty
            data.limit: expected a whole number from 1 to 50
            data.status: `OPEN`: expected RUNNING, COMPLETED, FAILED, CANCELED, TIMED_OUT, TERMINATED
            data.since: expected a number of seconds, found a string
        "#]],
    );
    check(
        r#"{"type": "CANCEL_ACTIVITY", "time": 1, "jobId": "j"}"#,
        expect![[r#"
        readable=true job=Some(JobId("j"))
        data: missing: expected an object
    "#]],
    );
    check(
        r#"{"type": "GET_ACTIVITY_STATUS", "time": 1, "jobId": "j", "data": {}}"#,
        expect![[r#"
        readable=true job=Some(JobId("j"))
        data.activityId: missing: expected a string
    "#]],
    );
}

#[test]
fn signals_of_cpe_cannot_be_forged() {
    check(
        r#"{"type": "SIGNAL_JOB", "time": 1, "jobId": "j", "data": {"signal": "cpe.cancel-activity"}}"#,
        expect![[r#"
            readable=true job=Some(JobId("j"))
            data.signal: signals whose names begin with `cpe.` are CPE's
        "#]],
    );
}

#[test]
fn what_is_no_object_is_unreadable() {
    let nested = format!(r#"{{"data": {}1{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    for (body, problem) in [
        ("[1]", "expected a JSON object, found a list"),
        ("{", "not valid JSON: EOF while parsing an object"),
        (&" ".repeat(MAX_COMMAND_BYTES + 1), "the message has more than 1048576 bytes"),
        (&"[".repeat(256 << 10), "not valid JSON: recursion limit exceeded"),
        (&nested, "not valid JSON: recursion limit exceeded"),
    ] {
        let bad = Command::parse(body).unwrap_err();
        assert!(!bad.readable);
        assert!(bad.to_string().starts_with(problem), "{bad}");
    }
}
