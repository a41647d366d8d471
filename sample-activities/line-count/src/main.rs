//! A plain program: it knows nothing of CPE. The text comes on stdin, as JSON or as it is; the
//! answer goes to stdout; `UNIT` in the environment says what is counted; and a text that is none
//! is a failure, with the reason on stderr.

use std::{
    io::{Read, Write},
    process::ExitCode,
};

fn main() -> ExitCode {
    let unit = std::env::var("UNIT").unwrap_or_else(|_| "lines".to_owned());
    let mut input = Vec::new();
    let read = std::io::stdin().read_to_end(&mut input).map_err(|error| error.to_string());
    match read.and_then(|_| count(&input, &unit)) {
        Ok(count) => {
            let answer = serde_json::json!({ "unit": unit, "count": count });
            match writeln!(std::io::stdout(), "{answer}") {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            }
        }
        Err(why) => {
            eprintln!("line-count: {why}");
            ExitCode::FAILURE
        }
    }
}

fn count(input: &[u8], unit: &str) -> Result<usize, String> {
    let text = std::str::from_utf8(input).map_err(|error| error.to_string())?;
    let text = match serde_json::from_str(text) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(serde_json::Value::Null) => return Err("there is no text".to_owned()),
        Ok(_) | Err(_) => text.to_owned(),
    };
    match unit {
        "lines" => Ok(text.lines().count()),
        "words" => Ok(text.split_whitespace().count()),
        other => Err(format!("UNIT is `{other}`: lines or words")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_it_is_asked_to() {
        assert_eq!(count(br#""one two\nthree""#, "lines"), Ok(2));
        assert_eq!(count(br#""one two\nthree""#, "words"), Ok(3));
        assert_eq!(count(b"plain text", "words"), Ok(2));
        assert!(count(b"null", "lines").is_err());
        assert!(count(b"\xff", "lines").is_err());
        assert!(count(b"x", "pages").is_err());
    }
}
