//! What a worker notes behind the result or the details that it answers an activity task with:
//! SWF's history has no other place for it. The text comes first, then, on a line of its own,
//! `{"cpe.note":…}`.

use crate::event::{ActivityTaskCanceled, ActivityTaskCompleted, ActivityTaskFailed};

/// Characters of a note with its line, at most.
pub const MAX_NOTE_CHARS: usize = 2_048;

const BEGINNING: &str = "\n{\"cpe.note\":";

/// A text with a note: JSON of one line. A note that is too long, or has several lines, is left
/// away.
///
/// Where a text ends like a note itself, only one behind it keeps it from being taken for one:
/// whoever runs what it does not trust always adds one.
pub fn with_note(mut text: String, note: &str) -> String {
    if BEGINNING.len() + note.chars().count() < MAX_NOTE_CHARS && !note.contains('\n') {
        text.push_str(BEGINNING);
        text.push_str(note);
        text.push('}');
    }
    text
}

/// The note behind a text, if there is one.
pub fn note_of(text: &str) -> Option<&str> {
    split(text).1
}

/// The text, and the note behind it.
pub(crate) fn split(text: &str) -> (&str, Option<&str>) {
    let noted = || {
        let (before, line) = text.split_at(text.rfind('\n')?);
        let note = line.strip_prefix(BEGINNING)?.strip_suffix('}')?;
        (line.len() <= MAX_NOTE_CHARS * 4).then_some((before, Some(note)))
    };
    noted().unwrap_or((text, None))
}

/// Puts another text before the note.
pub(crate) fn replace(place: &mut String, mut text: String) {
    let (before, _) = split(place);
    text.push_str(place.get(before.len()..).unwrap_or_default());
    *place = text;
}

macro_rules! noted {
    ($($event:ident $field:ident $what:literal)*) => {
        $(impl $event {
            #[doc = concat!($what, ", without the worker's note.")]
            pub fn $field(&self) -> Option<&str> {
                self.$field.as_deref().map(|text| split(text).0)
            }

            /// What CPE's worker noted behind it: JSON.
            pub fn note(&self) -> Option<&str> {
                split(self.$field.as_deref()?).1
            }
        })*
    };
}

noted! {
    ActivityTaskCompleted result "The result"
    ActivityTaskFailed details "The details"
    ActivityTaskCanceled details "The details"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EventId;

    fn completed(result: &str) -> ActivityTaskCompleted {
        let result = Some(result.to_owned());
        ActivityTaskCompleted {
            result,
            scheduled_event_id: EventId(5),
            started_event_id: EventId(6),
        }
    }

    #[track_caller]
    fn check(text: &str, note: &str) {
        let event = completed(&with_note(text.to_owned(), note));
        assert_eq!((event.result(), event.note()), (Some(text), Some(note)));
    }

    #[test]
    fn a_note_is_read_as_it_was_written() {
        check("{\"words\": 3}", "{\"cpuMs\":1}");
        check("", "1");
        check("two\nlines\n", "{}");
        // A guest that writes a note of its own has written a text.
        check("3\n{\"cpe.note\":{\"cpuMs\":0}}", "{\"cpuMs\":9}");
    }

    #[test]
    fn what_is_nearly_a_note_is_text() {
        for text in ["3", "3\n", "{\"cpe.note\":1}", "3\n {\"cpe.note\":1}", "3\n{\"cpe.note\":1"] {
            let event = completed(text);
            assert_eq!((event.result(), event.note()), (Some(text), None), "{text:?}");
        }
        for note in ["\"a\nb\"", &"9".repeat(MAX_NOTE_CHARS)] {
            assert_eq!(with_note("3".to_owned(), note), "3");
        }
    }

    #[test]
    fn a_text_is_replaced_before_its_note() {
        let mut text = with_note("long".to_owned(), "7");
        replace(&mut text, "short".to_owned());
        assert_eq!(text, with_note("short".to_owned(), "7"));
        replace(&mut text, "3\n{\"cpe.note\":1}".to_owned());
        assert_eq!(split(&text), ("3\n{\"cpe.note\":1}", Some("7")));
    }
}
