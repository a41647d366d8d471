//! What has become of each step, for those who look on: tests of plans.

use super::{RunState, StepFailure, StepState};

/// What a step has come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StepStatus {
    /// It has not begun.
    #[default]
    Pending,
    /// It is at work, or waits.
    Running,
    /// It ended well.
    Succeeded,
    /// It failed.
    Failed,
    /// It does not run.
    Skipped,
}

impl StepStatus {
    /// All of them, as they are written.
    pub const ALL: [(&'static str, Self); 5] = [
        ("pending", Self::Pending),
        ("running", Self::Running),
        ("succeeded", Self::Succeeded),
        ("failed", Self::Failed),
        ("skipped", Self::Skipped),
    ];

    /// As it is written.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, status)| *status == self).map_or("", |(name, _)| name)
    }

    /// Whether nothing changes it any more.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Skipped)
    }
}

impl RunState {
    /// What the step at this position of [`crate::Plan::steps`] has come to.
    pub fn step_status(&self, step: usize) -> StepStatus {
        match self.steps.get(step) {
            None | Some(StepState::Pending) => StepStatus::Pending,
            Some(StepState::Active(_)) => StepStatus::Running,
            Some(StepState::Succeeded(_)) => StepStatus::Succeeded,
            Some(StepState::Failed(..)) => StepStatus::Failed,
            Some(StepState::Skipped) => StepStatus::Skipped,
        }
    }

    /// What it offers to templates.
    pub fn step_output(&self, step: usize) -> Option<serde_json::Value> {
        match self.steps.get(step)? {
            StepState::Succeeded(output) | StepState::Failed(_, Some(output)) => {
                serde_json::to_value(output).ok()
            }
            _ => None,
        }
    }

    /// Why it failed.
    pub fn step_failure(&self, step: usize) -> Option<&StepFailure> {
        match self.steps.get(step)? {
            StepState::Failed(failure, _) => Some(failure),
            _ => None,
        }
    }
}
