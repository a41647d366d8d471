//! In what two JSON values differ, place by place. Pure.

use serde_json::Value;

/// Differences told of one value; more are not worth a reader's time.
const MAX_DIFFERENCES: usize = 20;
/// Characters of one value that are shown.
const MAX_SHOWN: usize = 300;

/// One line for each place at which they differ.
pub(super) fn differences(expected: &Value, actual: &Value) -> Vec<String> {
    let mut found = Found { lines: Vec::new(), more: 0 };
    found.compare(&mut String::new(), expected, actual);
    if found.more > 0 {
        found.lines.push(format!("and {} more", found.more));
    }
    found.lines
}

struct Found {
    lines: Vec<String>,
    more: usize,
}

impl Found {
    fn compare(&mut self, path: &mut String, expected: &Value, actual: &Value) {
        match (expected, actual) {
            (Value::Object(expected), Value::Object(actual)) => {
                for (key, value) in expected {
                    self.within(path, key, |found, path| match actual.get(key) {
                        Some(actual) => found.compare(path, value, actual),
                        None => found.add(path, &shown(value), "missing"),
                    });
                }
                for (key, value) in actual.iter().filter(|(key, _)| !expected.contains_key(*key)) {
                    self.within(path, key, |found, path| found.add(path, "nothing", &shown(value)));
                }
            }
            (Value::Array(expected), Value::Array(actual)) => {
                for (index, value) in expected.iter().enumerate() {
                    self.within(path, &index.to_string(), |found, path| match actual.get(index) {
                        Some(actual) => found.compare(path, value, actual),
                        None => found.add(path, &shown(value), "missing"),
                    });
                }
                for (index, value) in actual.iter().enumerate().skip(expected.len()) {
                    self.within(path, &index.to_string(), |found, path| {
                        found.add(path, "nothing", &shown(value));
                    });
                }
            }
            _ if same(expected, actual) => {}
            _ => self.add(path, &shown(expected), &shown(actual)),
        }
    }

    fn within(&mut self, path: &mut String, key: &str, look: impl FnOnce(&mut Self, &mut String)) {
        let length = path.len();
        path.push('/');
        path.push_str(&key.replace('~', "~0").replace('/', "~1"));
        look(self, path);
        path.truncate(length);
    }

    fn add(&mut self, path: &str, expected: &str, actual: &str) {
        if self.lines.len() == MAX_DIFFERENCES {
            self.more += 1;
            return;
        }
        let place = if path.is_empty() { String::new() } else { format!("{path}: ") };
        self.lines.push(format!("{place}expected {expected}, was {actual}"));
    }
}

/// `1` and `1.0` are the same number.
fn same(one: &Value, two: &Value) -> bool {
    match (one, two) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => one == two,
    }
}

pub(super) fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= MAX_SHOWN {
        return text;
    }
    text.chars().take(MAX_SHOWN).chain("…".chars()).collect()
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(expected: &Value, actual: &Value, golden: Expect) {
        golden.assert_eq(&differences(expected, actual).join("\n"));
    }

    #[test]
    fn every_place_is_told() {
        check(
            &json!({"a": 1, "b": [1, 2, {"c/d": null}], "gone": "x"}),
            &json!({"a": 1.0, "b": [1, 3, {"c/d": true}, 4], "new": [1]}),
            expect![[r#"
                /b/1: expected 2, was 3
                /b/2/c~1d: expected null, was true
                /b/3: expected nothing, was 4
                /gone: expected "x", was missing
                /new: expected nothing, was [1]"#]],
        );
        check(&json!(3), &json!("3"), expect![[r#"expected 3, was "3""#]]);
        check(
            &json!([]),
            &json!((0..25).collect::<Vec<_>>()),
            expect![[r#"
            /0: expected nothing, was 0
            /1: expected nothing, was 1
            /2: expected nothing, was 2
            /3: expected nothing, was 3
            /4: expected nothing, was 4
            /5: expected nothing, was 5
            /6: expected nothing, was 6
            /7: expected nothing, was 7
            /8: expected nothing, was 8
            /9: expected nothing, was 9
            /10: expected nothing, was 10
            /11: expected nothing, was 11
            /12: expected nothing, was 12
            /13: expected nothing, was 13
            /14: expected nothing, was 14
            /15: expected nothing, was 15
            /16: expected nothing, was 16
            /17: expected nothing, was 17
            /18: expected nothing, was 18
            /19: expected nothing, was 19
            and 5 more"#]],
        );
    }
}
