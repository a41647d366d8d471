//! Each mistake that `#[activity]` tells, with the text that an author sees.

#[test]
fn mistakes_are_told_where_they_are() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/trybuild/good.rs");
    cases.compile_fail("tests/trybuild/bad_*.rs");
}
