//! An SVG document: boxes, arrows with the statuses that they require, frames around what cleans
//! up.

use std::{collections::BTreeMap, fmt::Write as _};

use super::{
    SECTIONS,
    layout::{BOX_HEIGHT, BOX_WIDTH, Layout, lay_out},
    status, subtitle,
};
use crate::model::{Plan, Requirement, Section, Step};

const MARGIN: i64 = 24;
/// Around the boxes of a framed list, and for its name above them.
const FRAME: i64 = 20;
const FRAME_HEAD: i64 = 30;
const GROUP_GAP: i64 = 56;
/// How far the sheets of a step with a list stand out.
const SHEET: i64 = 5;
/// Characters that a box has room for.
const NAME_CHARS: usize = 24;
const SUBTITLE_CHARS: usize = 33;

const STYLE: &str = "text{font-family:system-ui,sans-serif;fill:#1f2937}\
    .name{font-size:14px;font-weight:600}.what{font-size:11px;fill:#4b5563}\
    .label{font-size:10px;paint-order:stroke;stroke:#fff;stroke-width:3px}\
    .frame{fill:none;stroke:#9ca3af;stroke-dasharray:6 4}\
    .box{fill:#f9fafb;stroke:#374151}.arrow{fill:none;stroke-width:1.4}\
    .completed{stroke:#374151}.succeeded{stroke:#15803d}.failed{stroke:#b91c1c}\
    .skipped,.never{stroke:#6b7280;stroke-dasharray:4 3}";

/// What is drawn so far.
#[derive(Debug, Default)]
struct Drawing {
    frames: String,
    places: BTreeMap<usize, (i64, i64)>,
    passes: BTreeMap<(usize, usize), Vec<(i64, i64)>>,
    width: i64,
    height: i64,
}

pub(super) fn draw(plan: &Plan) -> String {
    let mut drawing = Drawing { height: MARGIN, ..Drawing::default() };
    let lists = SECTIONS.map(|(section, key)| (section, key, lay_out(plan, section)));
    let widest = lists.iter().map(|(.., layout)| layout.width).max().unwrap_or(0);
    for (section, key, layout) in lists {
        drawing.add(layout, (section, key), widest);
    }
    let (width, height) = (drawing.width + MARGIN, drawing.height + MARGIN);
    let title = escape(&format!("{} {}", plan.name, plan.version));
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         width=\"{width}\" height=\"{height}\">\n<title>{title}</title>\n\
         <style>{STYLE}</style>\n<defs><marker id=\"head\" viewBox=\"0 0 8 8\" refX=\"7\" \
         refY=\"4\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\">\
         <path d=\"M0 0L8 4L0 8z\" fill=\"#374151\"/></marker></defs>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    text.push_str(&drawing.frames);
    for (index, step) in plan.steps.iter().enumerate() {
        drawing.arrows(index, step, &mut text);
    }
    for (index, step) in plan.steps.iter().enumerate() {
        drawing.step(plan, index, step, &mut text);
    }
    text.push_str("</svg>\n");
    text
}

impl Drawing {
    /// Puts a list of steps below what is there.
    fn add(&mut self, layout: Layout, (section, key): (Section, &str), widest: i64) {
        if layout.boxes.is_empty() {
            return;
        }
        let framed = section != Section::Main;
        let (mut x, mut y) = (MARGIN + (widest - layout.width) / 2, self.height);
        if framed {
            y += GROUP_GAP;
            let width = layout.width + 2 * FRAME + SHEET * 2;
            let height = layout.height + FRAME_HEAD + FRAME + SHEET * 2;
            let _ = writeln!(
                self.frames,
                "<rect class=\"frame\" x=\"{x}\" y=\"{y}\" width=\"{width}\" \
                 height=\"{height}\" rx=\"8\"/>\n<text class=\"what\" x=\"{}\" y=\"{}\">{key}\
                 </text>",
                x + 12,
                y + 18,
            );
            self.height = y + height;
            self.width = self.width.max(x + width);
            x += FRAME;
            y += FRAME_HEAD;
        } else {
            self.height = y + layout.height + SHEET * 2;
            self.width = self.width.max(x + layout.width + SHEET * 2);
        }
        let moved = |(left, top): (i64, i64)| (x + left, y + top);
        self.places.extend(layout.boxes.into_iter().map(|(step, at)| (step, moved(at))));
        self.passes.extend(
            layout
                .passes
                .into_iter()
                .map(|(ends, points)| (ends, points.into_iter().map(moved).collect())),
        );
    }

    /// The arrows that end at a step.
    fn arrows(&self, index: usize, step: &Step, text: &mut String) {
        let Some((left, top)) = self.places.get(&index).copied() else { return };
        let mut arrows = Vec::new();
        for requires in &step.requires {
            let Some(from) = self.places.get(&requires.step) else { continue };
            let mut points = vec![(from.0 + BOX_WIDTH / 2, from.1 + BOX_HEIGHT)];
            points.extend(self.passes.get(&(requires.step, index)).into_iter().flatten());
            arrows.push((points, requires));
        }
        // Arrows end side by side in the order in which they come, so that neither they nor their
        // labels lie on each other.
        arrows.sort_by_key(|(points, _)| points.last().map(|(x, _)| *x));
        let count = i64::try_from(arrows.len()).unwrap_or(0);
        for (place, (mut points, requires)) in (1..).zip(arrows) {
            let end = (left + BOX_WIDTH * place / (count + 1), top);
            points.push(end);
            let class = match requires.status {
                Requirement::Completed if !requires.explicit => "completed",
                other => status(other),
            };
            let _ = writeln!(
                text,
                "<path class=\"arrow {class}\" d=\"{}\" marker-end=\"url(#head)\"/>",
                curve(&points)
            );
            // The labels of neighbours at different heights: they are wider than their distance.
            let lift = 12 + 12 * (place % 3);
            let _ = writeln!(
                text,
                "<text class=\"label\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                end.0,
                end.1 - lift,
                status(requires.status),
            );
        }
    }

    fn step(&self, plan: &Plan, index: usize, step: &Step, text: &mut String) {
        let Some((x, y)) = self.places.get(&index).copied() else { return };
        let what = subtitle(plan, step);
        let _ = writeln!(
            text,
            "<g class=\"step\"><title>{}: {}</title>",
            escape(&step.name),
            escape(&what)
        );
        let sheets = if step.foreach.is_some() { 2 } else { 0 };
        for sheet in (0..=sheets).rev() {
            let _ = writeln!(
                text,
                "<rect class=\"box\" x=\"{}\" y=\"{}\" width=\"{BOX_WIDTH}\" \
                 height=\"{BOX_HEIGHT}\" rx=\"6\"/>",
                x + sheet * SHEET,
                y + sheet * SHEET,
            );
        }
        let middle = x + BOX_WIDTH / 2;
        let lines =
            [("name", 23, cut(&step.name, NAME_CHARS)), ("what", 41, cut(&what, SUBTITLE_CHARS))];
        for (class, down, line) in lines {
            let _ = writeln!(
                text,
                "<text class=\"{class}\" x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
                y + down,
                escape(&line),
            );
        }
        text.push_str("</g>\n");
    }
}

/// A way through all points that leaves and enters each from above.
fn curve(points: &[(i64, i64)]) -> String {
    let mut path = String::new();
    let mut before: Option<(i64, i64)> = None;
    for (x, y) in points.iter().copied() {
        let _ = match before {
            None => write!(path, "M{x} {y}"),
            Some((from, _)) if from == x => write!(path, "L{x} {y}"),
            Some((from, above)) => {
                let middle = (above + y) / 2;
                write!(path, "C{from} {middle} {x} {middle} {x} {y}")
            }
        };
        before = Some((x, y));
    }
    path
}

fn cut(text: &str, chars: usize) -> String {
    if text.chars().count() <= chars {
        return text.to_owned();
    }
    let beginning: String = text.chars().take(chars - 1).collect();
    format!("{beginning}…")
}

/// XML has no place at all for some characters.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}
