//! `retry`, of an activity or of a step.

use std::time::Duration;

use super::{did_you_mean, keys::Mapping, measure::duration};
use crate::{
    document::Node,
    error::Problems,
    model::{Ending, ReasonPattern, Retry},
};

pub(super) const KEYS: [&str; 7] =
    ["max_attempts", "backoff", "factor", "max_backoff", "jitter", "on", "not_on"];

const ATTEMPTS: u32 = 3;
const MAX_ATTEMPTS: u32 = 100;
const BACKOFF: Duration = Duration::from_secs(2);
const FACTOR: f64 = 2.0;
const MAX_BACKOFF: Duration = Duration::from_secs(300);
const JITTER: f64 = 0.2;
const MAX_PATTERNS: usize = 100;

pub(super) fn retry(mapping: &Mapping<'_>, problems: &mut Problems<'_>) -> Option<Retry> {
    let node = mapping.get("retry")?;
    let retry = Mapping::required(node, "`retry`", problems)?;
    retry.check_keys(&KEYS, problems);
    let max_attempts = retry.count("max_attempts", 1..=MAX_ATTEMPTS, problems);
    let backoff = wait(&retry, "backoff", problems);
    let factor = number(&retry, "factor", (1.0, 10.0), problems);
    let max_backoff = wait(&retry, "max_backoff", problems);
    let jitter = number(&retry, "jitter", (0.0, 1.0), problems);
    let on = patterns(&retry, "on", problems).unwrap_or_else(|| {
        vec![ReasonPattern::Ending(Ending::TimedOut), ReasonPattern::Ending(Ending::Failed)]
    });
    let not_on = patterns(&retry, "not_on", problems).unwrap_or_default();
    let backoff = backoff.unwrap_or(BACKOFF);
    if max_backoff.is_some_and(|longest| longest < backoff) {
        let at = retry.get("max_backoff").map_or(node.at, |node| node.at);
        problems.add(at, "`max_backoff` is shorter than `backoff`");
    }
    Some(Retry {
        max_attempts: max_attempts.unwrap_or(ATTEMPTS),
        backoff,
        factor: factor.unwrap_or(FACTOR),
        max_backoff: max_backoff.unwrap_or(MAX_BACKOFF.max(backoff)),
        jitter: jitter.unwrap_or(JITTER),
        on,
        not_on,
    })
}

/// Up to a day: whoever waits longer waits for something, which `signal` and `wait` say better.
fn wait(mapping: &Mapping<'_>, key: &str, problems: &mut Problems<'_>) -> Option<Duration> {
    let wait = duration(mapping, key, problems)?;
    if wait > Duration::from_secs(86_400) {
        let at = mapping.get(key).map_or(mapping.at(), |node| node.at);
        problems.add(at, format!("`{key}` is at most 24h"));
    }
    Some(wait)
}

fn number(
    mapping: &Mapping<'_>,
    key: &str,
    (from, to): (f64, f64),
    problems: &mut Problems<'_>,
) -> Option<f64> {
    let node = mapping.get(key)?;
    let number = node.as_scalar_text().and_then(|text| text.parse::<f64>().ok());
    let number = number.filter(|number| (from..=to).contains(number));
    if number.is_none() {
        problems.add(node.at, format!("`{key}` is a number from {from} to {to}"));
    }
    number
}

fn patterns(
    mapping: &Mapping<'_>,
    key: &str,
    problems: &mut Problems<'_>,
) -> Option<Vec<ReasonPattern>> {
    let list = mapping.list(key, problems)?;
    if list.len() > MAX_PATTERNS {
        problems.add(mapping.at(), format!("`{key}` has over {MAX_PATTERNS} entries"));
        return None;
    }
    Some(list.iter().filter_map(|node| pattern(node, problems)).collect())
}

fn pattern(node: &Node, problems: &mut Problems<'_>) -> Option<ReasonPattern> {
    let text = node.as_scalar_text().unwrap_or_default();
    match text {
        "timeout" => return Some(ReasonPattern::Ending(Ending::TimedOut)),
        "failed" => return Some(ReasonPattern::Ending(Ending::Failed)),
        "canceled" => return Some(ReasonPattern::Ending(Ending::Canceled)),
        _ => {}
    }
    let length = text.chars().count();
    let valid = (1..=256).contains(&length) && !text.chars().any(char::is_whitespace);
    if !valid {
        problems.add_with_hint(
            node.at,
            "this is no reason",
            "such as media.undecodable or media.*, or one of the words timeout, failed, canceled",
        );
        return None;
    }
    // A single word is a reason as well, but one that is nearly a word here is a typing mistake.
    if !text.contains(['.', '*', '_', '-'])
        && let hint = did_you_mean(text, ["timeout", "failed", "canceled"], "words")
        && hint.starts_with("did you mean")
    {
        problems.add_with_hint(node.at, format!("`{text}` is no word that reasons have"), hint);
        return None;
    }
    Some(ReasonPattern::Glob(text.to_owned()))
}
