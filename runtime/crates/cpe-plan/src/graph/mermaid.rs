//! Mermaid's text. Steps are numbered: a name could be a word of the language.

use std::fmt::Write as _;

use super::{SECTIONS, status, subtitle};
use crate::model::{Plan, Requirement, Section, Step};

pub(super) fn draw(plan: &Plan) -> String {
    let mut text = "flowchart TD\n".to_owned();
    for (section, key) in SECTIONS {
        let steps: Vec<usize> = plan.section(section).collect();
        if steps.is_empty() {
            continue;
        }
        let framed = section != Section::Main;
        if framed {
            let _ = writeln!(text, "  subgraph {key}");
        }
        for index in steps {
            let Some(step) = plan.steps.get(index) else { continue };
            let indent = if framed { "    " } else { "  " };
            let _ = writeln!(text, "{indent}{}", node(plan, index, step));
        }
        if framed {
            text.push_str("  end\n");
        }
    }
    for (index, step) in plan.steps.iter().enumerate() {
        for requires in &step.requires {
            let arrow = match requires.status {
                Requirement::Completed | Requirement::Succeeded => "-->",
                Requirement::Failed | Requirement::Skipped | Requirement::Never => "-.->",
            };
            let label = status(requires.status);
            let _ = writeln!(text, "  s{} {arrow}|{label}| s{index}", requires.step);
        }
    }
    text
}

/// A step with a list has the double sides of a subroutine.
fn node(plan: &Plan, index: usize, step: &Step) -> String {
    let label = format!("{}<br/>{}", escape(&step.name), escape(&subtitle(plan, step)));
    if step.foreach.is_some() {
        format!("s{index}[[\"{label}\"]]")
    } else {
        format!("s{index}[\"{label}\"]")
    }
}

/// What could mean something to Mermaid, or to the page that it is drawn on, is written by its
/// number.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() || " _-.,…".contains(c) {
            escaped.push(c);
        } else {
            let _ = write!(escaped, "#{};", u32::from(c));
        }
    }
    escaped
}
