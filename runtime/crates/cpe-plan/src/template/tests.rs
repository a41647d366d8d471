use expect_test::{Expect, expect};
use serde_json::json;

use super::*;

#[track_caller]
fn check(source: &str, expect: Expect) {
    let mut templates = Templates::new();
    let text = match templates.add(source) {
        Err(error) => format!("load: {error}"),
        Ok(compiled) => {
            let value = minijinja::Value::from(minijinja::value::Serde(json!({
                "a": [1, "x\"y"], "n": null, "b": {"c": {"d": 1.0}}, "s": "s", "t": true, "e": [],
                "big": 18_446_744_073_709_551_615_u64,
            })));
            match templates.render(&compiled.id, [("S".to_owned(), value)]) {
                Ok(value) => value.to_string(),
                Err(error) => format!("render: {error}"),
            }
        }
    };
    expect.assert_eq(&text);
}

#[test]
fn every_expression_prints_json() {
    check(
        r#"{"a": {{ S.a }}, "n": {{ S.n }}, "t": {{ S.t }}}"#,
        expect![[r#"{"a":[1,"x\"y"],"n":null,"t":true}"#]],
    );
    check("{{ S['b']['c'] }}", expect![[r#"{"d":1.0}"#]]);
    check("{{ S.b.c.d }}", expect!["1.0"]);
    check("{{ S.big }}", expect!["18446744073709551615"]);
    check("{{ S.a | length }}", expect!["2"]);
    check(
        "{{ S }}",
        expect![[
            r#"{"a":[1,"x\"y"],"n":null,"b":{"c":{"d":1.0}},"s":"s","t":true,"e":[],"big":18446744073709551615}"#
        ]],
    );
    check("{# a comment #}{{ 'text' }}", expect![[r#""text""#]]);
}

#[test]
fn what_is_json_already_is_not_made_json_twice() {
    check("{{ S.a | tojson }}", expect![[r#"[1,"x\"y"]"#]]);
    check("{{ S.a | tojson(indent=2) }}", expect![[r#"[1,"x\"y"]"#]]);
    check("{{ '<b>&' | tojson }}", expect![[r#""<b>&""#]]);
    check(r#"{{ '{"x": 1}' | safe }}"#, expect![[r#"{"x":1}"#]]);
    check("{{ S.s | string }}", expect![[r#""s""#]]);
}

#[test]
fn jinja_of_2015_works() {
    check(
        r#"[{% for x in S.a %}{{ x }}{% if not loop.last %},{% endif %}{% endfor %}]"#,
        expect![[r#"[1,"x\"y"]"#]],
    );
    check(
        r#"{% set n = namespace(c=0) %}{% for x in S.a %}{% set n.c = n.c + 1 %}{% endfor %}{{ n.c }}"#,
        expect!["2"],
    );
    check(
        "[{{ none }}, {{ None }}, {{ true }}, {{ True }}, {{ false }}, {{ False }}]",
        expect!["[null,null,true,true,false,false]"],
    );
    check("{{ 'a' ~ 1 ~ S.s }}", expect![[r#""a1s""#]]);
    check("{{ 'a' + S.s }}", expect![[r#""as""#]]);
    check("{{ '%s-%d' | format(S.s, 7) }}", expect![[r#""s-7""#]]);
    // What Python's `%` makes of texts, Jinja's own filter does.
    check(
        "{{ '%s-%s' % (S.s, 7) }}",
        expect![
            "render: template line 1: tried to use % operator on unsupported types string and sequence, in `'%s-%s' % (S.s, 7)`"
        ],
    );
    check("{{ S.b.items() | list }}", expect![[r#"[["c",{"d":1.0}]]"#]]);
    check("{{ S.get('missing', 5) }}", expect!["5"]);
    check("{{ S.s.upper() }}", expect![[r#""S""#]]);
    check("{{ 'a.b.c'.split('.') | last }}", expect![[r#""c""#]]);
    check("{{ S.a | join('-') | replace('x', 'z') }}", expect![[r#""1-z\"y""#]]);
    check("{{ S.t if S.a else 1 }}", expect!["true"]);
    check("{{ {'k': S.a[0], 'l': [1, 2]} }}", expect![[r#"{"k":1,"l":[1,2]}"#]]);
    check("{{ dict(a=1) }}", expect![[r#"{"a":1}"#]]);
    check("{{ range(3) | list }}", expect!["[0,1,2]"]);
    check("{{ S.a | map('string') | list }}", expect![[r#"["1","x\"y"]"#]]);
    check(
        "{% macro m(x) %}{\"m\": {{ x }}}{% endmacro %}{{ m(S.a) | safe }}",
        expect![[r#"{"m":[1,"x\"y"]}"#]],
    );
    check("{{ 7 // 2 }}", expect!["3"]);
    check("{{ 7 / 2 }}", expect!["3.5"]);
}

#[test]
fn the_undefined_may_be_asked_about_but_not_printed() {
    check(r#"{% if S.missing %}1{% else %}2{% endif %}"#, expect!["2"]);
    check("{{ S.missing | default('d') }}", expect![[r#""d""#]]);
    check("{{ S.missing is defined }}", expect!["false"]);
    check("{{ S.missing or 3 }}", expect!["3"]);
    check("[{% for x in S.missing %}{{ x }}{% endfor %}]", expect!["[]"]);
    check("{\n{{ S.missing }}}", expect!["render: template line 2: `S.missing` is undefined"]);
    check(
        "{\n\n{{ S.missing.deeper }}}",
        expect!["render: template line 3: `S.missing` is undefined, in `.missing.deeper`"],
    );
    check(
        "{{ S.missing | tojson }}",
        expect!["render: template line 1: what is undefined has no JSON, in `tojson`"],
    );
    check("{{ missing }}", expect!["render: template line 1: `missing` is undefined"]);
}

#[test]
fn mistakes_are_told_with_their_line() {
    check(
        "{\n{{ S.",
        expect!["load: template line 2: unexpected end of input, expected identifier or integer"],
    );
    check("1\n2\n{% endif %}", expect!["load: template line 3: unknown statement endif"]);
    check("{{ S.a is nonsense }}", expect!["load: template line 1: there is no test `nonsense`"]);
    check("{{ S.a | nonsense }}", expect!["load: template line 1: there is no filter `nonsense`"]);
    check(
        "{{ S.a.nonsense() }}",
        expect!["render: template line 1: sequence has no method named nonsense, in `.nonsense()`"],
    );
    check(
        "{{ S.a + 1 }}",
        expect![
            "render: template line 1: tried to use + operator on unsupported types sequence and number, in `S.a + 1`"
        ],
    );
    check("{% include 'x' %}", expect!["load: template line 1: unknown statement include"]);
    check(
        r#"{"a": }"#,
        expect![[
            r#"render: the rendered text is not JSON: expected value at line 1 column 7: `{"a": }`"#
        ]],
    );
    check(
        "{\n \"a\": {{ S.s }}\n \"b\": 1}",
        expect![[
            r#"render: the rendered text is not JSON: expected `,` or `}` at line 3 column 2: ` "b": 1}`"#
        ]],
    );
    check(
        "",
        expect![
            "render: the rendered text is not JSON: EOF while parsing a value at line 1 column 0: ``"
        ],
    );
}

#[test]
fn hostile_templates_end() {
    check(
        "{% for i in range(10000) %}{% for j in range(10000) %}{% endfor %}{% endfor %}1",
        expect!["render: template line 1: the template computes too much"],
    );
    check(
        "{{ 'x' * 100000000 }}",
        expect!["render: template line 1: the template computes too much"],
    );
    check("{{ 'x' * 1000000 }}", expect!["render: the template prints over 524288 bytes"]);
    check(
        "{{ 'x' | indent(1000000000, true) }}",
        expect!["render: template line 1: the template computes too much"],
    );
    check(
        "{{ 'x'.center(1000000000) }}",
        expect![
            "render: template line 1: string has no method named center, in `.center(1000000000)`"
        ],
    );
    check(
        "{{ '%1000000000d' | format(1) }}",
        expect!["render: template line 1: the template computes too much"],
    );
    check(
        "{% set n = namespace(s='xxxxxxxx') %}{% for i in range(40) %}{% set n.s = n.s ~ n.s %}{% endfor %}1",
        expect!["render: template line 1: the template computes too much"],
    );
    check(
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        expect!["render: template line 1: recursion limit exceeded, in `m()`"],
    );
    let mut templates = Templates::new();
    let long = "x".repeat(MAX_SOURCE + 1);
    expect!["it has 65537 bytes, of at most 65536"]
        .assert_eq(&templates.add(&long).unwrap_err().to_string());
}

#[test]
fn names_that_are_not_defined_inside_are_told() {
    let mut templates = Templates::new();
    let source = "{% set own = 1 %}{% for x in A.list %}{{ x ~ own ~ loop.index }}{% endfor %}\
                  {{ range(B) }}{{ C['x'] | default(D) }}";
    let names = templates.add(source).unwrap().names;
    assert_eq!(names.iter().collect::<Vec<_>>(), ["A", "B", "C", "D", "range"]);
    assert!(templates.is_global("range") && !templates.is_global("A"));
}

#[test]
fn the_same_text_is_one_template() {
    let mut templates = Templates::new();
    let first = templates.add("{{ 1 }}").unwrap().id;
    assert_eq!(templates.add("{{ 1 }}").unwrap().id, first);
    assert_ne!(templates.add("{{ 2 }}").unwrap().id, first);
}
