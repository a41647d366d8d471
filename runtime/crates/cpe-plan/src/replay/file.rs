//! A history in a file, as `aws swf get-workflow-execution-history` prints it.

use cpe_swf::{HistoryEvent, limits};
use serde_json::Value;

/// Reads `{"events": [...]}`, or the list alone. Times are seconds, as SWF sends them, or texts
/// such as `2015-07-21T02:47:38.908000+02:00`, as the command line prints them.
///
/// # Errors
///
/// What is wrong, and in which event.
pub fn read_history(text: &str) -> Result<Vec<HistoryEvent>, String> {
    let file: Value =
        serde_json::from_str(text).map_err(|error| format!("the history is not JSON: {error}"))?;
    let events = match file {
        Value::Object(mut file) => file.remove("events").ok_or("the history has no `events`")?,
        list => list,
    };
    let Value::Array(events) = events else {
        return Err("`events` is to be a list of events".to_owned());
    };
    if events.len() > limits::HISTORY_EVENTS {
        let most = limits::HISTORY_EVENTS;
        return Err(format!("the history has {} events, of at most {most}", events.len()));
    }
    let mut history: Vec<HistoryEvent> = Vec::with_capacity(events.len());
    for (index, mut event) in events.into_iter().enumerate() {
        let place = index + 1;
        if let Some(time) = event.get_mut("eventTimestamp")
            && let Some(text) = time.as_str()
        {
            let seconds = seconds(text)
                .ok_or_else(|| format!("`eventTimestamp` of event {place} is no time: `{text}`"))?;
            *time = seconds.into();
        }
        let event = serde_json::from_value(event)
            .map_err(|error| format!("event {place} of the history: {error}"))?;
        history.push(event);
    }
    if history.windows(2).any(|pair| matches!(pair, [a, b] if a.event_id >= b.event_id)) {
        // As `--reverse-order` prints it.
        history.reverse();
    }
    let place = history
        .iter()
        .zip(1..)
        .find(|(event, place)| event.event_id.0 != *place)
        .map(|(_, place)| place);
    match (history.is_empty(), place) {
        (true, _) => Err("the history has no events".to_owned()),
        (_, Some(place)) => Err(format!(
            "event {place} is missing from the history: it must be whole, from event 1 on, so \
             print it without `--max-items`"
        )),
        _ => Ok(history),
    }
}

/// Seconds since the epoch.
fn seconds(text: &str) -> Option<f64> {
    if let Ok(seconds) = text.parse::<f64>() {
        return seconds.is_finite().then_some(seconds);
    }
    let (date, time) = text.split_once(['T', ' '])?;
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (clock, offset) = match time.find(['Z', '+', '-']) {
        Some(at) => (time.get(..at)?, offset(time.get(at..)?)?),
        None => (time, 0),
    };
    let mut clock = clock.splitn(3, ':');
    let hour: i64 = clock.next()?.parse().ok()?;
    let minute: i64 = clock.next()?.parse().ok()?;
    let second: f64 = clock.next().unwrap_or("0").parse().ok()?;
    let valid = (1..=9_999).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0.0..61.0).contains(&second);
    let whole = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 - offset;
    valid.then_some(whole as f64 + second)
}

/// `Z`, `+02:00`, `-0700`.
fn offset(text: &str) -> Option<i64> {
    if text == "Z" {
        return Some(0);
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let number: i64 = digits.parse().ok().filter(|_| digits.len() == 4)?;
    Some(sign * (number / 100 * 3_600 + number % 100 * 60))
}

/// Days from 1970-01-01, in the Gregorian calendar, whose years are taken to begin in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month = (month + 9) % 12;
    let of_year = (153 * month + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + of_year
        - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_each_form() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0.0),
            ("1437437258.9", 1_437_437_258.9),
            ("2015-07-21T02:47:38.908000+02:00", 1_437_439_658.908),
            ("2015-07-20T17:47:38.908000-0700", 1_437_439_658.908),
            ("2000-02-29T12:00:00", 951_825_600.0),
            ("2000-03-01 00:00:00+00:00", 951_868_800.0),
        ] {
            assert_eq!(seconds(text), Some(expected), "{text}");
        }
        for text in ["", "soon", "2015-07-21", "2015-13-01T00:00:00Z", "2015-01-01T25:00Z", "nan"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_history_is_told() {
        let event = |id: i64| {
            format!(
                "{{\"eventId\": {id}, \"eventTimestamp\": \"2015-07-21T02:47:38Z\", \
                 \"eventType\": \"DecisionTaskStarted\", \
                 \"decisionTaskStartedEventAttributes\": {{\"scheduledEventId\": 1}}}}"
            )
        };
        let list = |ids: &[i64]| {
            let events: Vec<_> = ids.iter().map(|id| event(*id)).collect();
            read_history(&format!("{{\"events\": [{}]}}", events.join(",")))
        };
        assert_eq!(list(&[1, 2, 3]).unwrap().len(), 3);
        assert_eq!(list(&[3, 2, 1]), list(&[1, 2, 3]));
        assert!(list(&[2, 3]).unwrap_err().contains("event 1 is missing"));
        assert!(list(&[]).unwrap_err().contains("no events"));
        assert!(read_history("{}").unwrap_err().contains("no `events`"));
        assert!(read_history("[{}]").unwrap_err().contains("event 1 of the history"));
        assert!(read_history("x").unwrap_err().contains("not JSON"));
    }
}
