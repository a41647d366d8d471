//! Plans in the format of 2015, from their first decision to their last.

use expect_test::{Expect, expect};

use super::history::{Recorder, render};
use crate::{Plan, decide};

const TRANSCODE: &str = include_str!("../../../tests/ui/valid/transcode-2015.yaml");
const BRANCH: &str = include_str!("../../../tests/ui/valid/failure-branch-2015.yaml");
const DIAMOND: &str = include_str!("../../../tests/ui/valid/diamond-2015.yaml");
const HELLO: &str = include_str!("../../../tests/ui/valid/hello-2015.yaml");

#[track_caller]
fn check(plan: &str, history: &str, expect: Expect) {
    let plan = Plan::parse("plan.yaml", plan).unwrap();
    expect.assert_eq(&render(&decide(&plan, &Recorder::read(history))));
}

#[test]
fn transcode_with_several_outputs() {
    let start = r#"start {"client": {"name": "ClientA"}, "input_asset": {"bucket": "in", "file": "a.mov"}, "output_assets": [{"type": "video", "bucket": "out", "path": "/v", "format": "mp4", "size": "640x480"}, {"type": "thumb", "bucket": "out", "path": "/t", "format": "jpg", "keep_ratio": true, "watermark": {"x": -20}}]}"#;
    check(
        TRANSCODE,
        start,
        expect![[r#"
        schedule ValidateAssetStep {"client":{"name":"ClientA"},"input_asset":{"bucket":"in","file":"a.mov"},"output_assets":[{"type":"video","bucket":"out","path":"/v","format":"mp4","size":"640x480"},{"type":"thumb","bucket":"out","path":"/t","format":"jpg","keep_ratio":true,"watermark":{"x":-20}}]}
    "#]],
    );
    let validated = format!(
        "{start}\nscheduled ValidateAssetStep\ncompleted ValidateAssetStep {{\"mime\": \"video/mp4\"}}"
    );
    check(
        TRANSCODE,
        &validated,
        expect![[r#"
        schedule TranscodeAssetStep {"client":{"name":"ClientA"},"input_asset":{"bucket":"in","file":"a.mov"},"input_asset_metadata":{"mime":"video/mp4"},"output_assets":[{"type":"THUMB","bucket":"out","path":"/t","file":"ClientA-1.jpg","keep_ratio":true,"watermark":{"x":-20}},{"type":"VIDEO","bucket":"out","path":"/v","file":"ClientA-2.mp4","size":"640x480","keep_ratio":false,"watermark":null}]}
    "#]],
    );
    let done = format!("{validated}\nscheduled TranscodeAssetStep\ncompleted TranscodeAssetStep");
    check(
        TRANSCODE,
        &done,
        expect![[r#"
        complete {"TranscodeAssetStep":{}}
    "#]],
    );
    let failed =
        format!("{start}\nscheduled ValidateAssetStep\nfailed ValidateAssetStep ASSET broken");
    check(
        TRANSCODE,
        &failed,
        expect![[r#"
        fail ASSET {"step":"ValidateAssetStep","reason":"ASSET","details":"broken"}
    "#]],
    );
    check(
        TRANSCODE,
        r#"start {"client": {}, "output_assets": []}"#,
        expect![[r#"
        fail cpe.bad-input {"details":"\"input_asset\" is a required property; /output_assets: [] has less than 1 item"}
    "#]],
    );
}

#[test]
fn a_branch_for_failure() {
    let start = r#"start {"url": "http://e.com/a"}"#;
    check(
        BRANCH,
        start,
        expect![[r#"
        schedule FetchIt {"url":"http://e.com/a"}
    "#]],
    );
    let fetched = format!(
        "{start}\nscheduled FetchIt\ncompleted FetchIt {{\"asset\": {{\"path\": \"p\", \"size-bytes\": 5}}}}"
    );
    check(
        BRANCH,
        &fetched,
        expect![[r#"
        schedule PublishIt {"path":"p","size":5}
    "#]],
    );
    let failed = format!("{start}\nscheduled FetchIt\nfailed FetchIt");
    check(
        BRANCH,
        &failed,
        expect![[r#"
        schedule Apologise {"subject":"we could not fetch it","url":"http://e.com/a"}
    "#]],
    );
    let told = format!("{failed}\nscheduled Apologise\nfailed Apologise also.broken");
    check(
        BRANCH,
        &told,
        expect![[r#"
        schedule TellEither {"done":true}
    "#]],
    );
    let end = format!("{told}\nscheduled TellEither\ncompleted TellEither");
    check(
        BRANCH,
        &end,
        expect![[r#"
        complete {"TellEither":{}}
    "#]],
    );
    let unpublished = format!(
        "{fetched}\nscheduled PublishIt\nfailed PublishIt disk.full\nscheduled TellEither\n\
         completed TellEither"
    );
    check(
        BRANCH,
        &unpublished,
        expect![[r#"
        fail disk.full {"step":"PublishIt","reason":"disk.full","details":""}
    "#]],
    );
}

#[test]
fn a_diamond() {
    check(
        DIAMOND,
        r#"start {"n": 2}"#,
        expect![[r#"
        schedule Top {"n":2}
    "#]],
    );
    let split = "start {}\nscheduled Top\ncompleted Top {\"parts\": [1, [2]]}";
    check(
        DIAMOND,
        split,
        expect![[r#"
        schedule Left 1
        schedule Right [2]
    "#]],
    );
    let worked = format!(
        "{split}\nscheduled Left\nscheduled Right\ncompleted Right {{\"r\": 2}}\ncompleted Left 1"
    );
    check(
        DIAMOND,
        &worked,
        expect![[r#"
        schedule Joined [1,{"r":2}]
    "#]],
    );
    let joined = format!("{worked}\nscheduled Joined\ncompleted Joined \"all\"");
    check(
        DIAMOND,
        &joined,
        expect![[r#"
        complete {"Joined":{},"Counted":{"parts":2}}
    "#]],
    );
}

#[test]
fn nothing_in_and_nothing_out() {
    check(
        HELLO,
        "start",
        expect![[r#"
        schedule saying_hi null
    "#]],
    );
    check(
        HELLO,
        "start null\nscheduled saying_hi\ncompleted saying_hi",
        expect![[r#"
        schedule saying_hi_again null
    "#]],
    );
    check(
        HELLO,
        "start {}",
        expect![[r#"
        fail cpe.bad-input {"details":"{} is not of type \"null\""}
    "#]],
    );
}
