//! What requests have in common: numbers that may come as text, lists that may be missing.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};

use crate::sqs::{QueueName, SqsFault};

/// A whole number. In the query protocol everything is text.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    struct Number;

    impl Visitor<'_> for Number {
        type Value = Option<u32>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number")
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
            // Whatever is too large for this is too large for every parameter.
            Ok(Some(u32::try_from(number).unwrap_or(u32::MAX)))
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<Self::Value, E> {
            Ok(Some(u32::try_from(number).unwrap_or(u32::MAX)))
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
