//! The rows of multipart uploads and their parts.

use cpe_ports::{ObjectAddress, UploadId};
use cpe_swf::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    NewBody, NewObject, Piece, StoreError, bucket, checksum_of, files, from_db, from_json, put,
    to_db, to_json, unnamed,
};
use crate::s3::{
    checksums::{self, Checksum, ChecksumPlan},
    files::FileId,
    model::{EntityTag, Headers, MAX_OBJECT, MIN_PART, Object, WriteCondition},
};

#[derive(Debug)]
pub(crate) struct NewUpload {
    pub(crate) id: UploadId,
    pub(crate) started: Timestamp,
    pub(crate) storage_class: String,
    pub(crate) plan: ChecksumPlan,
    pub(crate) headers: Headers,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upload {
    seq: i64,
    pub(crate) storage_class: String,
    pub(crate) plan: ChecksumPlan,
    pub(crate) headers: Headers,
}

#[derive(Debug)]
pub(crate) struct NewPart {
    pub(crate) number: u32,
    pub(crate) size: u64,
    pub(crate) etag: EntityTag,
    pub(crate) modified: Timestamp,
    pub(crate) checksum: Option<Checksum>,
    pub(crate) file: FileId,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) number: u32,
    pub(crate) size: u64,
    pub(crate) etag: EntityTag,
    pub(crate) modified: Timestamp,
    pub(crate) checksum: Option<Checksum>,
}

/// A part as the client lists it at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListedPart {
    pub(crate) number: u32,
    pub(crate) etag: EntityTag,
    /// What the client takes its checksum to be.
    pub(crate) checksum: Option<Checksum>,
}

/// How an upload is to end.
#[derive(Debug)]
pub(crate) struct Complete {
    pub(crate) parts: Vec<ListedPart>,
    pub(crate) condition: WriteCondition,
    /// What the client takes the whole object's size to be.
    pub(crate) size: Option<u64>,
    /// And its checksum.
    pub(crate) checksum: Option<Checksum>,
    pub(crate) now: Timestamp,
}

pub(crate) fn create_upload(
    db: &Connection,
    at: &ObjectAddress,
    new: &NewUpload,
) -> Result<(), StoreError> {
    let bucket = bucket(db, &at.bucket)?.id;
    db.prepare_cached(
        "INSERT INTO s3_upload (id, bucket, key, started, storage_class, plan, headers)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        new.id.0,
        bucket,
        at.key.as_bytes(),
        new.started.as_millis(),
        new.storage_class,
        to_json(&new.plan),
        to_json(&new.headers),
    ])?;
    Ok(())
}

pub(crate) fn upload(
    db: &Connection,
    at: &ObjectAddress,
    id: &UploadId,
) -> Result<Upload, StoreError> {
    let bucket = bucket(db, &at.bucket)?.id;
    let row: Option<(i64, String, String, String)> = db
        .prepare_cached(
            "SELECT seq, storage_class, plan, headers FROM s3_upload
             WHERE id = ? AND bucket = ? AND key = ?",
        )?
        .query_row(params![id.0, bucket, at.key.as_bytes()], |row| row.try_into())
        .optional()?;
    let (seq, storage_class, plan, headers) =
        row.ok_or_else(|| StoreError::NoSuchUpload(id.0.clone()))?;
    Ok(Upload { seq, storage_class, plan: from_json(&plan)?, headers: from_json(&headers)? })
}

/// Adds a part, or replaces the one with its number.
pub(crate) fn put_part(
    db: &Connection,
    at: &ObjectAddress,
    id: &UploadId,
    part: &NewPart,
) -> Result<Vec<FileId>, StoreError> {
    let upload = upload(db, at, id)?.seq;
    let replaced = db
        .prepare_cached("DELETE FROM s3_part WHERE upload = ? AND number = ? RETURNING file")?
        .query_row(params![upload, part.number], |row| row.get(0).map(FileId))
        .optional()?;
    db.prepare_cached(
        "INSERT INTO s3_part (upload, number, size, etag, modified, checksum, file)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        upload,
        part.number,
        to_db(part.size),
        part.etag.0,
        part.modified.as_millis(),
        part.checksum.as_ref().map(to_json),
        part.file.0,
    ])?;
    unnamed(db, replaced.into_iter().collect())
}

/// Parts after `after` by number, and whether more follow.
pub(crate) fn list_parts(
    db: &Connection,
    upload: &Upload,
    after: u32,
    max: usize,
) -> Result<(Vec<Part>, bool), StoreError> {
    let mut select = db.prepare_cached(
        "SELECT number, size, etag, modified, checksum FROM s3_part
         WHERE upload = ? AND number > ? ORDER BY number",
    )?;
    let mut rows = select.query(params![upload.seq, after])?;
    let mut parts = Vec::new();
    while let Some(row) = rows.next()? {
        if parts.len() == max {
            return Ok((parts, true));
        }
        parts.push(Part {
            number: row.get(0)?,
            size: from_db(row.get(1)?),
            etag: EntityTag(row.get(2)?),
            modified: Timestamp::from_millis(row.get(3)?),
            checksum: checksum_of(row.get(4)?)?,
        });
    }
    Ok((parts, false))
}

pub(crate) fn abort_upload(
    db: &Connection,
    at: &ObjectAddress,
    id: &UploadId,
) -> Result<Vec<FileId>, StoreError> {
    let upload = upload(db, at, id)?;
    let orphans = take_out(db, &upload)?;
    unnamed(db, orphans)
}

/// Makes an object of the listed parts, which share their files with it; the other parts go.
pub(crate) fn complete_upload(
    db: &Connection,
    at: &ObjectAddress,
    id: &UploadId,
    complete: &Complete,
) -> Result<(NewObject, Vec<FileId>), StoreError> {
    let upload = upload(db, at, id)?;
    let chosen = choose(db, &upload, &complete.parts)?;
    let size = chosen.iter().map(|part| part.size).sum();
    if size > MAX_OBJECT {
        return Err(StoreError::EntityTooLarge { limit: MAX_OBJECT });
    }
    if complete.size.is_some_and(|expected| expected != size) {
        return Err(StoreError::InvalidRequest("the parts do not have the size that was named"));
    }
    let parts: Vec<_> = chosen.iter().map(|part| (part.checksum.clone(), part.size)).collect();
    let checksum = checksums::join(upload.plan, &parts);
    if let Some(named) = &complete.checksum
        && contradict(Some(named), checksum.as_ref())
    {
        return Err(StoreError::BadDigest(named.algorithm.name()));
    }
    let md5s: Vec<_> = chosen.iter().map(|part| part.md5).collect();
    let etag = format!("{}-{}", hex::encode(checksums::md5_of_md5s(&md5s)), md5s.len());
    let new = NewObject {
        size,
        etag: EntityTag(etag),
        modified: complete.now,
        storage_class: upload.storage_class.clone(),
        checksum,
        headers: upload.headers.clone(),
        body: NewBody::Files(chosen.into_iter().map(Piece::from).collect()),
    };
    let mut orphans = put(db, at, &new, &complete.condition)?;
    let bucket = bucket(db, &at.bucket)?.id;
    db.prepare_cached("UPDATE s3_object SET upload = ? WHERE bucket = ? AND key = ?")?
        .execute(params![id.0, bucket, at.key.as_bytes()])?;
    orphans.extend(unnamed(db, take_out(db, &upload)?)?);
    Ok((new, orphans))
}

/// The object that an upload became, as long as nothing was written over it.
pub(crate) fn completed(
    db: &Connection,
    at: &ObjectAddress,
    id: &UploadId,
) -> Result<Option<Object>, StoreError> {
    let bucket = bucket(db, &at.bucket)?.id;
    let is_it: bool = db
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM s3_object WHERE bucket = ? AND key = ? AND upload = ?)",
        )?
        .query_row(params![bucket, at.key.as_bytes(), id.0], |row| row.get(0))?;
    if is_it { super::object(db, at).map(Some) } else { Ok(None) }
}

struct Chosen {
    number: u32,
    size: u64,
    md5: [u8; 16],
    checksum: Option<Checksum>,
    file: FileId,
}

impl From<Chosen> for Piece {
    fn from(part: Chosen) -> Self {
        let Chosen { number, size, checksum, file, .. } = part;
        Self { file, size, number: Some(number), checksum }
    }
}

/// The parts as listed, if they may be listed so.
fn choose(
    db: &Connection,
    upload: &Upload,
    listed: &[ListedPart],
) -> Result<Vec<Chosen>, StoreError> {
    if listed.is_empty() {
        return Err(StoreError::MalformedXml("an upload is completed with at least one part"));
    }
    if !listed.is_sorted_by(|before, after| before.number < after.number) {
        return Err(StoreError::InvalidPartOrder);
    }
    let mut select = db.prepare_cached(
        "SELECT size, etag, checksum, file FROM s3_part WHERE upload = ? AND number = ?",
    )?;
    let mut chosen = Vec::with_capacity(listed.len());
    for (index, part) in listed.iter().enumerate() {
        let row: Option<(i64, String, Option<String>, [u8; 16])> =
            select.query_row(params![upload.seq, part.number], |row| row.try_into()).optional()?;
        let invalid = || StoreError::InvalidPart(part.number);
        let (size, etag, checksum, file) = row.ok_or_else(invalid)?;
        let (size, checksum) = (from_db(size), checksum_of(checksum)?);
        if etag != part.etag.0 || contradict(part.checksum.as_ref(), checksum.as_ref()) {
            return Err(invalid());
        }
        if size < MIN_PART && index + 1 < listed.len() {
            return Err(StoreError::EntityTooSmall(part.number));
        }
        let mut md5 = [0; 16];
        hex::decode_to_slice(&etag, &mut md5)
            .map_err(|error| StoreError::Corrupt(error.to_string()))?;
        chosen.push(Chosen { number: part.number, size, md5, checksum, file: FileId(file) });
    }
    Ok(chosen)
}

/// Whether the checksum that a client named is another one than ours. It may name one that we do
/// not keep, and may leave out how many parts a composite one is of.
fn contradict(named: Option<&Checksum>, ours: Option<&Checksum>) -> bool {
    let (Some(named), Some(ours)) = (named, ours) else { return false };
    let bare = ours.value.split('-').next();
    named.algorithm == ours.algorithm
        && named.value != ours.value
        && bare != Some(named.value.as_str())
}

/// Deletes the rows of an upload; answers with the files its parts named.
fn take_out(db: &Connection, upload: &Upload) -> Result<Vec<FileId>, StoreError> {
    db.prepare_cached("DELETE FROM s3_upload WHERE seq = ?")?.execute([upload.seq])?;
    files(db, "DELETE FROM s3_part WHERE upload = ? RETURNING file", upload.seq)
}
