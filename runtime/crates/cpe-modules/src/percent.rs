//! Percentages as people write them, and which executions a share of them takes.

use std::{fmt, str::FromStr};

use cpe_sandbox::Digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Hundredths of a percent in the whole.
const WHOLE: u16 = 10_000;

/// From 0% to 100%, in hundredths of a percent: `10%`, `0.25%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(u16);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no percentage: expected 0% to 100%, with at most two digits after the point, such \
     as 10%"
)]
pub struct ParsePercentError(String);

impl Percent {
    pub const ALL: Self = Self(WHOLE);
    pub const NONE: Self = Self(0);

    pub(crate) const fn of(whole: u16) -> Self {
        Self(whole * 100)
    }

    pub(crate) fn fraction(self) -> f64 {
        f64::from(self.0) / f64::from(WHOLE)
    }

    /// Whether an execution is among them. What `candidate` is makes another draw for each
    /// candidate; for one, whoever is in a share is in every larger one too.
    pub fn takes(self, execution: &str, candidate: &Digest) -> bool {
        let drawn = Digest::of(format!("{candidate}\n{execution}").as_bytes());
        let drawn = drawn.hex().get(..16).and_then(|hex| u64::from_str_radix(hex, 16).ok());
        let place = (u128::from(drawn.unwrap_or_default()) * u128::from(WHOLE)) >> 64;
        place < u128::from(self.0)
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 100, self.0 % 100);
        match rest {
            0 => write!(f, "{whole}%"),
            _ if rest.is_multiple_of(10) => write!(f, "{whole}.{}%", rest / 10),
            _ => write!(f, "{whole}.{rest:02}%"),
        }
    }
}

impl FromStr for Percent {
    type Err = ParsePercentError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || ParsePercentError(text.chars().take(40).collect());
        let number = text.strip_suffix('%').ok_or_else(refused)?;
        let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str, most: usize| {
            let fits = (1..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<u16>().ok().filter(|_| fits)
        };
        let whole = digits(whole, 3).ok_or_else(refused)?;
        let tens = if rest.len() == 1 { 10 } else { 1 };
        let rest = digits(rest, 2).ok_or_else(refused)? * tens;
        Some(whole * 100 + rest).filter(|all| *all <= WHOLE).map(Self).ok_or_else(refused)
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(text: &str) -> Percent {
        text.parse().unwrap()
    }

    #[test]
    fn reads_what_it_writes() {
        for text in ["0%", "10%", "0.25%", "12.5%", "0.01%", "0.05%", "100%"] {
            assert_eq!(percent(text).to_string(), text);
        }
        assert_eq!(percent("5.50%").to_string(), "5.5%");
        for wrong in ["", "%", "10", "0.1", "101%", "100.01%", "-1%", "1.234%", "1.%", ".5%", "+1%"]
        {
            assert!(wrong.parse::<Percent>().is_err(), "{wrong}");
        }
    }

    /// Of ten thousand executions.
    fn taken(share: &str, candidate: &Digest) -> Vec<bool> {
        (0..10_000).map(|n| percent(share).takes(&format!("client.job-{n}"), candidate)).collect()
    }

    fn count(taken: &[bool]) -> usize {
        taken.iter().filter(|taken| **taken).count()
    }

    #[test]
    fn a_tenth_is_a_tenth_and_stays_the_same() {
        let candidate = Digest::of(b"one");
        let tenth = taken("10%", &candidate);
        // Four standard deviations of a fair draw are 120.
        assert!((880..=1120).contains(&count(&tenth)), "{}", count(&tenth));
        assert_eq!(tenth, taken("10%", &candidate));
        // Another candidate is tried by others.
        let other = taken("10%", &Digest::of(b"two"));
        let both = tenth.iter().zip(&other).filter(|(one, two)| **one && **two).count();
        assert!((50..=150).contains(&both), "{both}");
    }

    #[test]
    fn a_larger_share_has_all_of_the_smaller_one() {
        let candidate = Digest::of(b"one");
        let shares = ["0%", "0.5%", "1%", "10%", "50%", "99.99%", "100%"];
        let all = shares.map(|share| taken(share, &candidate));
        for (smaller, larger) in all.iter().zip(all.iter().skip(1)) {
            assert!(smaller.iter().zip(larger).all(|(small, large)| !small || *large));
        }
        assert_eq!((count(&all[0]), count(&all[6])), (0, 10_000));
    }
}
