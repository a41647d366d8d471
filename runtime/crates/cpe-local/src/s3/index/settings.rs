//! What buckets were told (documents kept as given) and the tags of objects.

use cpe_ports::ObjectAddress;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use super::{StoreError, bucket, object, to_json};
use crate::s3::{acl::Grants, model::Object, tags::Tags};

/// A document of a bucket. All but the notifications are kept and told, and of no effect here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setting {
    Tags,
    Policy,
    Cors,
    Lifecycle,
    PublicAccess,
    Ownership,
    Notifications,
    Acl,
}

impl Setting {
    fn name(self) -> &'static str {
        match self {
            Self::Tags => "tags",
            Self::Policy => "policy",
            Self::Cors => "cors",
            Self::Lifecycle => "lifecycle",
            Self::PublicAccess => "public-access",
            Self::Ownership => "ownership",
            Self::Notifications => "notifications",
            Self::Acl => "acl",
        }
    }
}

/// No document of a bucket is longer: S3's own limits are below it.
const MAX_DOCUMENT: usize = 512 << 10;

/// A document as it is kept.
pub(crate) fn document<T: Serialize>(value: &T) -> Result<String, StoreError> {
    let document =
        serde_json::to_string(value).map_err(|error| StoreError::Corrupt(error.to_string()))?;
    if document.len() > MAX_DOCUMENT {
        return Err(StoreError::InvalidRequest("the configuration is longer than 512 KiB"));
    }
    Ok(document)
}

pub(crate) fn setting(
    db: &Connection,
    bucket: &str,
    which: Setting,
) -> Result<Option<String>, StoreError> {
    let bucket = self::bucket(db, bucket)?.id;
    Ok(db
        .prepare_cached("SELECT document FROM s3_setting WHERE bucket = ? AND name = ?")?
        .query_row(params![bucket, which.name()], |row| row.get(0))
        .optional()?)
}

pub(crate) fn put_setting(
    db: &Connection,
    bucket: &str,
    which: Setting,
    document: &str,
) -> Result<(), StoreError> {
    let bucket = self::bucket(db, bucket)?.id;
    db.prepare_cached(
        "INSERT INTO s3_setting (bucket, name, document) VALUES (?, ?, ?)
         ON CONFLICT DO UPDATE SET document = excluded.document",
    )?
    .execute(params![bucket, which.name(), document])?;
    Ok(())
}

pub(crate) fn delete_setting(
    db: &Connection,
    bucket: &str,
    which: Setting,
) -> Result<(), StoreError> {
    let bucket = self::bucket(db, bucket)?.id;
    db.prepare_cached("DELETE FROM s3_setting WHERE bucket = ? AND name = ?")?
        .execute(params![bucket, which.name()])?;
    Ok(())
}

/// Gives an object other tags. That does not count as a change of the object.
pub(crate) fn tag(db: &Connection, at: &ObjectAddress, tags: Tags) -> Result<(), StoreError> {
    let mut object = object(db, at)?;
    object.headers.tags = tags;
    write_headers(db, &object)
}

/// Says who is granted what of an object, which is no change of it either.
pub(crate) fn grant(
    db: &Connection,
    at: &ObjectAddress,
    acl: Option<Grants>,
) -> Result<(), StoreError> {
    let mut object = object(db, at)?;
    object.headers.acl = acl;
    write_headers(db, &object)
}

fn write_headers(db: &Connection, object: &Object) -> Result<(), StoreError> {
    db.prepare_cached("UPDATE s3_object SET headers = ? WHERE id = ?")?
        .execute(params![to_json(&object.headers), object.id])?;
    Ok(())
}

/// The number of one more event, greater than those before, also across restarts.
pub(crate) fn next_in_sequence(db: &Connection) -> Result<i64, StoreError> {
    let mut next =
        db.prepare_cached("UPDATE s3_sequence SET next = next + 1 RETURNING next - 1")?;
    Ok(next.query_row([], |row| row.get(0))?)
}
