//! Listing keys in order, rolled up at a delimiter, without reading what is skipped.
//!
//! A page is walked with a cursor: the first key not looked at yet. Where a key is rolled up into
//! a common prefix, the cursor jumps behind all keys with that prefix, so a page costs as much as
//! it has entries, however many keys they stand for.

use cpe_swf::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::{StoreError, bucket, checksum_of, from_db, from_json, key_of};
use crate::s3::{
    checksums::{Checksum, ChecksumPlan},
    model::{EntityTag, Entry, ListQuery, Page},
};

/// What a listing tells of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) size: u64,
    pub(crate) etag: EntityTag,
    pub(crate) modified: Timestamp,
    pub(crate) storage_class: String,
    pub(crate) checksum: Option<Checksum>,
}

/// Objects in the order of their keys.
pub(crate) fn list(db: &Connection, query: &ListQuery) -> Result<Page<Listed>, StoreError> {
    let bucket = bucket(db, &query.bucket)?.id;
    let mut select = db.prepare_cached(
        "SELECT key, size, etag, modified, storage_class, checksum
         FROM s3_object WHERE bucket = ? AND key >= ? ORDER BY key",
    )?;
    let mut walk = Walk::new(query);
    'jump: while let Some(cursor) = walk.cursor.take() {
        let mut rows = select.query(params![bucket, cursor])?;
        while let Some(row) = rows.next()? {
            let listed = || {
                Ok(Listed {
                    size: from_db(row.get(1)?),
                    etag: EntityTag(row.get(2)?),
                    modified: Timestamp::from_millis(row.get(3)?),
                    storage_class: row.get(4)?,
                    checksum: checksum_of(row.get(5)?)?,
                })
            };
            match walk.visit(key_of(row.get(0)?)?, listed)? {
                Step::Next => {}
                Step::Jump => continue 'jump,
                Step::End => break 'jump,
            }
        }
    }
    Ok(walk.page)
}

/// An upload under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListedUpload {
    pub(crate) id: String,
    pub(crate) started: Timestamp,
    pub(crate) storage_class: String,
    pub(crate) plan: ChecksumPlan,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct UploadsQuery {
    pub(crate) keys: ListQuery,
    /// Of the key in `keys.after`, the uploads after this one also.
    pub(crate) after_upload: Option<String>,
}

/// Uploads in the order of their keys; those of one key in the order in which they began.
pub(crate) fn list_uploads(
    db: &Connection,
    query: &UploadsQuery,
) -> Result<Page<ListedUpload>, StoreError> {
    let bucket = bucket(db, &query.keys.bucket)?.id;
    let mut walk = Walk::new(&query.keys);
    let mut after_seq = 0;
    if let (Some(key), Some(id)) = (&query.keys.after, &query.after_upload)
        && query.keys.max > 0
        && walk.common_prefix(key).is_none()
        && key.starts_with(&query.keys.prefix)
        && let Some(seq) = seq_of(db, bucket, key, id)?
    {
        after_seq = seq;
        walk.cursor = Some(key.clone().into_bytes());
    }
    let mut select = db.prepare_cached(
        "SELECT key, id, started, storage_class, plan FROM s3_upload
         WHERE bucket = ? AND (key, seq) > (?, ?) ORDER BY key, seq",
    )?;
    'jump: while let Some(cursor) = walk.cursor.take() {
        let mut rows = select.query(params![bucket, cursor, after_seq])?;
        after_seq = 0;
        while let Some(row) = rows.next()? {
            let listed = || {
                Ok(ListedUpload {
                    id: row.get(1)?,
                    started: Timestamp::from_millis(row.get(2)?),
                    storage_class: row.get(3)?,
                    plan: from_json(&row.get::<_, String>(4)?)?,
                })
            };
            match walk.visit(key_of(row.get(0)?)?, listed)? {
                Step::Next => {}
                Step::Jump => continue 'jump,
                Step::End => break 'jump,
            }
        }
    }
    Ok(walk.page)
}

fn seq_of(db: &Connection, bucket: i64, key: &str, id: &str) -> Result<Option<i64>, StoreError> {
    Ok(db
        .prepare_cached("SELECT seq FROM s3_upload WHERE id = ? AND bucket = ? AND key = ?")?
        .query_row(params![id, bucket, key.as_bytes()], |row| row.get(0))
        .optional()?)
}

struct Walk<'a, T> {
    query: &'a ListQuery,
    /// Where to read on. `None` when nothing can follow.
    cursor: Option<Vec<u8>>,
    page: Page<T>,
}

enum Step {
    Next,
    /// Read on from the cursor.
    Jump,
    End,
}

impl<'a, T> Walk<'a, T> {
    fn new(query: &'a ListQuery) -> Self {
        let page = Page { entries: Vec::new(), truncated: false };
        let mut walk = Self { query, cursor: None, page };
        if query.max > 0 {
            let start = query.after.as_deref().and_then(|after| walk.start_after(after));
            walk.cursor = match query.after {
                // Nothing can follow the last of all keys.
                Some(_) if start.is_none() => None,
                _ => start.max(Some(query.prefix.clone().into_bytes())),
            };
        }
        walk
    }

    /// The first key whose entry comes after `after`. A key that is rolled up comes where its
    /// common prefix does, so all that share the prefix of `after` come before it.
    fn start_after(&self, after: &str) -> Option<Vec<u8>> {
        match self.common_prefix(after) {
            Some(rolled_up) => successor(rolled_up),
            None => Some([after.as_bytes(), &[0]].concat()),
        }
    }

    /// What the key is rolled up to, if it is.
    fn common_prefix<'k>(&self, key: &'k str) -> Option<&'k str> {
        let delimiter = self.query.delimiter.as_deref().filter(|text| !text.is_empty())?;
        let rest = key.strip_prefix(self.query.prefix.as_str())?;
        let at = rest.find(delimiter)?;
        key.get(..self.query.prefix.len() + at + delimiter.len())
    }

    fn visit(
        &mut self,
        key: String,
        listed: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<Step, StoreError> {
        if !key.starts_with(&self.query.prefix) {
            return Ok(Step::End);
        }
        if self.page.entries.len() == self.query.max {
            self.page.truncated = true;
            return Ok(Step::End);
        }
        if let Some(rolled_up) = self.common_prefix(&key) {
            self.cursor = successor(rolled_up);
            self.page.entries.push(Entry::CommonPrefix(rolled_up.to_owned()));
            return Ok(Step::Jump);
        }
        self.page.entries.push(Entry::One(key, listed()?));
        Ok(Step::Next)
    }
}

/// The least string that is greater than all that begin with `prefix`.
fn successor(prefix: &str) -> Option<Vec<u8>> {
    let mut bytes = prefix.as_bytes().to_vec();
    while let Some(last) = bytes.pop() {
        if last < u8::MAX {
            bytes.push(last + 1);
            return Some(bytes);
        }
    }
    None
}
