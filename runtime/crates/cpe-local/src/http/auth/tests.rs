use std::time::Duration;

use cpe_ports::testing::ManualClock;
use cpe_swf::Timestamp;
use http::Request;

use super::*;

/// The examples of Amazon's documentation are signed at 2013-05-24T00:00:00Z with these.
const THEN: i64 = 1_369_353_600_000;
const KEY: &str = "AKIAIOSFODNN7EXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn verifier(seconds_later: u64) -> Verifier {
    let clock = ManualClock::at(Timestamp::from_millis(THEN));
    clock.advance(Duration::from_secs(seconds_later));
    let credentials =
        Credentials { access_key_id: KEY.to_owned(), secret_access_key: SECRET.to_owned() };
    Verifier::new(credentials, Arc::new(clock))
}

/// "GET Object" of the documentation of S3's header signatures.
fn get_object(signature: &str, date: &str) -> Parts {
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={KEY}/20130524/us-east-1/s3/aws4_request,\
         SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,Signature={signature}"
    );
    let request = Request::get("/test.txt")
        .header("host", "examplebucket.s3.amazonaws.com")
        .header("range", "bytes=0-9")
        .header("x-amz-content-sha256", EMPTY)
        .header("x-amz-date", date)
        .header("authorization", authorization);
    request.body(()).unwrap().into_parts().0
}

const GOOD: &str = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";

#[test]
fn a_signature_in_the_header() {
    let head = get_object(GOOD, "20130524T000000Z");
    verifier(0).check(&head, Payload::Promised).unwrap();
    verifier(0).check(&head, Payload::Read(b"")).unwrap();
    verifier(899).check(&head, Payload::Promised).unwrap();
    assert_eq!(verifier(901).check(&head, Payload::Promised), Err(Refusal::Skewed));
    assert_eq!(verifier(0).check(&head, Payload::Read(b"x")), Err(Refusal::Mismatch));

    let forged = get_object(&GOOD.replace("f0", "f1"), "20130524T000000Z");
    assert_eq!(verifier(0).check(&forged, Payload::Promised), Err(Refusal::Mismatch));
    let cut = get_object(&GOOD[..62], "20130524T000000Z");
    assert_eq!(verifier(0).check(&cut, Payload::Promised), Err(Refusal::Mismatch));
    let other_day = get_object(GOOD, "20130525T000000Z");
    assert_eq!(verifier(0).check(&other_day, Payload::Promised), Err(Refusal::Mismatch));
    let no_day = get_object(GOOD, "20130524");
    assert_eq!(verifier(0).check(&no_day, Payload::Promised), Err(Refusal::Missing));
}

#[test]
fn what_was_signed_must_be_what_came() {
    let mut head = get_object(GOOD, "20130524T000000Z");
    head.headers.insert("range", "bytes=0-99".parse().unwrap());
    assert_eq!(verifier(0).check(&head, Payload::Promised), Err(Refusal::Mismatch));
    head.headers.remove("range");
    assert_eq!(verifier(0).check(&head, Payload::Promised), Err(Refusal::Mismatch));

    let mut head = get_object(GOOD, "20130524T000000Z");
    head.uri = "/other.txt".parse().unwrap();
    assert_eq!(verifier(0).check(&head, Payload::Promised), Err(Refusal::Mismatch));
    head.uri = "/test.txt?acl".parse().unwrap();
    assert_eq!(verifier(0).check(&head, Payload::Promised), Err(Refusal::Mismatch));
}

/// "Authenticating requests: using query parameters" of the documentation.
#[test]
fn a_signature_in_the_address() {
    let address = |signature: &str, expires: &str| {
        let uri = format!(
            "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={KEY}%2F20130524%2F\
             us-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires={expires}\
             &X-Amz-SignedHeaders=host&X-Amz-Signature={signature}"
        );
        let request = Request::get(uri).header("host", "examplebucket.s3.amazonaws.com");
        request.body(()).unwrap().into_parts().0
    };
    let good = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
    verifier(86_400).check(&address(good, "86400"), Payload::Promised).unwrap();
    let late = verifier(86_401).check(&address(good, "86400"), Payload::Promised);
    assert_eq!(late, Err(Refusal::Skewed));
    let longer = verifier(0).check(&address(good, "86401"), Payload::Promised);
    assert_eq!(longer, Err(Refusal::Mismatch));
    let for_ever = verifier(0).check(&address(good, "99999999"), Payload::Promised);
    assert_eq!(for_ever, Err(Refusal::Missing));
}

#[test]
fn who_does_not_sign_or_is_somebody_else() {
    let plain = Request::get("/").header("host", "h").body(()).unwrap().into_parts().0;
    assert_eq!(verifier(0).check(&plain, Payload::Read(b"")), Err(Refusal::Missing));
    for nonsense in
        ["", "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA256 Credential=a/b,Signature=zz", "Bearer x"]
    {
        let mut head = get_object(GOOD, "20130524T000000Z");
        head.headers.insert("authorization", nonsense.parse().unwrap());
        assert_eq!(
            verifier(0).check(&head, Payload::Promised),
            Err(Refusal::Missing),
            "{nonsense}"
        );
    }
    let mut head = get_object(GOOD, "20130524T000000Z");
    let authorization = head.headers["authorization"].to_str().unwrap().replace(KEY, "AKIAOTHER");
    head.headers.insert("authorization", authorization.parse().unwrap());
    assert_eq!(verifier(0).check(&head, Payload::Promised), Err(Refusal::UnknownKey));
}
