//! The rows of buckets.

use cpe_swf::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{StoreError, files, unnamed};
use crate::s3::{files::FileId, model::Bucket};

/// Makes a bucket; answers `false` if it was there.
pub(crate) fn create_bucket(
    db: &Connection,
    name: &str,
    region: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let made = db
        .prepare_cached(
            "INSERT INTO s3_bucket (name, created, region) VALUES (?, ?, ?)
             ON CONFLICT DO NOTHING",
        )?
        .execute(params![name, now.as_millis(), region])?;
    Ok(made == 1)
}

pub(crate) fn bucket(db: &Connection, name: &str) -> Result<Bucket, StoreError> {
    db.prepare_cached("SELECT id, name, created, region FROM s3_bucket WHERE name = ?")?
        .query_row([name], bucket_of)
        .optional()?
        .ok_or_else(|| StoreError::NoSuchBucket(name.to_owned()))
}

/// Deletes an empty bucket, and the uploads to it that nobody finished.
pub(crate) fn delete_bucket(db: &Connection, name: &str) -> Result<Vec<FileId>, StoreError> {
    let id = bucket(db, name)?.id;
    let has_objects: bool = db
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM s3_object WHERE bucket = ?)")?
        .query_row([id], |row| row.get(0))?;
    if has_objects {
        return Err(StoreError::BucketNotEmpty(name.to_owned()));
    }
    let orphans = files(
        db,
        "DELETE FROM s3_part WHERE upload IN (SELECT seq FROM s3_upload WHERE bucket = ?)
         RETURNING file",
        id,
    )?;
    db.prepare_cached("DELETE FROM s3_upload WHERE bucket = ?")?.execute([id])?;
    db.prepare_cached("DELETE FROM s3_setting WHERE bucket = ?")?.execute([id])?;
    db.prepare_cached("DELETE FROM s3_bucket WHERE id = ?")?.execute([id])?;
    unnamed(db, orphans)
}

/// Buckets by name, perhaps of one region, those after `after`, and whether more follow.
pub(crate) fn list_buckets(
    db: &Connection,
    prefix: &str,
    region: Option<&str>,
    after: Option<&str>,
    max: usize,
) -> Result<(Vec<Bucket>, bool), StoreError> {
    let mut select = db.prepare_cached(
        "SELECT id, name, created, region FROM s3_bucket WHERE name > ? AND name >= ?
         ORDER BY name",
    )?;
    let mut rows = select.query(params![after.unwrap_or_default(), prefix])?;
    let mut buckets = Vec::new();
    while let Some(row) = rows.next()? {
        let bucket = bucket_of(row)?;
        if !bucket.name.starts_with(prefix) {
            break;
        }
        if region.is_some_and(|region| region != bucket.region) {
            continue;
        }
        if buckets.len() == max {
            return Ok((buckets, true));
        }
        buckets.push(bucket);
    }
    Ok((buckets, false))
}

fn bucket_of(row: &Row<'_>) -> rusqlite::Result<Bucket> {
    Ok(Bucket {
        id: row.get(0)?,
        name: row.get(1)?,
        created: Timestamp::from_millis(row.get(2)?),
        region: row.get(3)?,
    })
}
