//! URLs that are signed, for those who have no SDK.

use std::time::Duration;

use aws_sdk_s3::presigning::{PresignedRequest, PresigningConfig};

use super::{BUCKET, put, text, with_bucket};
use crate::world::World;

fn for_an_hour() -> PresigningConfig {
    PresigningConfig::expires_in(Duration::from_secs(3_600)).unwrap()
}

/// Sends a presigned request with a plain HTTP client.
pub(crate) async fn fetch(world: &World, request: &PresignedRequest, body: &[u8]) -> String {
    let (_, path) = request.uri().split_once(&world.address.to_string()).unwrap();
    let mut head = format!("{} {path} HTTP/1.1\r\nhost: {}\r\n", request.method(), world.address);
    for (name, value) in request.headers().filter(|(name, _)| *name != "content-length") {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    world.plain(&head, body).await
}

#[tokio::test]
pub(crate) async fn to_get() {
    let world = with_bucket().await;
    put(&world.s3, "ä b", "text").await;
    let get = world.s3.get_object().bucket(BUCKET).key("ä b");
    let get = get.response_content_type("text/x").presigned(for_an_hour()).await.unwrap();
    let answer = fetch(&world, &get, b"").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("\r\n\r\ntext"), "{answer}");
    assert!(answer.contains("content-type: text/x"), "{answer}");
}

#[tokio::test]
pub(crate) async fn to_put() {
    let world = with_bucket().await;
    let put = world.s3.put_object().bucket(BUCKET).key("a").content_type("text/y");
    let put = put.presigned(for_an_hour()).await.unwrap();
    let answer = fetch(&world, &put, b"from outside").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(text(&world.s3, "a").await, "from outside");
    let head = world.s3.head_object().bucket(BUCKET).key("a").send().await.unwrap();
    assert_eq!(head.content_type(), Some("text/y"));
}
