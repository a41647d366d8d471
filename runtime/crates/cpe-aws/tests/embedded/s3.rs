//! Amazon S3.

pub(crate) mod buckets;
pub(crate) mod checksums;
pub(crate) mod copies;
pub(crate) mod faults;
pub(crate) mod lists;
pub(crate) mod notifications;
pub(crate) mod objects;
pub(crate) mod presigned;
pub(crate) mod settings;
pub(crate) mod uploads;

use aws_sdk_s3::{Client, operation::get_object::GetObjectOutput};

use crate::world::World;

/// The bucket of all tests that need but one.
const BUCKET: &str = "media";

/// A world with a bucket.
async fn with_bucket() -> World {
    let world = World::start().await;
    world.s3.create_bucket().bucket(BUCKET).send().await.unwrap();
    world
}

/// Puts an object with that text; its entity tag.
async fn put(s3: &Client, key: &str, text: &str) -> String {
    let put = s3.put_object().bucket(BUCKET).key(key).body(text.as_bytes().to_vec().into());
    put.send().await.unwrap().e_tag.unwrap()
}

async fn body_of(got: GetObjectOutput) -> String {
    String::from_utf8(got.body.collect().await.unwrap().to_vec()).unwrap()
}

async fn text(s3: &Client, key: &str) -> String {
    body_of(s3.get_object().bucket(BUCKET).key(key).send().await.unwrap()).await
}
