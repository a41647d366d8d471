//! Lengths of time as people write them in tests: `3h`, `1d12h`, `2h30m10s`, `500ms`.

use std::time::Duration;

const UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
/// Longer than anything that SWF lets last, with everything that may follow it.
const MAX_MILLIS: u64 = 10 * 366 * 86_400_000;

/// Reads a length of time: numbers with units, the largest first, or a number of seconds.
pub fn parse_length(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<u64>() {
        return seconds.checked_mul(1_000).and_then(bounded);
    }
    let mut rest = text;
    let mut millis: u64 = 0;
    let mut units = UNITS.iter();
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (number, after) = rest.split_at_checked(digits)?;
        let letters = after.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(after.len());
        let (unit, after) = after.split_at_checked(letters)?;
        // Each unit once, and no larger one after it.
        let (_, scale) = units.find(|(name, _)| *name == unit)?;
        millis = millis.checked_add(number.parse::<u64>().ok()?.checked_mul(*scale)?)?;
        rest = after;
    }
    (!text.is_empty()).then_some(millis).and_then(bounded)
}

fn bounded(millis: u64) -> Option<Duration> {
    (millis <= MAX_MILLIS).then(|| Duration::from_millis(millis))
}

/// Writes a length of time so that it reads the same.
pub fn show_length(length: Duration) -> String {
    let mut left = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, scale) in UNITS {
        let count = left / scale;
        left %= scale;
        if count > 0 {
            text.push_str(&format!("{count}{unit}"));
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_as_they_write() {
        for text in ["0s", "3h", "1d12h", "2h30m10s", "1s500ms", "365d"] {
            assert_eq!(parse_length(text).map(show_length).as_deref(), Some(text));
        }
        assert_eq!(parse_length("90").map(show_length).as_deref(), Some("1m30s"));
        assert_eq!(parse_length("36h").map(show_length).as_deref(), Some("1d12h"));
        for text in ["", "h", "3", "1h2d", "1h1h", "3 h", "-1s", "3H", "1.5h", "99999999999d"] {
            assert_eq!(parse_length(text).is_some(), text == "3", "{text}");
        }
    }
}
