//! What requests have in common: numbers that may come as text, lists that may be missing.

use std::{fmt, ops::RangeInclusive};

use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

use crate::sqs::{QueueName, SqsFault, attributes::check_range, names::Shown};

/// A whole number. In the query protocol everything is text.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    struct Number;

    impl Visitor<'_> for Number {
        type Value = Option<i64>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number")
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
            // Whatever is too large for this is too large for every parameter.
            Ok(Some(i64::try_from(number).unwrap_or(i64::MAX)))
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
            Ok(Some(number))
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            let number = text
                .parse::<i64>()
                .map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))?;
            self.visit_i64(number)
        }

        fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
    }

    deserializer.deserialize_any(Number)
}

/// Checks a number that may be missing.
pub(super) fn in_range(
    name: &str,
    value: Option<i64>,
    range: RangeInclusive<u32>,
) -> Result<Option<u32>, SqsFault> {
    let Some(value) = value else { return Ok(None) };
    check_range(value, &range).map(Some).ok_or_else(|| {
        let (least, most) = range.into_inner();
        SqsFault::invalid(format!(
            "Value {value} for parameter {name} is invalid. Reason: Must be between {least} and {most}, if provided."
        ))
    })
}

/// The queue that an ARN in a request names.
pub(super) fn queue_of_arn(parameter: &str, arn: &str) -> Result<QueueName, SqsFault> {
    QueueName::of_arn(arn).ok_or_else(|| {
        SqsFault::invalid(format!(
            "Value {} for parameter {parameter} is invalid. Reason: It must be of the form arn:aws:sqs:REGION:ACCOUNT:NAME.",
            Shown(arn)
        ))
    })
}

/// The parameter that nearly every operation has.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct OfQueue {
    queue_url: String,
}

impl OfQueue {
    pub(super) fn queue(&self) -> Result<QueueName, SqsFault> {
        QueueName::of_url(&self.queue_url)
    }
}
