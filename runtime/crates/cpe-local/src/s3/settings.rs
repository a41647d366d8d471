//! What buckets and objects are told besides: documents of buckets, tags, the parts of an object.

use cpe_ports::ObjectAddress;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    acl::Grants,
    error::StoreError,
    index::{self, ObjectParts, Setting},
    model::{MAX_LIST, Object, check_key},
    objects::Objects,
    tags::Tags,
    writing::{Change, ChangeKind},
};

impl Objects {
    pub(crate) async fn put_setting<T: Serialize>(
        &self,
        bucket: &str,
        which: Setting,
        value: &T,
    ) -> Result<(), StoreError> {
        let (bucket, document) = (bucket.to_owned(), index::document(value)?);
        self.write(move |write| index::put_setting(write.db, &bucket, which, &document)).await
    }

    pub(crate) async fn setting<T: DeserializeOwned>(
        &self,
        bucket: &str,
        which: Setting,
    ) -> Result<T, StoreError> {
        let bucket = bucket.to_owned();
        let document = self.read(move |db| {
            let document = index::setting(db, &bucket, which)?;
            document.ok_or(StoreError::NoSuchSetting { bucket, which })
        });
        index::from_json(&document.await?)
    }

    pub(crate) async fn delete_setting(
        &self,
        bucket: &str,
        which: Setting,
    ) -> Result<(), StoreError> {
        let bucket = bucket.to_owned();
        self.write(move |write| index::delete_setting(write.db, &bucket, which)).await
    }

    /// Gives an object other tags, or takes them away.
    pub(crate) async fn tag(
        &self,
        at: &ObjectAddress,
        tags: Option<Tags>,
    ) -> Result<(), StoreError> {
        check_key(at)?;
        let kind = if tags.is_some() { ChangeKind::PutTags } else { ChangeKind::DeleteTags };
        let at = at.clone();
        self.write(move |write| {
            let object = index::object(write.db, &at)?;
            index::tag(write.db, &at, tags.unwrap_or_default())?;
            let object = Some((object.size, object.etag));
            write.changes.push(Change { kind, at, object });
            Ok(())
        })
        .await
    }

    /// Says who is granted what of an object.
    pub(crate) async fn grant(
        &self,
        at: &ObjectAddress,
        acl: Option<Grants>,
    ) -> Result<(), StoreError> {
        check_key(at)?;
        let at = at.clone();
        self.write(move |write| index::grant(write.db, &at, acl)).await
    }

    /// An object and its parts after `after` by number, at most 1,000.
    pub(crate) async fn parts(
        &self,
        at: &ObjectAddress,
        after: u32,
        max: usize,
    ) -> Result<(Object, ObjectParts), StoreError> {
        check_key(at)?;
        let at = at.clone();
        self.read(move |db| {
            let object = index::object(db, &at)?;
            let parts = index::parts_of(db, &object, after, max.min(MAX_LIST))?;
            Ok((object, parts))
        })
        .await
    }
}
