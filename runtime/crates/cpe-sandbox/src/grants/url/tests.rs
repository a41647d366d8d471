use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

fn pattern(text: &str) -> UrlPattern {
    text.parse().unwrap()
}

#[track_caller]
fn check(text: &str, url: &str, covered: bool) {
    let target = Target::parse(url);
    assert_eq!(
        target.is_some_and(|target| pattern(text).covers(&target)),
        covered,
        "{text}: {url}"
    );
}

#[test]
fn scheme_host_port_and_path_must_fit() {
    let cdn = "https://cdn.example.com/a/*";
    check(cdn, "https://cdn.example.com/a/b", true);
    check(cdn, "https://CDN.example.com./a/b?c=d", true);
    check(cdn, "https://cdn.example.com:443/a/", true);
    for other in [
        "http://cdn.example.com/a/b",
        "https://cdn.example.com:8443/a/b",
        "https://cdn.example.com/b",
        "https://cdn.example.com/a",
        "https://example.com/a/b",
        "https://cdn.example.com.evil.test/a/b",
        "https://evil.test/https://cdn.example.com/a/b",
        "https://xcdn.example.com/a/b",
    ] {
        check(cdn, other, false);
    }
    check("https://h/exact", "https://h/exact", true);
    check("https://h/exact", "https://h/exact?x", false);
    check("https://h/exact", "https://h/exactly", false);
    check("https://h/?*", "https://h?x", true);
}

#[test]
fn a_star_stands_for_labels_and_never_for_addresses() {
    check("https://*.example.com/*", "https://a.example.com/", true);
    check("https://*.example.com/*", "https://a.b.example.com/x", true);
    check("https://*.example.com/*", "https://example.com/", false);
    check("https://*.example.com/*", "https://badexample.com/", false);
    check("http://*.0.0.1/*", "http://127.0.0.1/", false);
    check("http://*/*", "http://127.0.0.1/", true);
}

#[test]
fn what_can_be_read_in_two_ways_is_no_target() {
    for url in [
        "https://user@cdn.example.com/a",
        "https://cdn.example.com@evil.test/a",
        "https://cdn.example.com\\@evil.test/a",
        "https://cdn.example.com%2eevil.test/",
        "https://cdn.example.com/../b",
        "https://cdn.example.com/a/%2e%2E/b",
        "https://cdn.example.com/a%2f..%2fb",
        "https://cdn.example.com/a\\..\\b",
        "https://cdn.example.com//evil.test/",
        "https://cdn.example.com/a b",
        "https://cdn.example.com/a\r\nX: y",
        "https://cdn.example.com/a#b",
        "https://cdn.example.com:0/",
        "https://cdn.example.com:99999/",
        "https://cdn.example.com:/",
        "https:///a",
        "https://..com/a",
        "https://[::1/a",
        "https://[::1%25eth0]/a",
        "ftp://cdn.example.com/a",
        "file:///etc/passwd",
        "HTTPS://cdn.example.com/a",
        "cdn.example.com/a",
        "",
    ] {
        assert_eq!(Target::parse(url), None, "{url}");
    }
}

#[test]
fn patterns_print_as_they_are_written() {
    for text in [
        "https://cdn.example.com/*",
        "http://localhost:8080/a/b?c=*",
        "https://*.example.com/x",
        "https://*/*",
        "http://[::1]:8080/*",
    ] {
        assert_eq!(pattern(text).to_string(), text);
    }
    for text in
        ["*", "https://h", "https://a.*/x", "https://h/*/x", "h/*", "https://h/a#*", "://h/"]
    {
        assert!(text.parse::<UrlPattern>().is_err(), "{text}");
    }
}

#[track_caller]
fn both(asked: &str, allowed: &str, expected: Expect) {
    let allowed = UrlGrant { pattern: pattern(allowed), private: true };
    let both = UrlGrant::intersection(&pattern(asked), &allowed);
    expected.assert_eq(&both.map_or("nothing".to_owned(), |both| both.pattern.to_string()));
}

#[test]
fn the_narrower_of_each_part_holds() {
    both("https://h/a/*", "https://h/*", expect!["https://h/a/*"]);
    both("https://h/*", "https://h/a", expect!["https://h/a"]);
    both("https://h/*", "https://*/a/*", expect!["https://h/a/*"]);
    both("https://*.h.org/*", "https://a.h.org/*", expect!["https://a.h.org/*"]);
    both("https://*.b.h.org/*", "https://*.h.org/*", expect!["https://*.b.h.org/*"]);
    both("https://h/a", "http://h/a", expect!["nothing"]);
    both("https://h/a", "https://h/b", expect!["nothing"]);
    both("https://h.org/a", "https://*.h.org/*", expect!["nothing"]);
}

proptest! {
    /// The intersection covers what both cover, and nothing else.
    #[test]
    fn an_intersection_is_what_both_cover(
        one in "https?://(\\*|\\*\\.b|\\*\\.a\\.b|a\\.b|b|c\\.a\\.b)(:443|:80)?/[ab]{0,2}\\*?",
        two in "https?://(\\*|\\*\\.b|\\*\\.a\\.b|a\\.b|b|c\\.a\\.b)(:443|:80)?/[ab]{0,2}\\*?",
        url in "https?://(a\\.b|b|c\\.a\\.b|x)(:443|:80)?/[ab]{0,3}",
    ) {
        let (one, two) = (pattern(&one), pattern(&two));
        let target = Target::parse(&url).unwrap();
        let both = one.intersection(&two);
        prop_assert_eq!(
            both.as_ref().is_some_and(|both| both.covers(&target)),
            one.covers(&target) && two.covers(&target),
            "{} and {}: {:?}", one, two, both
        );
    }

    /// Whatever is taken apart is put together to the same.
    #[test]
    fn a_target_means_the_same_when_it_is_put_together(
        url in "https?://[a-c.:\\[\\]@%0-9]{1,8}[/?][a-c./%?\\\\@:0-9]{0,10}",
    ) {
        if let Some(target) = Target::parse(&url) {
            let scheme = if target.tls { "https" } else { "http" };
            let again = format!("{scheme}://{}{}", target.authority(), target.path);
            prop_assert_eq!(Target::parse(&again), Some(target.clone()));
            let uri: http::Uri = again.parse().unwrap();
            let host = uri.host().unwrap().trim_matches(['[', ']']);
            prop_assert_eq!(host, target.host.as_str());
            prop_assert_eq!(uri.path_and_query().unwrap().as_str(), target.path.as_str());
        }
    }
}
