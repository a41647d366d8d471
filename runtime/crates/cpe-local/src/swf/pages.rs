//! Paging: of lists that are in memory, and of histories.

use cpe_swf::{EventId, Fault, HistoryEvent, Timestamp, limits};

use super::{Call, EventRange, RunNo, Swf, token::PageToken};

/// What a request says about the page that it wants.
#[derive(Debug)]
pub(super) struct Ask<'a> {
    pub(super) kind: &'a str,
    pub(super) token: Option<&'a str>,
    pub(super) size: Option<u32>,
}

impl Ask<'_> {
    /// How many items the page has at most. Absent and 0 mean the most that SWF allows.
    pub(super) fn size(&self) -> usize {
        let size = self.size.filter(|size| *size > 0).unwrap_or(limits::PAGE_SIZE);
        usize::try_from(size).unwrap_or(usize::MAX)
    }
}

/// A page of a list in memory, by position: domains and types are few and seldom change.
pub(super) fn of_names<T, R>(
    now: Timestamp,
    ask: &Ask<'_>,
    items: Vec<T>,
    show: impl Fn(T) -> R,
) -> Result<(Vec<R>, Option<String>), Fault> {
    let start = match ask.token {
        None => 0,
        Some(token) => {
            let read = PageToken::read(ask.kind, "", token, now)?;
            read.numbers.first().and_then(|start| usize::try_from(*start).ok()).unwrap_or(0)
        }
    };
    let end = start.saturating_add(ask.size());
    let more = end < items.len();
    let page = items.into_iter().skip(start).take(ask.size()).map(show).collect();
    let next = more.then(|| {
        let numbers = vec![i64::try_from(end).unwrap_or(i64::MAX)];
        PageToken { issued: now, numbers }.write(ask.kind, "")
    });
    Ok((page, next))
}

/// A stretch of a history that is read page by page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    pub(super) first: EventId,
    pub(super) last: EventId,
    pub(super) reverse: bool,
}

impl Stretch {
    /// The part that fits on the page, and what is left.
    fn split(self, size: usize) -> (EventRange, Option<Self>) {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        let Self { first: EventId(first), last: EventId(last), reverse } = self;
        let whole = EventRange { first: self.first, last: self.last, reverse };
        if last - first < size {
            return (whole, None);
        }
        if reverse {
            let range = EventRange { first: EventId(last - size + 1), ..whole };
            (range, Some(Self { last: EventId(last - size), ..self }))
        } else {
            let range = EventRange { last: EventId(first + size - 1), ..whole };
            (range, Some(Self { first: EventId(first + size), ..self }))
        }
    }

    /// The numbers that a page token carries for it.
    pub(super) fn numbers(self) -> [i64; 3] {
        [self.first.0, self.last.0, i64::from(self.reverse)]
    }

    pub(super) fn from_numbers(numbers: &[i64]) -> Option<Self> {
        match *numbers {
            [first, last, reverse] => {
                Some(Self { first: EventId(first), last: EventId(last), reverse: reverse != 0 })
            }
            _ => None,
        }
    }
}

impl Swf {
    /// One page of a history, from memory if the run is open, and what is left of it.
    pub(super) fn history_page(
        &self,
        call: &Call<'_>,
        no: RunNo,
        stretch: Stretch,
        size: usize,
    ) -> Result<(Vec<HistoryEvent>, Option<Stretch>), Fault> {
        let (range, rest) = stretch.split(size);
        let events = match self.runs.get(&no) {
            Some(run) => range.of(&run.events),
            None => call.archive.events(no, range)?,
        };
        Ok((events, rest))
    }
}
