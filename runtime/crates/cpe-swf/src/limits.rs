//! What SWF allows. Lengths count characters.
//!
//! Source: "Amazon SWF quotas" in the developer guide, and the service model.

/// Events of one history, before SWF terminates the execution.
pub const HISTORY_EVENTS: usize = 25_000;
/// Input, result, details, control, signal input, execution context.
pub const DATA_CHARS: usize = 32_768;
/// The reason of a failure or a termination.
pub const REASON_CHARS: usize = 256;
/// Details of a heartbeat.
pub const HEARTBEAT_DETAILS_CHARS: usize = 2_048;
/// Identity of a poller.
pub const IDENTITY_CHARS: usize = 256;
/// Workflow ids, activity ids, timer ids, names of types, domains and task lists.
pub const ID_CHARS: usize = 256;
/// Versions of types.
pub const VERSION_CHARS: usize = 64;
/// Tags of one execution, and the length of each.
pub const TAGS: usize = 5;
pub const TAG_CHARS: usize = 256;
/// Open activity tasks of one execution; the same for timers and for children.
pub const OPEN_ACTIVITY_TASKS: usize = 1_000;
pub const OPEN_TIMERS: usize = 1_000;
pub const OPEN_CHILDREN: usize = 1_000;
/// Items of one page of a history or a list.
pub const PAGE_SIZE: u32 = 1_000;
/// Bytes of one request.
pub const REQUEST_BYTES: usize = 1_000_000;
/// How long SWF holds a poll that finds nothing.
pub const LONG_POLL: std::time::Duration = std::time::Duration::from_secs(60);

/// The first character of `id` that SWF refuses in an id or a name, if any.
///
/// Refused are `:`, `/`, `|`, control characters, and an id that is the text `arn` and nothing
/// else: "it must not be the literal string arn", as the API reference says of every id and name.
/// (Older editions said "contain"; an id such as `learn` is accepted.)
pub fn forbidden_in_id(id: &str) -> Option<String> {
    if id == "arn" {
        return Some("arn".to_owned());
    }
    id.chars()
        .find(|c| matches!(c, ':' | '/' | '|' | '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}'))
        .map(String::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_refused_as_documented() {
        for (id, refused) in [
            ("a:b", ":"),
            ("a/b|c", "/"),
            ("|", "|"),
            ("a\u{1f}", "\u{1f}"),
            ("\u{7f}", "\u{7f}"),
            ("\u{9f}", "\u{9f}"),
            ("arn", "arn"),
        ] {
            assert_eq!(forbidden_in_id(id).as_deref(), Some(refused));
        }
        for id in ["learn", "arn.x", "ARN", "a\\b", "ü", "a b", "\u{a0}"] {
            assert_eq!(forbidden_in_id(id), None, "{id}");
        }
    }
}
