use std::{collections::BTreeSet, fmt::Write as _, path::Path};

use expect_test::expect;
use proptest::prelude::*;

use crate::Plan;

fn plan(text: &str) -> Plan {
    Plan::parse("p.yaml", text).unwrap_or_else(|errors| panic!("{errors}"))
}

const PLAN: &str = r#"name: P
version: 1
activities:
- {name: A, version: 1, retry: {max_attempts: 3}}
steps:
- {name: First, activity: A, when: '{{ __input__.x }}'}
- {name: "a\"]<script>#; b", eval: '1', requires: [First]}
- {name: Each, activity: A, foreach: '[1]', max_parallel: 4, requires: [[First, succeeded]]}
- {name: Wait, wait: 90m, requires: [[Each, failed], [First, skipped]]}
- {name: Ask, signal: ok, timeout: 2d, allow_failure: true}
- {name: Sub, plan: {name: C, version: 2}, requires: [Wait, First]}
on_failure:
- {name: Undo, activity: A, requires: [[First, succeeded]]}
finally:
- {name: Tell, activity: A}
"#;

#[test]
fn mermaid_shows_steps_and_what_they_require() {
    expect![[r#"
        flowchart TD
          s0["First<br/>activity A, 3 attempts, when …"]
          s1["a#34;#93;#60;script#62;#35;#59; b<br/>eval"]
          s2[["Each<br/>activity A, each, 4 at a time, 3 attempts"]]
          s3["Wait<br/>wait 90m"]
          s4["Ask<br/>signal ok, up to 2d, may fail"]
          s5["Sub<br/>plan C#64;2"]
          subgraph on_failure
            s6["Undo<br/>activity A, 3 attempts"]
          end
          subgraph finally
            s7["Tell<br/>activity A, 3 attempts"]
          end
          s0 -->|completed| s1
          s0 -->|succeeded| s2
          s2 -.->|failed| s3
          s0 -.->|skipped| s3
          s3 -->|completed| s5
          s0 -->|completed| s5
          s0 -->|succeeded| s6
    "#]]
    .assert_eq(&plan(PLAN).mermaid());
}

#[test]
fn an_svg_is_xml_with_every_step_in_a_box_of_its_own() {
    let plan = plan(PLAN);
    let svg = plan.svg();
    check(&plan, &svg);
    assert!(svg.contains("a&quot;]&lt;script&gt;#; b"));
    assert_eq!(svg.matches("class=\"frame\"").count(), 2);
    assert_eq!(svg.matches("class=\"box\"").count(), plan.steps.len() + 2);
    assert_eq!(svg.matches("<path class=\"arrow").count(), 7);
}

#[test]
fn the_plans_of_this_repository_are_drawn() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../plans");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        if let Ok(plan) = Plan::parse("p.yaml", &text) {
            check(&plan, &plan.svg());
        }
    }
}

#[test]
fn a_plan_as_large_as_can_be_is_drawn() {
    let mut text = "name: P\nversion: 1\nsteps:\n- {name: S0, eval: '1'}\n".to_owned();
    for n in 1..4_000 {
        let _ = writeln!(text, "- {{name: S{n}, eval: '1', requires: [S0, S{}]}}", n - 1);
    }
    assert_eq!(plan(&text).svg().matches("<g class=\"step\">").count(), 4_000);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]
    #[test]
    fn boxes_never_overlap(requires in prop::collection::vec(
        prop::collection::vec(any::<prop::sample::Index>(), 0..4), 1..30,
    )) {
        let mut text = "name: P\nversion: 1\nsteps:\n".to_owned();
        for (at, requires) in requires.iter().enumerate() {
            let names: BTreeSet<usize> =
                requires.iter().filter(|_| at > 0).map(|index| index.index(at)).collect();
            let names: Vec<_> = names.iter().map(|at| format!("S{at}")).collect();
            let names = names.join(", ");
            let _ = writeln!(text, "- {{name: S{at}, wait: 1s, requires: [{names}]}}");
        }
        let plan = plan(&text);
        check(&plan, &plan.svg());
    }
}

/// Well-formed, every step once, boxes apart and within the picture.
fn check(plan: &Plan, svg: &str) {
    let tags = tags(svg);
    let steps = tags.iter().filter(|tag| tag.starts_with("<g class=\"step\"")).count();
    assert_eq!(steps, plan.steps.len());
    let number = |tag: &str, name: &str| -> i64 {
        let (_, rest) = tag.split_once(&format!(" {name}=\"")).unwrap();
        rest.split('"').next().unwrap().parse().unwrap()
    };
    let (width, height) = (number(&tags[0], "width"), number(&tags[0], "height"));
    let mut boxes: Vec<(i64, i64)> = Vec::new();
    let mut last = None;
    // Of a stack, the front sheet comes last.
    for tag in &tags {
        if tag.starts_with("<rect class=\"box\"") {
            last = Some((number(tag, "x"), number(tag, "y")));
        } else if tag == "</g>" {
            boxes.extend(last.take());
        }
    }
    assert_eq!(boxes.len(), plan.steps.len());
    for (at, a) in boxes.iter().enumerate() {
        assert!(a.0 >= 0 && a.1 >= 0 && a.0 + 208 < width && a.1 + 54 < height);
        for b in &boxes[at + 1..] {
            let apart = (a.0 - b.0).abs() >= 208 + 10 || (a.1 - b.1).abs() >= 54 + 10;
            assert!(apart, "{a:?} {b:?}");
        }
    }
}

/// All tags, after a look at whether they close, and that nothing stands unescaped.
fn tags(svg: &str) -> Vec<String> {
    let mut open: Vec<&str> = Vec::new();
    let mut tags = Vec::new();
    let mut rest = svg;
    while let Some(at) = rest.find('<') {
        plain(&rest[..at]);
        let end = at + rest[at..].find('>').expect("a tag ends");
        let tag = &rest[at..=end];
        let inner = tag.trim_start_matches(['<', '/']).trim_end_matches(['/', '>']);
        assert!(!inner.contains('<'), "{tag}");
        assert_eq!(inner.matches('"').count() % 2, 0, "{tag}");
        let name = inner.split(' ').next().unwrap();
        if tag.starts_with("</") {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with("/>") {
            open.push(name);
        }
        tags.push(tag.to_owned());
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty() && rest.trim().is_empty());
    tags
}

fn plain(text: &str) {
    assert!(!text.contains('>'), "{text}");
    for part in text.split('&').skip(1) {
        let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
        assert!(known.iter().any(|entity| part.starts_with(entity)), "{part}");
    }
}
