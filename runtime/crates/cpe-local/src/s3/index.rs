//! The index: all there is to know about buckets, objects and uploads, as rows.
//!
//! Plain functions over a connection, inside a transaction that is someone else's. A function that
//! may leave files without an owner answers with them, to be removed after the commit. Never
//! touches a file, never waits. One that fails may have written a part of its work: callers take a
//! savepoint.

mod buckets;
mod listing;
mod parts;
mod settings;
mod uploads;

use std::ops::Range;

use cpe_ports::ObjectAddress;
use cpe_swf::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

pub(crate) use self::{
    buckets::{bucket, create_bucket, delete_bucket, list_buckets},
    listing::{Listed, ListedUpload, UploadsQuery, list, list_uploads},
    parts::{ObjectParts, body, bytes_of_part, parts_of},
    settings::{
        Setting, delete_setting, document, grant, next_in_sequence, put_setting, setting, tag,
    },
    uploads::{
        Complete, ListedPart, NewPart, NewUpload, Part, Upload, abort_upload, complete_upload,
        completed, create_upload, list_parts, put_part, upload,
    },
};
use super::{
    checksums::Checksum,
    error::StoreError,
    files::{FileId, Slice},
    model::{EntityTag, Headers, Object, WriteCondition},
};

const TABLES: &str = "
    CREATE TABLE s3_bucket (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        created INTEGER NOT NULL,
        region TEXT NOT NULL
    ) STRICT;

    -- What a bucket was told, as JSON, by the name of the setting.
    CREATE TABLE s3_setting (
        bucket INTEGER NOT NULL,
        name TEXT NOT NULL,
        document TEXT NOT NULL,
        PRIMARY KEY (bucket, name)
    ) STRICT, WITHOUT ROWID;

    -- One row: the number that the next event gets.
    CREATE TABLE s3_sequence (next INTEGER NOT NULL) STRICT;
    INSERT INTO s3_sequence (next) VALUES (1);

    -- Keys are blobs: S3 orders them by their bytes.
    -- `upload` is the id of the upload that made the object, if one did.
    -- A body is in `bytes`, or it is the row's segments joined. `bytes` is last, so that what only
    -- lists does not read it.
    CREATE TABLE s3_object (
        id INTEGER PRIMARY KEY,
        bucket INTEGER NOT NULL,
        key BLOB NOT NULL,
        size INTEGER NOT NULL,
        etag TEXT NOT NULL,
        modified INTEGER NOT NULL,
        storage_class TEXT NOT NULL,
        checksum TEXT,
        headers TEXT NOT NULL,
        upload TEXT,
        bytes BLOB,
        UNIQUE (bucket, key)
    ) STRICT;

    -- Several objects may share a file: a copy names the files of its source. An object that was
    -- uploaded in parts has one segment a part, with its number and checksum.
    CREATE TABLE s3_segment (
        object INTEGER NOT NULL,
        start INTEGER NOT NULL,
        size INTEGER NOT NULL,
        file BLOB NOT NULL,
        number INTEGER,
        checksum TEXT,
        PRIMARY KEY (object, start)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX s3_segment_file ON s3_segment (file);

    -- `seq` orders uploads of one key by their beginning.
    CREATE TABLE s3_upload (
        seq INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        bucket INTEGER NOT NULL,
        key BLOB NOT NULL,
        started INTEGER NOT NULL,
        storage_class TEXT NOT NULL,
        plan TEXT NOT NULL,
        headers TEXT NOT NULL
    ) STRICT;
    CREATE INDEX s3_upload_key ON s3_upload (bucket, key, seq);

    CREATE TABLE s3_part (
        upload INTEGER NOT NULL,
        number INTEGER NOT NULL,
        size INTEGER NOT NULL,
        etag TEXT NOT NULL,
        modified INTEGER NOT NULL,
        checksum TEXT,
        file BLOB NOT NULL,
        PRIMARY KEY (upload, number)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX s3_part_file ON s3_part (file);
";

/// Makes the tables in a new database.
pub(crate) fn create(db: &Connection) -> rusqlite::Result<()> {
    db.execute_batch(TABLES)
}

/// An object that is to be.
#[derive(Debug)]
pub(crate) struct NewObject {
    pub(crate) size: u64,
    pub(crate) etag: EntityTag,
    pub(crate) modified: Timestamp,
    pub(crate) storage_class: String,
    pub(crate) checksum: Option<Checksum>,
    pub(crate) headers: Headers,
    pub(crate) body: NewBody,
}

#[derive(Debug)]
pub(crate) enum NewBody {
    Inline(Vec<u8>),
    Files(Vec<Piece>),
}

/// A whole file of a body, or a part of an upload.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) file: FileId,
    pub(crate) size: u64,
    /// The number of the part, if it was one.
    pub(crate) number: Option<u32>,
    /// Its checksum, told of parts only.
    pub(crate) checksum: Option<Checksum>,
}

impl Piece {
    pub(crate) fn whole(file: FileId, size: u64) -> Self {
        Self { file, size, number: None, checksum: None }
    }
}

/// Where bytes of an object are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Inline(Vec<u8>),
    Files(Vec<Slice>),
}

/// Writes an object over what may be there.
pub(crate) fn put(
    db: &Connection,
    at: &ObjectAddress,
    new: &NewObject,
    condition: &WriteCondition,
) -> Result<Vec<FileId>, StoreError> {
    let bucket = bucket(db, &at.bucket)?.id;
    check(db, bucket, at, condition)?;
    let orphans = take_out(db, bucket, &at.key)?;
    let bytes = match &new.body {
        NewBody::Inline(bytes) => Some(bytes),
        NewBody::Files(_) => None,
    };
    db.prepare_cached(
        "INSERT INTO s3_object
            (bucket, key, size, etag, modified, storage_class, checksum, headers, bytes)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        bucket,
        at.key.as_bytes(),
        to_db(new.size),
        new.etag.0,
        new.modified.as_millis(),
        new.storage_class,
        new.checksum.as_ref().map(to_json),
        to_json(&new.headers),
        bytes,
    ])?;
    let object = db.last_insert_rowid();
    if let NewBody::Files(files) = &new.body {
        let mut insert = db.prepare_cached(
            "INSERT INTO s3_segment (object, start, size, file, number, checksum)
             VALUES (?, ?, ?, ?, ?, ?)",
        )?;
        let mut start = 0;
        for Piece { file, size, number, checksum } in files {
            let checksum = checksum.as_ref().map(to_json);
            insert.execute(params![
                object,
                to_db(start),
                to_db(*size),
                file.0,
                number,
                checksum
            ])?;
            start += size;
        }
    }
    // Not before the new rows are there: they may name the same files.
    unnamed(db, orphans)
}

pub(crate) fn object(db: &Connection, at: &ObjectAddress) -> Result<Object, StoreError> {
    let bucket = bucket(db, &at.bucket)?.id;
    find(db, bucket, &at.key)?.ok_or_else(|| no_such_key(at))
}

/// Where these bytes of an object are.
pub(crate) fn source(
    db: &Connection,
    object: &Object,
    range: &Range<u64>,
) -> Result<Source, StoreError> {
    let inline: Option<Vec<u8>> = db
        .prepare_cached(
            "SELECT substr(bytes, ?2 + 1, ?3) FROM s3_object WHERE id = ?1 AND bytes IS NOT NULL",
        )?
        .query_row(
            params![object.id, to_db(range.start), to_db(range.end - range.start)],
            // Of no bytes SQLite makes NULL.
            |row| Ok(row.get::<_, Option<_>>(0)?.unwrap_or_default()),
        )
        .optional()?;
    if let Some(bytes) = inline {
        return Ok(Source::Inline(bytes));
    }
    let mut segments = db.prepare_cached(
        "SELECT start, size, file FROM s3_segment WHERE object = ?1 AND start < ?3
            AND start >= coalesce(
                (SELECT max(start) FROM s3_segment WHERE object = ?1 AND start <= ?2), 0)
         ORDER BY start",
    )?;
    let mut rows = segments.query(params![object.id, to_db(range.start), to_db(range.end)])?;
    let mut slices = Vec::new();
    while let Some(row) = rows.next()? {
        let (start, size) = (from_db(row.get(0)?), from_db(row.get(1)?));
        let first = range.start.max(start);
        let end = range.end.min(start + size);
        if first < end {
            let file = FileId(row.get(2)?);
            slices.push(Slice { file, offset: first - start, length: end - first });
        }
    }
    Ok(Source::Files(slices))
}

/// What a delete did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Deleted {
    pub(crate) was_there: bool,
    pub(crate) orphans: Vec<FileId>,
}

/// Deletes an object. That there is none is no error, unless the condition wants one.
pub(crate) fn delete(
    db: &Connection,
    at: &ObjectAddress,
    condition: &WriteCondition,
) -> Result<Deleted, StoreError> {
    let bucket = bucket(db, &at.bucket)?.id;
    check(db, bucket, at, condition)?;
    let was_there = exists(db, bucket, &at.key)?;
    let orphans = take_out(db, bucket, &at.key)?;
    Ok(Deleted { was_there, orphans: unnamed(db, orphans)? })
}

fn exists(db: &Connection, bucket: i64, key: &str) -> Result<bool, StoreError> {
    let mut select =
        db.prepare_cached("SELECT EXISTS (SELECT 1 FROM s3_object WHERE bucket = ? AND key = ?)")?;
    Ok(select.query_row(params![bucket, key.as_bytes()], |row| row.get(0))?)
}

/// Those of the files that no row names.
pub(crate) fn unnamed(db: &Connection, files: Vec<FileId>) -> Result<Vec<FileId>, StoreError> {
    let mut named = db.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM s3_segment WHERE file = ?1)
             OR EXISTS (SELECT 1 FROM s3_part WHERE file = ?1)",
    )?;
    let mut unnamed = Vec::new();
    for file in files {
        if !named.query_row([file.0], |row| row.get::<_, bool>(0))? {
            unnamed.push(file);
        }
    }
    Ok(unnamed)
}

/// Whether a write may happen.
pub(crate) fn check_write(
    db: &Connection,
    at: &ObjectAddress,
    condition: &WriteCondition,
) -> Result<(), StoreError> {
    let bucket = bucket(db, &at.bucket)?.id;
    check(db, bucket, at, condition)
}

fn check(
    db: &Connection,
    bucket: i64,
    at: &ObjectAddress,
    condition: &WriteCondition,
) -> Result<(), StoreError> {
    if *condition == WriteCondition::Always {
        return Ok(());
    }
    let there = find(db, bucket, &at.key)?;
    let holds = match (condition, &there) {
        (WriteCondition::Absent, there) => there.is_none(),
        (WriteCondition::Matches(etag), Some(there)) => there.etag == *etag,
        (WriteCondition::Always | WriteCondition::Present, Some(_)) => true,
        (_, None) => return Err(no_such_key(at)),
    };
    let name = match condition {
        WriteCondition::Absent => "If-None-Match",
        _ => "If-Match",
    };
    if holds { Ok(()) } else { Err(StoreError::PreconditionFailed(name)) }
}

fn find(db: &Connection, bucket: i64, key: &str) -> Result<Option<Object>, StoreError> {
    let mut select = db.prepare_cached(
        "SELECT id, size, etag, modified, storage_class, checksum, headers
         FROM s3_object WHERE bucket = ? AND key = ?",
    )?;
    let mut rows = select.query(params![bucket, key.as_bytes()])?;
    rows.next()?.map(object_of).transpose()
}

fn object_of(row: &Row<'_>) -> Result<Object, StoreError> {
    Ok(Object {
        id: row.get(0)?,
        size: from_db(row.get(1)?),
        etag: EntityTag(row.get(2)?),
        modified: Timestamp::from_millis(row.get(3)?),
        storage_class: row.get(4)?,
        checksum: checksum_of(row.get(5)?)?,
        headers: from_json(&row.get::<_, String>(6)?)?,
    })
}

/// Deletes the rows of an object, if there is one; answers with the files they named.
fn take_out(db: &Connection, bucket: i64, key: &str) -> Result<Vec<FileId>, StoreError> {
    let object: Option<i64> = db
        .prepare_cached("DELETE FROM s3_object WHERE bucket = ? AND key = ? RETURNING id")?
        .query_row(params![bucket, key.as_bytes()], |row| row.get(0))
        .optional()?;
    match object {
        Some(object) => files(db, "DELETE FROM s3_segment WHERE object = ? RETURNING file", object),
        None => Ok(Vec::new()),
    }
}

fn files(db: &Connection, sql: &str, id: i64) -> Result<Vec<FileId>, StoreError> {
    let mut delete = db.prepare_cached(sql)?;
    let files = delete.query_map([id], |row| row.get(0).map(FileId))?;
    Ok(files.collect::<rusqlite::Result<_>>()?)
}

fn no_such_key(at: &ObjectAddress) -> StoreError {
    StoreError::NoSuchKey { bucket: at.bucket.clone(), key: at.key.clone() }
}

fn checksum_of(json: Option<String>) -> Result<Option<Checksum>, StoreError> {
    json.map(|json| from_json(&json)).transpose()
}

fn to_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("strings and numbers only, with strings for keys")
}

pub(crate) fn from_json<T: serde::de::DeserializeOwned>(json: &str) -> Result<T, StoreError> {
    serde_json::from_str(json).map_err(|error| StoreError::Corrupt(error.to_string()))
}

fn key_of(bytes: Vec<u8>) -> Result<String, StoreError> {
    String::from_utf8(bytes).map_err(|error| StoreError::Corrupt(error.to_string()))
}

/// SQLite's integers have a sign. No size comes near it.
fn to_db(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

fn from_db(size: i64) -> u64 {
    u64::try_from(size).unwrap_or_default()
}

#[cfg(test)]
mod tests;
