//! How much of a plan can run at a time.

use cpe_swf::Timeout;
use serde_json::Value;

use crate::model::{ForEach, Plan, Section, Step, StepWork};

/// What is open at a time, at most.
#[derive(Debug, Default)]
pub(crate) struct Load {
    pub(crate) activities: Open,
    pub(crate) children: Open,
    /// In a second.
    pub(crate) heartbeats: f64,
    /// The activity of which most of them are.
    pub(crate) most_heartbeats: Option<usize>,
}

#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Open {
    pub(crate) open: u64,
    /// The step with the largest part in it.
    pub(crate) largest: Option<usize>,
}

impl Load {
    pub(crate) fn of(plan: &Plan) -> Self {
        let activities = |step: &Step| matches!(step.work, StepWork::Activity { .. });
        let children = |step: &Step| matches!(step.work, StepWork::Child { .. });
        let mut load = Self {
            activities: open(plan, |step| if activities(step) { width(plan, step) } else { 0 }),
            children: open(plan, |step| if children(step) { width(plan, step) } else { 0 }),
            ..Self::default()
        };
        // In thousandths of one, for they are weighed as whole numbers.
        let thousandths = |step: &Step| match step.work {
            StepWork::Activity { activity, .. } => {
                let every = plan.activities.get(activity).map(|a| a.heartbeat_timeout);
                match every {
                    Some(Timeout::Seconds(every)) => {
                        width(plan, step) * 3_000 / u64::from(every).max(1)
                    }
                    _ => 0,
                }
            }
            _ => 0,
        };
        let beats = open(plan, thousandths);
        load.heartbeats = beats.open as f64 / 1_000.0;
        load.most_heartbeats = beats.largest.and_then(|step| match plan.steps.get(step)?.work {
            StepWork::Activity { activity, .. } => Some(activity),
            _ => None,
        });
        load
    }
}

/// Items of a list that is the same for every job.
pub(super) fn items(plan: &Plan, each: &ForEach) -> Option<u64> {
    match plan.templates.constant(&each.list.template)? {
        Value::Array(items) => u64::try_from(items.len()).ok(),
        _ => None,
    }
}

/// What one step has open at a time.
fn width(plan: &Plan, step: &Step) -> u64 {
    step.foreach.as_ref().map_or(1, |each| {
        let most = u64::try_from(each.max_parallel).unwrap_or(u64::MAX);
        items(plan, each).map_or(most, |items| items.min(most))
    })
}

/// The steps are laid out in chains, of which each has one step at work at a time; so the sum of
/// the chains' widest is a bound of what is at work at all. Lists of steps run one after another.
fn open(plan: &Plan, weight: impl Fn(&Step) -> u64) -> Open {
    let mut chains: Vec<(Section, u64)> = Vec::new();
    let mut chain_of: Vec<Option<usize>> = vec![None; plan.steps.len()];
    // Whether a step is the last of its chain so far.
    let mut is_end = vec![true; plan.steps.len()];
    let mut largest: Option<(u64, usize)> = None;
    for index in plan.in_order() {
        let Some(step) = plan.steps.get(index) else { continue };
        let weight = weight(step);
        if weight > largest.map_or(0, |(most, _)| most) {
            largest = Some((weight, index));
        }
        let before = step.requires.iter().map(|requires| requires.step).find(|before| {
            let same = plan.steps.get(*before).is_some_and(|b| b.section == step.section);
            same && is_end.get(*before) == Some(&true)
        });
        let chain = before.and_then(|before| chain_of.get(before).copied().flatten());
        if let Some(end) = before.and_then(|before| is_end.get_mut(before)) {
            *end = false;
        }
        let chain = chain.unwrap_or_else(|| {
            chains.push((step.section, 0));
            chains.len() - 1
        });
        if let Some((_, widest)) = chains.get_mut(chain) {
            *widest = weight.max(*widest);
        }
        if let Some(slot) = chain_of.get_mut(index) {
            *slot = Some(chain);
        }
    }
    let of = |section| chains.iter().filter(|(s, _)| *s == section).map(|(_, n)| n).sum::<u64>();
    let open = [Section::Main, Section::OnFailure, Section::Finally].map(of);
    Open { open: open.into_iter().max().unwrap_or(0), largest: largest.map(|(_, index)| index) }
}
