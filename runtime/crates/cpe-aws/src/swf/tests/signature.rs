//! SigV4 once more, from the other side: whether a signature covers the bytes that came.

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::fake::{Asked, KEY, SECRET};

#[track_caller]
pub(super) fn verify(asked: &Asked, region: &str, service: &str) {
    let authorization = asked.header("authorization");
    let part = |name: &str| {
        let rest = authorization.split(name).nth(1).unwrap_or_else(|| panic!("{authorization}"));
        rest.split(',').next().unwrap().to_owned()
    };
    let time = asked.header("x-amz-date");
    let scope = format!("{}/{region}/{service}/aws4_request", &time[..8]);
    assert_eq!(part("Credential="), format!("{KEY}/{scope}"));

    let signed = part("SignedHeaders=");
    let headers: String =
        signed.split(';').map(|name| format!("{name}:{}\n", asked.header(name))).collect();
    let canonical = format!(
        "{}\n{}\n\n{headers}\n{signed}\n{}",
        asked.method,
        asked.uri.path(),
        hex::encode(Sha256::digest(&asked.body))
    );
    let digest = hex::encode(Sha256::digest(canonical));
    let text = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{digest}");
    let mut key = format!("AWS4{SECRET}").into_bytes();
    for step in [&time[..8], region, service, "aws4_request", &text] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(step.as_bytes());
        key = mac.finalize().into_bytes().to_vec();
    }
    assert_eq!(part("Signature="), hex::encode(key));
}
