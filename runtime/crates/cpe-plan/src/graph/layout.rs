//! Where the boxes of one list of steps go: layers by the longest way to a step, in each layer
//! sorted so that arrows cross little.
//!
//! An arrow over several layers takes a narrow place in each of them, so that it does not run
//! through boxes.

use std::collections::BTreeMap;

use crate::model::{Plan, Section};

pub(super) const BOX_WIDTH: i64 = 208;
pub(super) const BOX_HEIGHT: i64 = 54;
const PASS_WIDTH: i64 = 16;
const GAP_X: i64 = 36;
const GAP_Y: i64 = 72;
/// Places for arrows, beyond which they run straight: a plan can have millions.
const MAX_PASSES: usize = 20_000;
const SWEEPS: usize = 6;

/// A list of steps, laid out from 0, 0.
#[derive(Debug, Default)]
pub(super) struct Layout {
    pub(super) width: i64,
    pub(super) height: i64,
    /// Steps with the left upper corners of their boxes.
    pub(super) boxes: BTreeMap<usize, (i64, i64)>,
    /// For each arrow between two of them, the points that it passes between its ends.
    pub(super) passes: BTreeMap<(usize, usize), Vec<(i64, i64)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Step(usize),
    /// Of the arrow between these steps, in that layer.
    Pass(usize, usize, usize),
}

#[derive(Debug, Default)]
struct Layers {
    rows: Vec<Vec<Item>>,
    above: BTreeMap<Item, Vec<Item>>,
    below: BTreeMap<Item, Vec<Item>>,
}

pub(super) fn lay_out(plan: &Plan, section: Section) -> Layout {
    let mut layers = Layers::of(plan, section);
    for sweep in 0..SWEEPS {
        layers.sort(sweep % 2 == 0);
    }
    layers.place()
}

impl Layers {
    fn of(plan: &Plan, section: Section) -> Self {
        let depths = depths(plan, section);
        let mut layers = Self::default();
        let count = depths.values().max().map_or(0, |deepest| deepest + 1);
        layers.rows.resize_with(count, Vec::new);
        for (step, depth) in &depths {
            layers.put(Item::Step(*step), *depth);
        }
        let mut passes = 0;
        for (step, depth) in &depths {
            let requires = plan.steps.get(*step).map(|step| &step.requires);
            for from in requires.into_iter().flatten().map(|requires| requires.step) {
                let Some(first) = depths.get(&from).copied() else { continue };
                let mut before = Item::Step(from);
                let between = first + 1..*depth;
                passes += between.len();
                if passes <= MAX_PASSES {
                    for depth in between {
                        let pass = Item::Pass(from, *step, depth);
                        layers.put(pass, depth);
                        layers.join(before, pass);
                        before = pass;
                    }
                }
                layers.join(before, Item::Step(*step));
            }
        }
        layers
    }

    fn put(&mut self, item: Item, depth: usize) {
        if let Some(row) = self.rows.get_mut(depth) {
            row.push(item);
        }
    }

    fn join(&mut self, upper: Item, lower: Item) {
        self.above.entry(lower).or_default().push(upper);
        self.below.entry(upper).or_default().push(lower);
    }

    /// Sorts each row by the middle of what it is joined to in the row before it.
    fn sort(&mut self, down: bool) {
        let joined = if down { &self.above } else { &self.below };
        let mut places: BTreeMap<Item, f64> = BTreeMap::new();
        let mut sort = |row: &mut Vec<Item>| {
            let mut weighed: Vec<(f64, Item)> = Vec::new();
            for (place, item) in row.iter().enumerate() {
                let others = joined.get(item).map_or(&[][..], Vec::as_slice);
                let known: Vec<f64> =
                    others.iter().filter_map(|other| places.get(other).copied()).collect();
                let middle = if known.is_empty() {
                    share(place, row.len())
                } else {
                    known.iter().sum::<f64>() / known.len() as f64
                };
                weighed.push((middle, *item));
            }
            weighed.sort_by(|(a, _), (b, _)| a.total_cmp(b));
            *row = weighed.into_iter().map(|(_, item)| item).collect();
            for (place, item) in row.iter().enumerate() {
                places.insert(*item, share(place, row.len()));
            }
        };
        if down {
            self.rows.iter_mut().for_each(&mut sort);
        } else {
            self.rows.iter_mut().rev().for_each(&mut sort);
        }
    }

    fn place(self) -> Layout {
        let mut layout = Layout::default();
        let widths = self.rows.iter().map(|row| row_width(row));
        layout.width = widths.max().unwrap_or(0);
        for (depth, row) in self.rows.iter().enumerate() {
            let y = i64::try_from(depth).unwrap_or(0) * (BOX_HEIGHT + GAP_Y);
            let mut x = (layout.width - row_width(row)) / 2;
            for item in row {
                match *item {
                    Item::Step(step) => drop(layout.boxes.insert(step, (x, y))),
                    Item::Pass(from, to, _) => {
                        let points = layout.passes.entry((from, to)).or_default();
                        points.push((x + PASS_WIDTH / 2, y));
                        points.push((x + PASS_WIDTH / 2, y + BOX_HEIGHT));
                    }
                }
                x += width(*item) + GAP_X;
            }
            layout.height = y + BOX_HEIGHT;
        }
        layout
    }
}

/// A place in its row, from 0 to 1: rows differ in length.
fn share(place: usize, length: usize) -> f64 {
    (place as f64 + 0.5) / length.max(1) as f64
}

fn width(item: Item) -> i64 {
    match item {
        Item::Step(_) => BOX_WIDTH,
        Item::Pass(..) => PASS_WIDTH,
    }
}

fn row_width(row: &[Item]) -> i64 {
    let gaps = i64::try_from(row.len().saturating_sub(1)).unwrap_or(0) * GAP_X;
    row.iter().map(|item| width(*item)).sum::<i64>() + gaps
}

/// Of each step of a list, the longest way to it within the list.
fn depths(plan: &Plan, section: Section) -> BTreeMap<usize, usize> {
    let mut depths = BTreeMap::new();
    for index in plan.in_order() {
        let Some(step) = plan.steps.get(index).filter(|step| step.section == section) else {
            continue;
        };
        let before = step.requires.iter().filter_map(|requires| depths.get(&requires.step));
        let depth = before.max().map_or(0, |deepest| deepest + 1);
        depths.insert(index, depth);
    }
    depths
}
