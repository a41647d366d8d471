//! What a step's work is called in SWF: one call for each step, or for each item of a `foreach`,
//! and in it attempts.
//!
//! The first attempt of a step has the step's name for its id, as in 2015; later ones and items
//! add to it: `Step#2`, `Step[17]`, `Step[17]#2`.

/// A step, and an item of its list; the item is 0 where there is no list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CallKey {
    pub(crate) step: usize,
    pub(crate) item: usize,
}

/// What an activity's id says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ActivityIdParts<'i> {
    /// The step's name.
    pub step: &'i str,
    /// Of a `foreach`, which item; from 0.
    pub item: Option<usize>,
    /// From 1.
    pub attempt: u32,
}

/// Takes an activity id apart: `Step[17]#2` is the second attempt of the item 17 of `Step`. An
/// id of another form is a step's name.
pub fn parse_activity_id(id: &str) -> ActivityIdParts<'_> {
    let (rest, attempt) = match id.rsplit_once('#') {
        Some((rest, digits)) => match number(digits) {
            Some(attempt) if attempt >= 2 && !rest.is_empty() => (rest, attempt),
            _ => (id, 1),
        },
        None => (id, 1),
    };
    let item = rest
        .strip_suffix(']')
        .and_then(|rest| rest.rsplit_once('['))
        .filter(|(step, _)| !step.is_empty())
        .and_then(|(step, digits)| Some((step, number(digits)?)));
    match item {
        Some((step, item)) => ActivityIdParts { step, item: usize::try_from(item).ok(), attempt },
        None => ActivityIdParts { step: rest, item: None, attempt },
    }
}

/// A number as it is printed: another way to write it is another id.
fn number(digits: &str) -> Option<u32> {
    let number: u32 = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_come_apart() {
        for (id, step, item, attempt) in [
            ("Step", "Step", None, 1),
            ("Step#2", "Step", None, 2),
            ("Step[17]", "Step", Some(17), 1),
            ("Step[17]#12", "Step", Some(17), 12),
            ("Step#1", "Step#1", None, 1),
            ("Step#02", "Step#02", None, 1),
            ("Step[x]", "Step[x]", None, 1),
            ("Step[007]", "Step[007]", None, 1),
            ("#2", "#2", None, 1),
            ("[1]", "[1]", None, 1),
            ("", "", None, 1),
            ("a[1][2]#3", "a[1]", Some(2), 3),
        ] {
            assert_eq!(parse_activity_id(id), ActivityIdParts { step, item, attempt }, "{id}");
        }
    }
}
