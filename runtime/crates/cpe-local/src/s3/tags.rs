//! The tags of objects and buckets, and what S3 allows of them.

use std::collections::BTreeMap;

use super::error::StoreError;

pub(crate) const OF_OBJECT: usize = 10;
pub(crate) const OF_BUCKET: usize = 50;
const MAX_NAME: usize = 128;
const MAX_VALUE: usize = 256;

pub(crate) type Tags = BTreeMap<String, String>;

/// Takes tags as a client gives them, at most so many.
pub(crate) fn checked(
    given: impl IntoIterator<Item = (String, String)>,
    most: usize,
) -> Result<Tags, StoreError> {
    let mut tags = Tags::new();
    for (name, value) in given {
        let fits =
            |text: &str, most: usize| text.chars().count() <= most && text.chars().all(is_allowed);
        if name.is_empty() || !fits(&name, MAX_NAME) {
            return Err(StoreError::InvalidTag("The TagKey you have provided is invalid"));
        }
        if !fits(&value, MAX_VALUE) {
            return Err(StoreError::InvalidTag("The TagValue you have provided is invalid"));
        }
        if name.to_ascii_lowercase().starts_with("aws:") {
            return Err(StoreError::InvalidTag(match most {
                OF_OBJECT => "Your TagKey cannot be prefixed with aws:",
                _ => "System tags cannot be added/updated by requester",
            }));
        }
        if tags.insert(name, value).is_some() {
            return Err(StoreError::InvalidTag("Cannot provide multiple Tags with the same key"));
        }
        if tags.len() > most {
            return Err(StoreError::TooManyTags(match most {
                OF_OBJECT => "Object tags cannot be greater than 10",
                _ => "Bucket tag count cannot be greater than 50",
            }));
        }
    }
    Ok(tags)
}

/// Takes the tags of the header `x-amz-tagging`.
pub(crate) fn of_header(header: &str) -> Result<Tags, StoreError> {
    let given = form_urlencoded::parse(header.as_bytes());
    checked(given.map(|(name, value)| (name.into_owned(), value.into_owned())), OF_OBJECT)
}

fn is_allowed(c: char) -> bool {
    c.is_alphanumeric() || c == ' ' || "+-=._:/@".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_has_tags_in_the_form_of_a_query() {
        let tags = of_header("colour=dark%20blue&empty=&a+b=%C3%A9").unwrap();
        let shown: Vec<_> = tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(shown, ["a b=\u{e9}", "colour=dark blue", "empty="]);
        assert_eq!(of_header("").unwrap(), Tags::new());
    }

    #[test]
    fn what_no_tag_may_be_is_refused() {
        let code = |header: &str| of_header(header).map_or_else(|error| error.code(), |_| "fine");
        assert_eq!(code("=v"), "InvalidTag");
        assert_eq!(code("a=1&a=2"), "InvalidTag");
        assert_eq!(code("aws:a=1"), "InvalidTag");
        assert_eq!(code("a=%3C"), "InvalidTag");
        assert_eq!(code(&format!("{}=v", "k".repeat(128))), "fine");
        assert_eq!(code(&format!("{}=v", "k".repeat(129))), "InvalidTag");
        assert_eq!(code(&format!("k={}", "v".repeat(257))), "InvalidTag");
        let many = |count: usize| (0..count).map(|n| format!("t{n}=v&")).collect::<String>();
        assert_eq!(code(many(10).trim_end_matches('&')), "fine");
        assert_eq!(code(many(11).trim_end_matches('&')), "BadRequest");
    }
}
