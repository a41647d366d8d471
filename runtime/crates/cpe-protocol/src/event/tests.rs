use expect_test::{Expect, expect};

use super::*;

#[track_caller]
fn check(seq: i64, data: EventData, expect: Expect) {
    let event = JobEvent {
        time: Timestamp::from_millis(1_437_447_258_900),
        job_id: Some(JobId::new("j1").unwrap()),
        execution: Some(WorkflowExecution { workflow_id: "c.j1".into(), run_id: "r".into() }),
        request: None,
        seq,
        data,
    };
    expect.assert_eq(&event.to_json().to_string());
}

fn activity() -> ActivityRef {
    ActivityRef { activity_id: "A".into(), activity_type: ActivityType::new("Act", "v1") }
}

#[test]
fn the_original_envelopes_are_written() {
    check(
        0,
        EventData::WorkflowScheduled {
            workflow_type: WorkflowType::new("T", "1.0"),
            input: json!({"a": 1}),
        },
        expect![[
            r#"{"time":1437447258.9,"type":"WORKFLOW_SCHEDULED","jobId":"j1","seq":0,"eventId":"r:0","runId":"r","workflowId":"c.j1","workflowType":{"name":"T","version":"1.0"},"input":{"a":1}}"#
        ]],
    );
    check(
        9,
        EventData::ActivityFailed {
            activity: activity(),
            reason: "media.undecodable".into(),
            details: "not an image".into(),
            metering: Some(Box::new(Metering {
                module: "sha256:0a".into(),
                cpu_ms: 1.25,
                ..Metering::default()
            })),
        },
        expect![[
            r#"{"time":1437447258.9,"type":"ACTIVITY_FAILED","jobId":"j1","seq":9,"eventId":"r:9","data":{"workflow":{"workflowId":"c.j1","runId":"r"},"activity":{"activityId":"A","activityType":{"name":"Act","version":"v1"},"result":{"reason":"media.undecodable","details":"not an image"},"metering":{"module":"sha256:0a","waitMs":0.0,"instantiateMs":0.0,"runMs":0.0,"commitMs":0.0,"cpuMs":1.25,"peakMemory":0,"s3Read":0,"s3Written":0,"httpSent":0,"httpReceived":0}}}}"#
        ]],
    );
    check(
        6,
        EventData::ActivityProgress {
            activity: activity(),
            progress: json!({"percent": 50}),
            count: 2,
        },
        expect![[
            r#"{"time":1437447258.9,"type":"ACTIVITY_PROGRESS","jobId":"j1","seq":6,"eventId":"r:6:2","data":{"workflow":{"workflowId":"c.j1","runId":"r"},"activity":{"activityId":"A","activityType":{"name":"Act","version":"v1"},"progress":{"percent":50},"progressCount":2}}}"#
        ]],
    );
    check(
        12,
        EventData::JobCompleted { result: Some(r#"{"n":3}"#.into()) },
        expect![[
            r#"{"time":1437447258.9,"type":"JOB_COMPLETED","jobId":"j1","seq":12,"eventId":"r:end","data":{"workflow":{"workflowId":"c.j1","runId":"r"},"result":{"n":3}}}"#
        ]],
    );
}
