//! The plans of the jobs that are played under faults.

const ACTIVITIES: &str = r#"
version: "1"
default_task_start_to_close_timeout: 10
activities:
- name: Do
  version: v1
  module: acting@1
  heartbeat_timeout: 6
  start_to_close_timeout: 60
  retry: {max_attempts: 20, backoff: 1s, max_backoff: 4s, on: [timeout, acting.flaky, cpe.payload.unreachable, cpe.module.unavailable]}
steps:
"#;

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Success,
    Flaky,
    Fail,
    Signal,
    List,
    Child,
    Long,
    Cancel,
}

impl Kind {
    pub(super) const ALL: [Self; 8] = [
        Self::Success,
        Self::Flaky,
        Self::Fail,
        Self::Signal,
        Self::List,
        Self::Child,
        Self::Long,
        Self::Cancel,
    ];

    pub(super) fn plan(self) -> &'static str {
        match self {
            Self::Success => "Success",
            Self::Flaky => "Flaky",
            Self::Fail => "Fail",
            Self::Signal => "Signal",
            Self::List => "List",
            Self::Child => "Child",
            Self::Long => "Long",
            Self::Cancel => "Cancel",
        }
    }

    pub(super) fn ends(self) -> Vec<&'static str> {
        match self {
            Self::Fail => vec!["JOB_FAILED"],
            Self::Cancel => vec!["JOB_CANCELED"],
            _ => vec!["JOB_COMPLETED"],
        }
    }

    fn steps(self) -> &'static str {
        match self {
            Self::Success => {
                r#"
- {name: A, activity: Do, input: '{"do": "echo", "value": 1}'}
- {name: B, activity: Do, requires: [[A, succeeded]], input: '{"do": "beat", "seconds": 3}'}
"#
            }
            Self::Flaky => {
                r#"
- {name: A, activity: Do, input: '{"do": "flaky", "times": 2}'}
"#
            }
            Self::Fail => {
                r#"
- {name: A, activity: Do, input: '{"do": "echo", "value": 1}'}
- {name: B, activity: Do, requires: [[A, succeeded]], input: '{"do": "fail"}'}
finally:
- {name: C, activity: Do, input: '{"do": "echo", "value": 2}'}
"#
            }
            Self::Signal => {
                r#"
- {name: Go, signal: go}
- {name: A, activity: Do, requires: [[Go, succeeded]], input: '{"do": "echo", "value": {{ Go }}}'}
"#
            }
            Self::List => {
                r#"
- {name: A, activity: Do, foreach: "{{ [1, 2, 3, 4, 5] }}", max_parallel: 2, input: '{"do": "echo", "value": {{ item }}}'}
"#
            }
            Self::Child => {
                r#"
- {name: A, plan: {name: Success, version: "1"}, timeout: 1h, input: '{}'}
"#
            }
            Self::Long => {
                r#"
- {name: A, activity: Do, input: '{"do": "long"}'}
- {name: B, activity: Do, requires: [[A, succeeded]], input: '{"do": "echo", "value": {{ A }}}'}
"#
            }
            Self::Cancel => {
                r#"
- {name: A, activity: Do, input: '{"do": "wait"}'}
finally:
- {name: C, activity: Do, input: '{"do": "echo", "value": 2}'}
"#
            }
        }
    }
}

pub(super) fn all() -> Vec<String> {
    let plan = |kind: Kind| format!("name: {}{ACTIVITIES}{}", kind.plan(), kind.steps());
    Kind::ALL.map(|kind| plan(kind).replace("steps:\n\n", "steps:\n")).into()
}
