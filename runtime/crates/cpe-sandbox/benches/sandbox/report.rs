//! The table: what was measured, what stands beside it, and what it should be.

use std::fmt::Write as _;

use serde_json::{Value, json};

#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    AtLeast(f64),
    AtMost(f64),
    RatioAtMost(f64),
}

/// One figure.
pub(crate) struct Row {
    what: &'static str,
    value: f64,
    unit: &'static str,
    beside: Option<(&'static str, f64)>,
    target: Option<Target>,
}

impl Row {
    pub(crate) fn new(what: &'static str, value: f64, unit: &'static str) -> Self {
        Self { what, value, unit, beside: None, target: None }
    }

    pub(crate) fn beside(mut self, what: &'static str, value: f64) -> Self {
        self.beside = Some((what, value));
        self
    }

    pub(crate) fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    fn ratio(&self) -> Option<f64> {
        self.beside.map(|(_, beside)| self.value / beside)
    }

    fn met(&self) -> Option<bool> {
        Some(match self.target? {
            Target::AtLeast(least) => self.value >= least,
            Target::AtMost(most) => self.value <= most,
            Target::RatioAtMost(most) => self.ratio()? <= most,
        })
    }

    fn target_text(&self) -> String {
        match self.target {
            None => String::new(),
            Some(Target::AtLeast(least)) => format!("≥ {least} {}", self.unit),
            Some(Target::AtMost(most)) => format!("≤ {most} {}", self.unit),
            Some(Target::RatioAtMost(most)) => format!("ratio ≤ {most}"),
        }
    }
}

/// Figures in the order in which they came.
#[derive(Default)]
pub(crate) struct Report(Vec<Row>);

impl Report {
    pub(crate) fn add(&mut self, row: Row) {
        self.0.push(row);
    }

    pub(crate) fn json(&self) -> Value {
        let rows = self.0.iter().map(|row| {
            json!({
                "what": row.what, "value": row.value, "unit": row.unit,
                "beside": row.beside.map(|(what, value)| json!({"what": what, "value": value})),
                "ratio": row.ratio(), "target": row.target_text(), "met": row.met(),
            })
        });
        json!({"bench": "sandbox", "rows": rows.collect::<Vec<_>>()})
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let head = ["", "measured", "beside it", "ratio", "target", "met"];
        let line = |cells: [String; 6]| {
            let [what, value, beside, ratio, target, met] = cells;
            format!("{what:<52}{value:>16}  {beside:<30}{ratio:>6}  {target:<18}{met}\n")
        };
        text.push_str(&line(head.map(str::to_owned)));
        for row in &self.0 {
            let beside = row.beside.map(|(what, value)| format!("{value:.2} {what}"));
            let met = row.met().map_or("", |met| if met { "yes" } else { "NO" });
            let _ = write!(
                text,
                "{}",
                line([
                    row.what.to_owned(),
                    format!("{:.2} {}", row.value, row.unit),
                    beside.unwrap_or_default(),
                    row.ratio().map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
                    row.target_text(),
                    met.to_owned(),
                ])
            );
        }
        text
    }
}
