use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::*;
use crate::Schema;

macro_rules! check {
    ($type:ty, $expect:expr) => {{
        const ABOUT: Description = Description {
            name: "n",
            version: "1",
            about: "",
            world: "w",
            input: <Probe<$type>>::SHAPE,
            output: Shape::Any,
        };
        static TEXT: [u8; length(&ABOUT)] = write(&ABOUT);
        check(&TEXT, $expect);
    }};
}

#[track_caller]
fn check(text: &[u8], expect: Expect) {
    let value: Value = serde_json::from_slice(text).unwrap();
    assert_eq!(value["output"], true);
    expect.assert_eq(&value["input"].to_string());
}

/// Which object.
#[derive(Serialize, Deserialize, Schema)]
struct Plain {
    bucket: String,
    /// The object's "key".
    /// In full.
    #[serde(rename = "file")]
    key: String,
    lines: Option<u32>,
    #[serde(default)]
    many: Vec<f32>,
    by_name: BTreeMap<String, bool>,
    #[serde(skip)]
    #[expect(dead_code, reason = "nobody reads what is skipped")]
    never: Undescribable,
    free: Undescribable,
    own: Box<Newtype>,
}

#[derive(Default, Serialize, Deserialize)]
struct Undescribable;

#[derive(Serialize, Deserialize, Schema)]
struct Newtype(i64);

#[derive(Serialize, Deserialize, Schema)]
#[serde(rename_all = "SCREAMING-KEBAB-CASE")]
enum Word {
    OneTwo,
    #[serde(rename = "3")]
    Three,
}

#[derive(Serialize, Deserialize, Schema)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
enum Tagged {
    Nothing,
    WithField { the_field: u8 },
}

#[derive(Serialize, Deserialize, Schema)]
#[serde(rename_all = "camelCase")]
enum Outside {
    UnitLike,
    Inner(Word),
    #[serde(rename_all = "camelCase")]
    Fields {
        a_b: bool,
    },
}

#[derive(Serialize, Deserialize, Schema)]
#[serde(untagged)]
enum Untagged {
    Number(u8),
    Text(String),
}

#[test]
fn the_schema_is_what_serde_reads_and_writes() {
    check!(
        Plain,
        expect![[
            r#"{"type":"object","properties":{"bucket":{"type":"string"},"file":{"description":"The object's \"key\".\nIn full.","type":"string"},"lines":{"anyOf":[{"type":"integer","minimum":0},{"type":"null"}]},"many":{"type":"array","items":{"type":"number"}},"by_name":{"type":"object","additionalProperties":{"type":"boolean"}},"free":true,"own":{"type":"integer"}},"required":["bucket","file","by_name","free","own"]}"#
        ]]
    );
    check!(Word, expect![[r#"{"anyOf":[{"const":"ONE-TWO"},{"const":"3"}]}"#]]);
    check!(
        Tagged,
        expect![[
            r#"{"anyOf":[{"type":"object","properties":{"do":{"const":"nothing"}},"required":["do"],"additionalProperties":false},{"type":"object","properties":{"do":{"const":"with-field"},"the_field":{"type":"integer","minimum":0}},"required":["do","the_field"],"additionalProperties":false}]}"#
        ]]
    );
    check!(
        Outside,
        expect![[
            r#"{"anyOf":[{"const":"unitLike"},{"type":"object","properties":{"inner":{"anyOf":[{"const":"ONE-TWO"},{"const":"3"}]}},"required":["inner"],"additionalProperties":false},{"type":"object","properties":{"fields":{"type":"object","properties":{"aB":{"type":"boolean"}},"required":["aB"]}},"required":["fields"],"additionalProperties":false}]}"#
        ]]
    );
    check!(Untagged, expect![[r#"{"anyOf":[{"type":"integer","minimum":0},{"type":"string"}]}"#]]);
    check!(Undescribable, expect!["true"]);
}
