//! What an exported activity does around the author's function: JSON in, JSON out. The attribute
//! only delegates to it.

use serde::{Serialize, de::DeserializeOwned};

use crate::Failure;

/// Runs an activity on JSON text, as the exported component does.
///
/// # Errors
///
/// The activity's own failure; `cpe.bad-input` if `input` is not JSON of the activity's input
/// type, with the place in the details; `cpe.bad-output` if the output is not JSON.
pub fn run_json<I, O>(
    input: &str,
    activity: impl FnOnce(I) -> Result<O, Failure>,
) -> Result<String, Failure>
where
    I: DeserializeOwned,
    O: Serialize,
{
    let output = activity(parse(input)?)?;
    serde_json::to_string(&output).map_err(|error| Failure::permanent("cpe.bad-output", error))
}

fn parse<I: DeserializeOwned>(input: &str) -> Result<I, Failure> {
    let bad = |details: String| Failure::permanent("cpe.bad-input", details);
    let mut json = serde_json::Deserializer::from_str(input);
    let parsed = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        match error.inner() {
            inner if inner.is_syntax() || inner.is_eof() => bad(format!("not JSON: {inner}")),
            inner if path == "." => bad(format!("the input: {inner}")),
            inner => bad(format!("`{path}`: {inner}")),
        }
    })?;
    json.end().map_err(|error| bad(format!("not one JSON document: {error}")))?;
    Ok(parsed)
}
