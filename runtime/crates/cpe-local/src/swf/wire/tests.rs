//! The form of answers and faults.

use cpe_swf::{Fault, FaultKind};
use expect_test::{Expect, expect};

use super::{activity_task_body, decision_task_body, fault_body};

#[track_caller]
fn check(body: Vec<u8>, expect: Expect) {
    expect.assert_eq(&String::from_utf8(body).unwrap());
}

#[test]
fn a_poll_without_result_has_an_empty_token() {
    check(
        decision_task_body(None).unwrap(),
        expect![[r#"{"previousStartedEventId":0,"startedEventId":0}"#]],
    );
    check(activity_task_body(None).unwrap(), expect![[r#"{"startedEventId":0}"#]]);
}

#[test]
fn faults_name_the_model_they_come_from() {
    let body = |kind| fault_body(&Fault::new(kind, "why"));
    check(
        body(FaultKind::UnknownResourceFault),
        expect![[
            r#"{"__type":"com.amazonaws.swf.base.model#UnknownResourceFault","message":"why"}"#
        ]],
    );
    check(
        body(FaultKind::ValidationException),
        expect![[r#"{"__type":"com.amazon.coral.validate#ValidationException","message":"why"}"#]],
    );
    check(
        body(FaultKind::UnknownOperationException),
        expect![[
            r#"{"__type":"com.amazon.coral.service#UnknownOperationException","message":"why"}"#
        ]],
    );
}
