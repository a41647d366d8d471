//! What a message may carry.

use expect_test::{Expect, expect};

use super::*;

fn value(data_type: &str, text: &str) -> AttributeValue {
    AttributeValue {
        data_type: data_type.to_owned(),
        string_value: Some(text.to_owned()),
        binary_value: None,
    }
}

fn with(attributes: MessageAttributes) -> Content {
    Content { message_id: "id".to_owned(), body: "body".to_owned(), attributes, trace_header: None }
}

fn check_one(name: &str, value: AttributeValue) -> Result<usize, SqsFault> {
    with(MessageAttributes::from([(name.to_owned(), value)])).check()
}

#[track_caller]
fn check(name: &str, value: AttributeValue, expect: Expect) {
    expect.assert_eq(&check_one(name, value).map_or_else(|fault| fault.message, |n| n.to_string()));
}

#[test]
fn names_types_and_values_count() {
    check("name", value("String", "value"), expect!["19"]);
    check("n", value("Number.java.lang.Long", "12"), expect!["28"]);
    let binary = AttributeValue {
        data_type: "Binary.png".to_owned(),
        string_value: None,
        binary_value: Some("AQID".to_owned()),
    };
    check("b", binary, expect!["18"]);
    let long = "x".repeat(1_048_577 - 4 - "name".len() - "String".len());
    check(
        "name",
        value("String", &long),
        expect![
            "One or more parameters are invalid. Reason: Message must be shorter than 1048576 bytes."
        ],
    );
    check("name", value("String", &long[1..]), expect!["1048576"]);
}

#[test]
fn names_that_sqs_refuses() {
    check(
        "öther",
        value("String", "x"),
        expect![
            "The message attribute name 'öther' is invalid. Attribute name can contain A-Z, a-z, 0-9, underscore (_), hyphen (-), and period (.) characters."
        ],
    );
    check(
        "AWS.x",
        value("String", "x"),
        expect![
            "The message attribute name 'AWS.x' is invalid. Attribute name must be 1 to 256 characters, must not start with AWS. or Amazon., and must not begin or end with a period (.) or have two of them in a row."
        ],
    );
    let long = "n".repeat(257);
    for name in ["", "amazon.x", ".a", "a.", "a..b", &long] {
        assert!(check_one(name, value("String", "x")).is_err(), "{name}");
    }
    check_one(&long[1..], value("String", "x")).unwrap();
    let many = (0..11).map(|n| (format!("n{n}"), value("String", "x"))).collect();
    expect!["InvalidParameterValueException: Number of message attributes [11] exceeds the allowed maximum [10]."]
        .assert_eq(&with(many).check().unwrap_err().to_string());
}

#[test]
fn types_and_values_that_sqs_refuses() {
    check(
        "t",
        value("InvalidNumber", "1"),
        expect![
            "The message attribute 't' has an invalid message attribute type, the set of supported type prefixes is Binary, Number, and String."
        ],
    );
    check(
        "t",
        value("", "1"),
        expect!["The message attribute 't' must contain non-empty message attribute type."],
    );
    check(
        "t",
        value("String.ä", "1"),
        expect![
            "The message attribute 't' has an invalid message attribute type: it can contain A-Z, a-z, 0-9, underscore (_), hyphen (-), and period (.) characters, at most 256."
        ],
    );
    check(
        "t",
        value("String", ""),
        expect![
            "The message attribute 't' must contain a non-empty value of its type 'String', and no other."
        ],
    );
    check(
        "t",
        value("Binary", "x"),
        expect![
            "The message attribute 't' must contain a non-empty value of its type 'Binary', and no other."
        ],
    );
    check(
        "t",
        value("Number", "12a"),
        expect!["Can't cast the value of message (user) attribute 't' to a number."],
    );
    assert_eq!(
        check_one("t", value("String", "\u{0}")).unwrap_err().kind,
        SqsFaultKind::InvalidMessageContents
    );
}

#[test]
fn numbers() {
    let nines = "9".repeat(38);
    for number in [
        "0",
        "-0.0",
        "+7",
        "1493147359900",
        "1.5",
        ".5",
        "5.",
        "1e126",
        "-1E-128",
        "0.0001e130",
        " 12 ",
        &nines,
        &format!("000{nines}000"),
        "0e9999",
    ] {
        assert!(is_number(number), "{number}");
    }
    for wrong in [
        "",
        "-",
        ".",
        "e5",
        "1e",
        "NaN",
        "inf",
        "infinity",
        "0x1f",
        "1_000",
        "1e127",
        "1e-129",
        "1e99999999",
        "--1",
        "1.2.3",
        "١",
        &format!("{nines}1"),
    ] {
        assert!(!is_number(wrong), "{wrong}");
    }
}
