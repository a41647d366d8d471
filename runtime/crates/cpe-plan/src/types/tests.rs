use std::fmt::Write as _;

use expect_test::{Expect, expect};
use serde_json::json;

use super::*;

const HEAD: &str = "name: P
version: 1
input_spec:
  type: object
  required: [file, size]
  properties:
    file: {type: string}
    size: {type: integer}
    kind: {enum: [audio, video]}
    note: {type: [string, 'null']}
activities:
- {name: Count, version: 1, module: count@1, outputs_spec: {words: $.words, name: $.name, all: $}}
- {name: Other, version: 1, outputs_spec: {v: $}}
";

fn count() -> ModuleType {
    ModuleType {
        title: "the module count@1".to_owned(),
        input: json!({
            "type": "object", "required": ["bucket", "file"],
            "properties": {
                "bucket": {"type": "string"},
                "file": {"type": "string", "minLength": 1},
                "lines": {"type": "integer"},
                "mode": {"enum": ["fast", "exact"]},
                "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
                "range": {"anyOf": [
                    {"type": "object", "properties": {"do": {"const": "all"}},
                     "required": ["do"], "additionalProperties": false},
                    {"type": "object", "properties": {"do": {"const": "part"},
                     "from": {"type": "integer"}}, "required": ["do", "from"],
                     "additionalProperties": false}]},
            },
        }),
        output: json!({
            "type": "object", "required": ["words"],
            "properties": {
                "words": {"type": "integer"},
                "name": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            },
        }),
        needs: BTreeMap::new(),
    }
}

fn report(text: &str, module: ModuleType) -> String {
    let plan = Plan::parse("p.yaml", text).unwrap_or_else(|errors| panic!("{errors}"));
    let report = plan.check_types(&BTreeMap::from([("Count".to_owned(), module)]));
    let mut found = String::new();
    for error in report.errors {
        let PlanError { line, column, message, hint, .. } = error;
        let _ = writeln!(found, "{line}:{column} error: {message}");
        let _ = hint.map(|hint| writeln!(found, "  {hint}"));
    }
    for warning in report.warnings {
        let PlanWarning { line, column, message, hint, code, .. } = warning;
        let _ = writeln!(found, "{line}:{column} {code}: {message}");
        let _ = hint.map(|hint| writeln!(found, "  {hint}"));
    }
    found
}

/// What is found of these steps, which begin in line 13.
#[track_caller]
fn check(steps: &str, expect: Expect) {
    expect.assert_eq(&report(&format!("{HEAD}steps:\n{steps}"), count()));
}

/// What is found of a step with that input, in line 14.
#[track_caller]
fn input(template: &str, expect: Expect) {
    check(&format!("- {{name: S, activity: Count,\n   input: '{template}'}}\n"), expect);
}

#[test]
fn literals_are_checked_to_the_end() {
    input(
        r#"{"bucket": "b", "file": "f", "lines": 3, "mode": "fast", "tags": ["a"]}"#,
        expect![[""]],
    );
    input(
        r#"{"bucket": "b"}"#,
        expect![[r#"
        16:12 error: the input of `S` has no `file`, which the module count@1 requires
    "#]],
    );
    input(
        r#"{"bucket": "b", "fil": "f"}"#,
        expect![[r#"
        16:12 error: the input of `S` has no `file`, which the module count@1 requires
          did you mean `file` where `fil` is written?
    "#]],
    );
    input(
        r#"{"bucket": "b", "file": 7, "lines": 1.5}"#,
        expect![[r#"
        16:36 error: `file` in the input of `S` is a whole number, and the module count@1 takes text
        16:48 error: `lines` in the input of `S` is a number that is not whole, and the module count@1 takes a whole number
    "#]],
    );
    input(
        r#"{"bucket": "b", "file": "", "mode": "fats"}"#,
        expect![[r#"
        16:36 error: `file` in the input of `S` is not what the module count@1 takes: "" is shorter than 1 character
        16:48 error: `mode` in the input of `S` is `"fats"`, and the module count@1 takes one of `"fast"`, `"exact"`
          did you mean `fast`?
    "#]],
    );
    input(
        r#"{"bucket": "b", "file": "f", "tags": ["a", 1, "b", "c"]}"#,
        expect![[r#"
        16:49 error: `tags` in the input of `S` has 4 items, and the module count@1 takes 0 to 3
        16:55 error: `tags[1]` in the input of `S` is a whole number, and the module count@1 takes text
    "#]],
    );
    input(
        r#"{"bucket": "b", "file": "f", "linse": 2, "rest": 3}"#,
        expect![[r#"
        16:50 types: the input of `S` may have a key too many: the module count@1 says nothing of `linse`
          did you mean `lines`?
        16:61 types: the input of `S` may have a key too many: the module count@1 says nothing of `rest`
          it knows bucket, file, lines, mode, tags, range
    "#]],
    );
    input(
        r#""text""#,
        expect![[r#"
        16:12 error: the input of `S` is text, and the module count@1 takes an object
    "#]],
    );
    check(
        "- {name: S, activity: Count}\n",
        expect![[r#"
        15:3 error: the input of `S` is `null`, and the module count@1 takes an object
    "#]],
    );
}

#[test]
fn alternatives_tell_of_the_nearest() {
    let range = |range: &str, expect: Expect| {
        input(&format!(r#"{{"bucket": "b", "file": "f", "range": {range}}}"#), expect);
    };
    range(r#"{"do": "all"}"#, expect![[""]]);
    range(r#"{"do": "part", "from": {{ __input__.size }}}"#, expect![[""]]);
    range(
        r#"{"do": "part", "from": "x"}"#,
        expect![[r#"
        16:73 error: `range.from` in the input of `S` is text, and the module count@1 takes a whole number
          the module count@1 takes 2 forms, and this is the nearest
    "#]],
    );
    range(
        r#"{"do": "nothing"}"#,
        expect![[r#"
        16:57 error: `range.do` in the input of `S` is `"nothing"`, and the module count@1 takes only `"all"`
          the module count@1 takes 2 forms, and this is the nearest
    "#]],
    );
    range(
        "7",
        expect![[r#"
        16:50 error: `range` in the input of `S` is a whole number, and the module count@1 takes an object
    "#]],
    );
}

#[test]
fn what_is_not_known_is_no_mistake() {
    input(
        "{{ __input__ }}",
        expect![[r#"
        16:15 types: the input of `S` may have no `bucket`, which the module count@1 requires
    "#]],
    );
    input("{{ __input__.anything.at.all }}", expect![[""]]);
    input(
        r#"{"bucket": {{ range(3) | default(1) }}, "file": {{ __input__.x or 1 }}}"#,
        expect![[r#"
        16:26 types: `bucket` in the input of `S` may be a whole number, and the module count@1 takes text
    "#]],
    );
    input(
        r#"{ {% for k in __input__ %}"{{ k }}": 1{% if not loop.last %},{% endif %}{% endfor %} }"#,
        expect![[""]],
    );
    input(r#"{% set file = "x" %}{"bucket": "b", "file": {{ file }}}"#, expect![[""]]);
    input(
        r#"{"bucket": "a {{ __input__.size }}", "file": {{ __input__.file | upper }}}"#,
        expect![[""]],
    );
}

#[test]
fn values_have_the_types_of_where_they_are_from() {
    input(
        r#"{"bucket": {{ __input__.file }}, "file": {{ __input__.size }}}"#,
        expect![[r#"
        16:56 error: `file` in the input of `S` is a whole number, and the module count@1 takes text
    "#]],
    );
    input(
        r#"{"bucket": {{ __input__.note }}, "file": {{ __input__.file | length }}}"#,
        expect![[r#"
        16:56 error: `file` in the input of `S` is a whole number, and the module count@1 takes text
        16:26 types: `bucket` in the input of `S` may be `null`, and the module count@1 takes text
    "#]],
    );
    input(
        r#"{"bucket": "b", "file": {{ __input__.file }}, "mode": {{ __input__.kind }}}"#,
        expect![[r#"
            16:69 error: `mode` in the input of `S` is `"audio"` or `"video"`, and the module count@1 takes one of `"fast"`, `"exact"`
        "#]],
    );
    input(
        r#"{"bucket": {{ __input__.flie }}, "file": {{ __input__.kind | tojson }}}"#,
        expect![[r#"
        16:26 types: `__input__` may have no `flie`: nothing is said of it
          did you mean `file`?
    "#]],
    );
    check(
        r#"- {name: One, activity: Count, input: '{"bucket": "b", "file": "f"}'}
- {name: Sum, eval: '{"n": {{ One.words }}, "who": {{ One.name }}}', requires: [One]}
- name: Two
  activity: Count
  requires: [One, Sum]
  input: |
    {
      "bucket": {{ Sum.who }},
      "file": {{ Sum.n }},
      "lines": {{ One.wrods }},
      "mode": {{ Sum.x }}
    }
"#,
        expect![[r#"
            23:18 error: `file` in the input of `Two` is a whole number, and the module count@1 takes text
            24:19 error: `One` has no `wrods`
              did you mean `words`?
            25:18 error: `Sum` has no `x`
              did you mean `n`?
            22:20 types: `bucket` in the input of `Two` may be `null`, and the module count@1 takes text
        "#]],
    );
}

#[test]
fn conditions_are_taken_both_ways() {
    input(
        r#"{"bucket": "b"{% if __input__.size > 3 %}, "file": "x"{% endif %}}"#,
        expect![[r#"
            16:12 types: the input of `S` may have no `file`, which the module count@1 requires
        "#]],
    );
    input(
        r#"{% if __input__.note %}{"bucket": "b"}{% else %}{"bucket": 1}{% endif %}"#,
        expect![[r#"
            16:35 error: the input of `S` has no `file`, which the module count@1 requires
            16:60 error: the input of `S` has no `file`, which the module count@1 requires
            16:71 error: `bucket` in the input of `S` is a whole number, and the module count@1 takes text
        "#]],
    );
    // The same condition comes out the same way.
    input(
        r#"{"bucket": "b"{% if __input__.note %}, "file": {% endif %}{% if __input__.note %}"f"{% endif %}{% if not __input__.note %}, "file": 1{% endif %}}"#,
        expect![[r#"
            16:12 types: the input of `S` may have no `file`, which the module count@1 requires
            16:144 types: `file` in the input of `S` may be a whole number, and the module count@1 takes text
        "#]],
    );
    let many = "{% if __input__.a%}1{% endif %}".replace('a', "aX");
    let many: String = (0..20).map(|n| many.replace('X', &n.to_string())).collect();
    input(&format!("[{many}]"), expect![[""]]);
    input(
        r#"{"bucket": {{ "b" if __input__.size > 1 else 7 }}, "file": "f"}"#,
        expect![[r#"
        16:23 types: `bucket` in the input of `S` may be a whole number, and the module count@1 takes text
    "#]],
    );
}

#[test]
fn lists_of_steps_have_items_of_a_type() {
    check(
        r#"- name: Each
  activity: Count
  foreach: '{{ __input__.size }}'
  input: '{"bucket": "b", "file": {{ index }}}'
- name: All
  activity: Count
  requires: [[Each, succeeded]]
  foreach: '{{ Each }}'
  when: '{{ Each | length }}'
  input: '{"bucket": {{ item.words }}, "file": {{ item.name }}, "tags": {{ Each }}}'
- name: Last
  eval: '[{{ All[0].wrods }}, {{ All | first }}]'
  requires: [Each, [All, succeeded]]
"#,
        expect![[r#"
            17:16 error: `foreach` is a whole number, and it takes a list
            18:38 error: `file` in the input of `Each` is a whole number, and the module count@1 takes text
            23:13 error: `when` is a whole number, and it takes a boolean
            24:25 error: `bucket` in the input of `All` is a whole number, and the module count@1 takes text
            26:14 error: `All[0]` has no `wrods`
              did you mean `words`?
            24:51 types: `file` in the input of `All` may be `null`, and the module count@1 takes text
            24:76 types: `tags[]` in the input of `All` may be an object, and the module count@1 takes text
        "#]],
    );
}

#[test]
fn outputs_that_nothing_gives_are_told() {
    let plan = format!("{HEAD}steps: [{{name: S, activity: Other}}]\n");
    let plan =
        plan.replace("words: $.words", "words: $.wrods, bad: $.words.x, odd: '$[0]', m: $..x");
    expect![[r#"
        12:82 error: the output `bad` is always `null`: `words` of the module count@1 is a whole number, which has no keys
        12:98 error: the output `odd` is always `null`: the result of the module count@1 is an object, which has no items
        12:68 types: the output `words` may be always `null`: the result of the module count@1 names no `wrods`
          did you mean `words`?
    "#]].assert_eq(&report(&plan, count()));
    let closed = |module: ModuleType| {
        let mut output = module.output;
        output["additionalProperties"] = json!(false);
        ModuleType { output, ..module }
    };
    expect![[r#"
        12:68 error: the output `words` is always `null`: the result of the module count@1 names no `wrods`
          did you mean `words`?
        12:82 error: the output `bad` is always `null`: `words` of the module count@1 is a whole number, which has no keys
        12:98 error: the output `odd` is always `null`: the result of the module count@1 is an object, which has no items
    "#]].assert_eq(&report(&plan, closed(count())));
}

#[test]
fn what_a_module_needs_is_granted_or_told() {
    let needs = [
        (Need::Objects, "cpe:activity/object-store@0.1.0"),
        (Need::Http, "wasi:http/outgoing-handler@0.2.6"),
        (Need::Files, "wasi:filesystem/preopens@0.2.6"),
    ];
    let needs = needs.into_iter().map(|(need, import)| (need, import.to_owned()));
    let module = ModuleType { needs: needs.collect(), ..count() };
    let with = |more: &str| {
        let plan = format!(
            "name: P\nversion: 1\nactivities:\n- name: Count\n  version: 1\n  module: count@1\n\
             {more}steps: [{{name: S, activity: Count, input: '{{\"bucket\":\"b\",\"file\":\"f\"}}'}}]\n"
        );
        report(&plan, module.clone())
    };
    expect![[r#"
        6:11 grants: the module count@1 imports `wasi:filesystem/preopens@0.2.6`, and the activity has no room for files
          such as `limits: {scratch: 64MiB}`
    "#]].assert_eq(&with(""));
    expect![[r#"
        7:11 grants: the module count@1 imports `cpe:activity/object-store@0.1.0`, and the activity grants no objects
          such as `grants: {s3: [{bucket: media, prefix: in/, access: read}]}`
        7:11 grants: the module count@1 imports `wasi:http/outgoing-handler@0.2.6`, and the activity grants no URLs
          such as `grants: {http: ["https://cdn.example.com/*"]}`
    "#]].assert_eq(&with("  grants: {}\n  limits: {scratch: 1MiB}\n"));
    expect![[r#"
        7:11 grants: the module count@1 imports `wasi:filesystem/preopens@0.2.6`, and the activity has no room for files
          such as `limits: {scratch: 64MiB}`
        10:11 grants: the module count@1 imports `wasi:http/outgoing-handler@0.2.6`, and the activity grants no URLs
          such as `grants: {http: ["https://cdn.example.com/*"]}`
    "#]].assert_eq(&with(
        "  limits: {memory: 1MiB}\n  grants:\n    s3: [{bucket: b, access: read}]\n    http: []\n",
    ));
}

#[test]
fn an_input_spec_is_checked_without_modules() {
    let plan = "name: P
version: 1
activities:
- {name: A, version: 1, input_spec: {type: object, required: [a]}}
steps:
- {name: S, activity: A, input: '{\"b\": 1}'}
";
    let plan = Plan::parse("p.yaml", plan).unwrap();
    let report = plan.check_types(&BTreeMap::new());
    let told: Vec<_> = report.errors.iter().map(ToString::to_string).collect();
    expect![[r#"
        p.yaml:6:34: the input of `S` has no `a`, which the `input_spec` of `A` requires
          6 | - {name: S, activity: A, input: '{"b": 1}'}
            |                                  ^
          hint: did you mean `a` where `b` is written?"#]]
    .assert_eq(&told.join("\n"));
}

#[test]
fn hostile_schemas_and_templates_end() {
    let deep = (0..200).fold(json!(true), |inner, _| json!({"properties": {"a": inner}}));
    let wide = json!({"anyOf": vec![json!({"$ref": "#"}); 500]});
    let value = "[".repeat(60) + &"]".repeat(60);
    for schema in [deep, wide, json!({"$ref": "#/nowhere"}), json!({"type": 7}), json!({"enum": 3})]
    {
        let module = ModuleType { input: schema.clone(), output: schema, ..count() };
        let doubling: String = (1..30)
            .map(|n| {
                let before = n - 1;
                format!(
                    "- {{name: S{n}, eval: '[{{{{ S{before} }}}}, {{{{ S{before} }}}}]', requires: \
                     [S{before}]}}\n"
                )
            })
            .collect();
        let plan = format!(
            "{HEAD}steps:\n- {{name: S0, activity: Count, input: '{value}'}}\n{doubling}\
             - {{name: E, activity: Count, input: '{{{{ S29 }}}}', requires: [S29]}}\n"
        );
        report(&plan, module);
    }
}
