//! The parts that an object was uploaded in, and the files of its body.

use std::ops::Range;

use rusqlite::{Connection, OptionalExtension, params};

use super::{NewBody, Piece, StoreError, checksum_of, from_db};
use crate::s3::{checksums::Checksum, files::FileId, model::Object};

/// One page of an object's parts.
#[derive(Debug, Default)]
pub(crate) struct ObjectParts {
    /// Number, size and checksum.
    pub(crate) parts: Vec<(u32, u64, Option<Checksum>)>,
    /// Of all parts; none for an object that was put at once.
    pub(crate) total: u32,
    pub(crate) more: bool,
}

/// Which bytes are the part with this number, and how many parts there are. An object that was
/// put at once is its own first part, and its parts are not counted.
pub(crate) fn bytes_of_part(
    db: &Connection,
    object: &Object,
    number: u32,
) -> Result<(Range<u64>, Option<u32>), StoreError> {
    let total = count(db, object)?;
    if total == 0 {
        return match number {
            1 => Ok((0..object.size, None)),
            _ => Err(StoreError::InvalidPartNumber(number)),
        };
    }
    let part: Option<(i64, i64)> = db
        .prepare_cached("SELECT start, size FROM s3_segment WHERE object = ? AND number = ?")?
        .query_row(params![object.id, number], |row| row.try_into())
        .optional()?;
    let (start, size) = part.ok_or(StoreError::InvalidPartNumber(number))?;
    let start = from_db(start);
    Ok((start..start + from_db(size), Some(total)))
}

/// Parts after `after` by number.
pub(crate) fn parts_of(
    db: &Connection,
    object: &Object,
    after: u32,
    max: usize,
) -> Result<ObjectParts, StoreError> {
    let mut page = ObjectParts { total: count(db, object)?, ..ObjectParts::default() };
    let mut select = db.prepare_cached(
        "SELECT number, size, checksum FROM s3_segment
         WHERE object = ? AND number > ? ORDER BY start",
    )?;
    let mut rows = select.query(params![object.id, after])?;
    while let Some(row) = rows.next()? {
        if page.parts.len() == max {
            page.more = true;
            break;
        }
        page.parts.push((row.get(0)?, from_db(row.get(1)?), checksum_of(row.get(2)?)?));
    }
    Ok(page)
}

fn count(db: &Connection, object: &Object) -> Result<u32, StoreError> {
    let mut count = db.prepare_cached("SELECT count(number) FROM s3_segment WHERE object = ?")?;
    Ok(count.query_row([object.id], |row| row.get(0))?)
}

/// The whole body of an object, to be named by another one.
pub(crate) fn body(db: &Connection, object: &Object) -> Result<NewBody, StoreError> {
    let inline: Option<Option<Vec<u8>>> = db
        .prepare_cached("SELECT bytes FROM s3_object WHERE id = ?")?
        .query_row([object.id], |row| row.get(0))
        .optional()?;
    if let Some(Some(bytes)) = inline {
        return Ok(NewBody::Inline(bytes));
    }
    let mut select = db.prepare_cached(
        "SELECT file, size, number, checksum FROM s3_segment WHERE object = ? ORDER BY start",
    )?;
    let mut rows = select.query([object.id])?;
    let mut pieces = Vec::new();
    while let Some(row) = rows.next()? {
        pieces.push(Piece {
            file: FileId(row.get(0)?),
            size: from_db(row.get(1)?),
            number: row.get(2)?,
            checksum: checksum_of(row.get(3)?)?,
        });
    }
    Ok(NewBody::Files(pieces))
}
