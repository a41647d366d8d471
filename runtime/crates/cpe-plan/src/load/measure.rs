//! Sizes and durations: a number and a unit.

use std::time::Duration;

use super::keys::Mapping;
use crate::error::Problems;

/// A year: the longest that SWF lets anything last.
pub(super) const MAX_SECONDS: u32 = 31_536_000;

/// The bytes that a text such as `256MiB`, `1GiB`, `64KiB` or `1000` means, as in plans; never
/// none.
pub fn parse_size(text: &str) -> Option<u64> {
    measure(text, &[("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("B", 1), ("", 1)])
}

/// The time that a text such as `500ms`, `30s`, `10m`, `2h`, `7d` or `90` (seconds) means, as in
/// plans; never none.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let units =
        [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("", 1_000)];
    measure(text, &units).map(Duration::from_millis)
}

pub(super) fn size(mapping: &Mapping<'_>, key: &str, problems: &mut Problems<'_>) -> Option<u64> {
    let (text, at) = mapping.text(key, problems)?;
    let size = parse_size(text);
    if size.is_none() {
        problems.add_with_hint(at, format!("`{text}` is no size"), "such as 64KiB, 256MiB or 1GiB");
    }
    size
}

pub(super) fn duration(
    mapping: &Mapping<'_>,
    key: &str,
    problems: &mut Problems<'_>,
) -> Option<Duration> {
    let (text, at) = mapping.text(key, problems)?;
    let duration = parse_duration(text);
    if duration.is_none() {
        problems.add_with_hint(
            at,
            format!("`{text}` is no duration"),
            "such as 500ms, 30s, 10m, 2h or 7d",
        );
    }
    duration
}

/// As [`duration`], where SWF counts: whole seconds, up to a year.
pub(super) fn seconds(
    mapping: &Mapping<'_>,
    key: &str,
    problems: &mut Problems<'_>,
) -> Option<u32> {
    let duration = duration(mapping, key, problems)?;
    let whole = duration.subsec_millis() == 0;
    let seconds = u32::try_from(duration.as_secs()).ok();
    let seconds = seconds.filter(|seconds| whole && *seconds <= MAX_SECONDS);
    if seconds.is_none() {
        let at = mapping.get(key).map_or(mapping.at(), |node| node.at);
        problems.add_with_hint(
            at,
            format!("`{key}` is no time that SWF can measure"),
            "whole seconds, up to 365d",
        );
    }
    seconds
}

fn measure(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let (unit, scale) = units.iter().find(|(unit, _)| {
        text.strip_suffix(unit).is_some_and(|number| number.ends_with(|c: char| c.is_ascii_digit()))
    })?;
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    number.checked_mul(*scale).filter(|value| *value > 0)
}
