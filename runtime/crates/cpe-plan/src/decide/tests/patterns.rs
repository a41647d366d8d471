//! The plans of this repository, from their first decision to their last.

use expect_test::{Expect, expect};

use super::history::{Recorder, render};
use crate::{Plan, decide};

macro_rules! plan {
    ($name:literal) => {
        include_str!(concat!("../../../../../../plans/", $name, ".yaml"))
    };
}

#[track_caller]
fn check(plan: &str, history: &str, expect: Expect) {
    let plan = Plan::parse("plan.yaml", plan).unwrap_or_else(|errors| panic!("{errors}"));
    expect.assert_eq(&render(&decide(&plan, &Recorder::read(history))));
}

#[test]
fn transcode_makes_each_output_for_itself() {
    let start = r#"start {"input_asset": {"bucket": "b", "file": "f"}, "output_assets": [{"file": "1"}, {"file": "2"}]}"#;
    let probed =
        format!("{start}\nscheduled ValidateAssetStep\ncompleted ValidateAssetStep {{\"m\": 1}}");
    check(
        plan!("transcode"),
        &probed,
        expect![[r#"
        schedule TranscodeAssetStep[0] {"input_asset":{"bucket":"b","file":"f"},"input_asset_metadata":{"m":1},"output_assets":[{"file":"1"}]}
        schedule TranscodeAssetStep[1] {"input_asset":{"bucket":"b","file":"f"},"input_asset_metadata":{"m":1},"output_assets":[{"file":"2"}]}
    "#]],
    );
    let made = format!(
        "{probed}\nscheduled TranscodeAssetStep[0]\nscheduled TranscodeAssetStep[1]\n\
         completed TranscodeAssetStep[1] {{\"output_assets\": [{{\"file\": \"2\"}}]}}\n"
    );
    let all = format!(
        "{made}completed TranscodeAssetStep[0] {{\"output_assets\": [{{\"file\": \"1\"}}]}}"
    );
    check(
        plan!("transcode"),
        &all,
        expect![[r#"
        complete {"TranscodeAssetStep":{"output_assets":[{"file":"1"},{"file":"2"}]}}
    "#]],
    );
    check(
        plan!("transcode"),
        &format!("{made}failed TranscodeAssetStep[0] media.broken"),
        expect![[r#"
            fail media.broken {"step":"TranscodeAssetStep","reason":"media.broken","details":""}
        "#]],
    );
}

#[test]
fn fan_out_adds_up() {
    let start = r#"start {"bucket": "b", "files": ["x", "y"]}"#;
    check(
        plan!("fan-out"),
        start,
        expect![[r#"
        schedule Each[0] {"bucket":"b","file":"x"}
        schedule Each[1] {"bucket":"b","file":"y"}
    "#]],
    );
    let counted = format!(
        "{start}\nscheduled Each[0]\nscheduled Each[1]\ncompleted Each[0] {{\"words\": 2}}\n\
         completed Each[1] {{\"words\": 3}}"
    );
    check(
        plan!("fan-out"),
        &counted,
        expect![[r#"
        complete {"Total":{"files":2,"words":5}}
    "#]],
    );
}

#[test]
fn sequence_and_diamond_pass_outputs_on() {
    let history = r#"start {"bucket": "b", "first": "x", "second": "y"}
        scheduled First
        completed First {"words": 2}"#;
    check(
        plan!("sequence"),
        history,
        expect![[r#"
        schedule Second {"bucket":"b","file":"y"}
    "#]],
    );
    let history = format!("{history}\nscheduled Second\ncompleted Second {{\"words\": 3}}");
    check(
        plan!("sequence"),
        &history,
        expect![[r#"
        complete {"first":2,"second":3}
    "#]],
    );
    let history = r#"start {"bucket": "b", "original": "o", "left": "l", "right": "r"}
        scheduled Original
        completed Original {"words": 10}"#;
    check(
        plan!("diamond"),
        history,
        expect![[r#"
        schedule Left {"bucket":"b","file":"l"}
        schedule Right {"bucket":"b","file":"r"}
    "#]],
    );
    let history = format!(
        "{history}\nscheduled Left\nscheduled Right\ncompleted Left {{\"words\": 12}}\n\
         completed Right {{\"words\": 7}}"
    );
    check(
        plan!("diamond"),
        &history,
        expect![[r#"
        complete {"Compared":{"left":2,"right":-3}}
    "#]],
    );
}

#[test]
fn conditional_counts_more_only_if_it_must() {
    let history = r#"start {"bucket": "b", "file": "x", "more": "y", "enough": 5}
        scheduled Count
        completed Count {"words": "#;
    check(
        plan!("conditional"),
        &format!("{history}4}}"),
        expect![[r#"
        schedule CountMore {"bucket":"b","file":"y"}
    "#]],
    );
    check(
        plan!("conditional"),
        &format!("{history}5}}"),
        expect![[r#"
        complete {"words":5}
    "#]],
    );
}

#[test]
fn approval_goes_on_or_does_not() {
    let start = r#"start {"bucket": "b", "file": "x"}"#;
    check(
        plan!("approval"),
        start,
        expect![[r#"
        timer cpe.signal.Asked 86400
    "#]],
    );
    let asked = format!("{start}\ntimer cpe.signal.Asked");
    let yes = format!("{asked}\nsignal approved {{\"by\": \"me\", \"go\": true}}");
    check(
        plan!("approval"),
        &yes,
        expect![[r#"
        cancel-timer cpe.signal.Asked
        schedule Count {"bucket":"b","file":"x"}
    "#]],
    );
    check(
        plan!("approval"),
        &format!("{asked}\nsignal approved no"),
        expect![[r#"
        complete {"approved by":null,"words":null}
    "#]],
    );
    check(
        plan!("approval"),
        &format!("{asked}\nfired cpe.signal.Asked"),
        expect![[r#"
        fail cpe.signal.timeout {"step":"Asked","reason":"cpe.signal.timeout","details":"the signal did not come within 86400 seconds"}
    "#]],
    );
}

#[test]
fn saga_undoes_in_reverse() {
    let failed = r#"start {"traveller": "t"}
        scheduled Flight
        completed Flight {"id": 1}
        scheduled Hotel
        completed Hotel {"id": 2}
        scheduled Payment
        failed Payment no.money"#;
    check(
        plan!("saga"),
        failed,
        expect![[r#"
        schedule UndoHotel 2
    "#]],
    );
    let hotel = format!("{failed}\nscheduled UndoHotel\ncompleted UndoHotel");
    check(
        plan!("saga"),
        &hotel,
        expect![[r#"
        schedule UndoFlight 1
    "#]],
    );
    let flight = format!("{hotel}\nscheduled UndoFlight\ncompleted UndoFlight");
    check(
        plan!("saga"),
        &flight,
        expect![[r#"
        schedule Told {"traveller":"t","failure":{"step":"Payment","reason":"no.money","details":""}}
    "#]],
    );
    check(
        plan!("saga"),
        &format!("{flight}\nscheduled Told\nfailed Told x"),
        expect![[r#"
        fail no.money {"step":"Payment","reason":"no.money","details":""}
    "#]],
    );
}

#[test]
fn retry_child_and_long_wait() {
    let start = r#"start {"bucket": "b", "file": "x", "files": ["x"]}"#;
    let missing = format!("{start}\nscheduled Count\nfailed Count s3.no-such-key");
    check(
        plan!("retry"),
        &missing,
        expect![[r#"
        fail s3.no-such-key {"step":"Count","reason":"s3.no-such-key","details":""}
    "#]],
    );
    let child = format!("{start}\nchild Each[0]\nchild-begun Each[0]\n");
    let result = r#"child-completed Each[0] {"Count": {"words": 7}}"#;
    check(
        plan!("child"),
        &format!("{child}{result}"),
        expect![[r#"
        complete {"words":7}
    "#]],
    );
    let before = format!("{start}\nscheduled Before\ncompleted Before {{\"words\": 7}}");
    check(
        plan!("long-wait"),
        &before,
        expect![[r#"
        timer cpe.wait.Week 604800
    "#]],
    );
}
