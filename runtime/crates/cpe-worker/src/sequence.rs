//! The numbers by which a client orders the events of a job, over all its runs.
//!
//! Within a run they are the ids of history events. A run that continues another begins with the
//! number after which its events come, in a tag that the decider gives it: so every process that
//! sees the run knows it, also where SWF ended the run itself.

use cpe_swf::{Decision, EventAttributes, HistoryEvent};

/// What the tag begins with.
const SEQ_TAG: &str = "seq:";
/// Between the last event that the decider knows and the first of the next run: room for what SWF
/// writes at the seam.
const SEAM: i64 = 16;

/// After which number the events of a run with these tags come.
pub(crate) fn base_of(tags: &[String]) -> i64 {
    let tag = tags.iter().find_map(|tag| tag.strip_prefix(SEQ_TAG));
    tag.and_then(|number| number.parse().ok()).filter(|base| *base >= 0).unwrap_or(0)
}

/// The same, of a history's first event; `None` of any other.
pub(crate) fn base_of_start(event: &HistoryEvent) -> Option<i64> {
    match &*event.attributes {
        EventAttributes::WorkflowExecutionStarted(started) => Some(base_of(&started.tag_list)),
        _ => None,
    }
}

/// Gives the next run its number, if the decisions continue this one. Everything here follows
/// from the history, so every decider comes to the same.
pub(crate) fn hand_on(decisions: &mut [Decision], base: i64, last_event: i64) {
    for decision in decisions {
        if let Decision::ContinueAsNewWorkflowExecution(next) = decision {
            let base = base.saturating_add(last_event).saturating_add(SEAM);
            next.tag_list.retain(|tag| !tag.starts_with(SEQ_TAG));
            next.tag_list.push(format!("{SEQ_TAG}{base}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use cpe_swf::decision::ContinueAsNewWorkflowExecution;

    use super::*;

    fn tags(tags: &[&str]) -> Vec<String> {
        tags.iter().map(|tag| (*tag).to_owned()).collect()
    }

    #[test]
    fn a_run_goes_on_where_the_one_before_stopped() {
        let mut base = 0;
        let mut tag_list = tags(&["client:c", "plan:sha256:x"]);
        for expected in [8_016, 16_032] {
            let next = ContinueAsNewWorkflowExecution {
                input: None,
                execution_start_to_close_timeout: None,
                task_list: None,
                task_priority: None,
                task_start_to_close_timeout: None,
                child_policy: None,
                tag_list,
                workflow_type_version: None,
                lambda_role: None,
            };
            let mut decisions = vec![Decision::from(next)];
            hand_on(&mut decisions, base, 8_000);
            let Some(Decision::ContinueAsNewWorkflowExecution(next)) = decisions.pop() else {
                panic!("it was one");
            };
            assert_eq!(next.tag_list.len(), 3);
            tag_list = next.tag_list;
            base = base_of(&tag_list);
            assert_eq!(base, expected);
        }
    }

    #[test]
    fn a_tag_that_is_no_number_counts_as_none() {
        for tag in ["seq:", "seq:x", "seq:-4", "seq:99999999999999999999"] {
            assert_eq!(base_of(&tags(&[tag])), 0, "{tag}");
        }
        assert_eq!(base_of(&tags(&["x", "seq:7"])), 7);
    }
}
