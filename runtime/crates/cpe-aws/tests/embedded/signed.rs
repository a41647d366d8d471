//! An endpoint that checks signatures: the right credentials pass, others are told why not.

use std::time::Duration;

use aws_credential_types::Credentials as Signer;
use aws_sdk_s3::presigning::PresigningConfig;
use cpe_local::{Credentials, LocalConfig};

use crate::{s3::presigned::fetch, world::World};

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

async fn signed_by(key: &str, secret: &str) -> World {
    let credentials =
        Credentials { access_key_id: KEY.to_owned(), secret_access_key: SECRET.to_owned() };
    let config = LocalConfig { credentials: Some(credentials), ..World::config() };
    World::with(config, Signer::new(key, secret, None, None, "test")).await
}

#[tokio::test]
pub(crate) async fn the_right_credentials_pass() {
    let world = signed_by(KEY, SECRET).await;
    crate::swf::Desk::within(world).await.start("w").await;

    let world = signed_by(KEY, SECRET).await;
    let url = crate::sqs::queue(&world.sqs, "q").await;
    world.sqs.send_message().queue_url(&url).message_body("ü & <>").send().await.unwrap();
    world.sqs.receive_message().queue_url(&url).send().await.unwrap();

    let s3 = &world.s3;
    s3.create_bucket().bucket("media").send().await.unwrap();
    let key = "a b/ü+~'()*!.txt";
    let put = s3.put_object().bucket("media").key(key).body(b"text".to_vec().into());
    put.metadata("owner", "me  and  you").send().await.unwrap();
    let got = s3.get_object().bucket("media").key(key).send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().to_vec(), b"text");
    s3.list_objects_v2().bucket("media").prefix("a b/").delimiter("/").send().await.unwrap();
    let hour = PresigningConfig::expires_in(Duration::from_secs(3_600)).unwrap();
    let get = s3.get_object().bucket("media").key(key).presigned(hour).await.unwrap();
    let answer = fetch(&world, &get, b"").await;
    assert!(answer.ends_with("\r\n\r\ntext"), "{answer}");
}

#[tokio::test]
pub(crate) async fn a_wrong_secret_does_not_match() {
    let World { swf, sqs, s3, .. } = signed_by(KEY, "guessed").await;
    assert_eq!(code_of!(swf.describe_domain().name("d")), "InvalidSignatureException");
    assert_eq!(code_of!(sqs.get_queue_url().queue_name("q")), "InvalidSignatureException");
    assert_eq!(code_of!(s3.list_buckets()), "SignatureDoesNotMatch");
}

#[tokio::test]
pub(crate) async fn an_unknown_key_is_told() {
    let World { swf, sqs, s3, .. } = signed_by("AKIDSOMEBODY", SECRET).await;
    assert_eq!(code_of!(swf.describe_domain().name("d")), "UnrecognizedClientException");
    assert_eq!(code_of!(sqs.get_queue_url().queue_name("q")), "UnrecognizedClientException");
    assert_eq!(code_of!(s3.list_buckets()), "InvalidAccessKeyId");
}

#[tokio::test]
pub(crate) async fn a_presigned_url_that_was_changed_is_refused() {
    let world = signed_by(KEY, SECRET).await;
    world.s3.create_bucket().bucket("media").send().await.unwrap();
    let hour = PresigningConfig::expires_in(Duration::from_secs(3_600)).unwrap();
    let get = world.s3.get_object().bucket("media").key("a").presigned(hour).await.unwrap();
    let (_, path) = get.uri().split_once(&world.address.to_string()).unwrap();
    let other = path.replacen("/a?", "/b?", 1);
    assert_ne!(path, other);
    let head = format!("GET {other} HTTP/1.1\r\nhost: {}\r\n", world.address);
    let answer = world.plain(&head, b"").await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert!(answer.contains("<Code>SignatureDoesNotMatch</Code>"), "{answer}");
}
