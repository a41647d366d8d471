//! Multipart uploads: parts are files from the start, and the object that they become names them.

use cpe_ports::{ByteRange, ObjectAddress, UploadId};
use futures::StreamExt;

use super::{
    checksums::{Checksum, ChecksumPlan},
    error::StoreError,
    index::{self, Complete, ListedUpload, NewPart, NewUpload, Part, Upload, UploadsQuery},
    model::{
        self, Encryption, EntityTag, Headers, MAX_LIST, MAX_PARTS, MAX_PUT, Page, ReadConditions,
        check_key,
    },
    objects::{Objects, Stored},
    receive::{Announced, Body, Incoming, Receive},
    writing::{Change, ChangeKind},
};

/// A part that was taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredPart {
    pub(crate) etag: EntityTag,
    pub(crate) modified: cpe_swf::Timestamp,
    /// The upload's checksum, or the one that came with the part.
    pub(crate) checksum: Option<Checksum>,
    /// That of the upload.
    pub(crate) encryption: Option<Encryption>,
}

/// Which bytes of which object are to be a part.
#[derive(Debug)]
pub(crate) struct PartSource {
    pub(crate) from: ObjectAddress,
    pub(crate) range: Option<ByteRange>,
    pub(crate) conditions: ReadConditions,
}

impl Objects {
    pub(crate) async fn create_upload(
        &self,
        at: &ObjectAddress,
        headers: Headers,
        storage_class: Option<String>,
        plan: ChecksumPlan,
    ) -> Result<UploadId, StoreError> {
        check_key(at)?;
        let (headers, storage_class) = (headers.checked()?, model::storage_class(storage_class)?);
        let id = UploadId(uuid::Uuid::new_v4().simple().to_string());
        let at = at.clone();
        self.write(move |write| {
            let new = NewUpload { id, started: write.now, storage_class, plan, headers };
            index::create_upload(write.db, &at, &new)?;
            Ok(new.id)
        })
        .await
    }

    pub(crate) async fn upload_part(
        &self,
        at: &ObjectAddress,
        id: &UploadId,
        number: u32,
        part: Incoming,
    ) -> Result<StoredPart, StoreError> {
        if !(1..=MAX_PARTS).contains(&number) {
            return Err(StoreError::part_number(number));
        }
        let Upload { plan, headers, .. } = self.upload(at, id).await?;
        let Incoming { body, announced } = part;
        if let Some(checksum) = &announced.checksum
            && plan.asked
            && checksum.algorithm != plan.algorithm
        {
            return Err(StoreError::InvalidRequest(
                "the part's checksum is not of the algorithm that the upload was created with",
            ));
        }
        let receive =
            Receive { announced, algorithm: plan.algorithm, max: MAX_PUT, always_file: true };
        let received = receive.run(&self.files, body).await?;
        let (size, checksum) = (received.size, received.checksum());
        let told = received.announced().or_else(|| checksum.clone().filter(|_| plan.asked));
        let etag = EntityTag::of_md5(received.md5());
        let Body::File(file) = received.body else {
            return Err(StoreError::Corrupt("a part without a file".to_owned()));
        };
        let (at, id, file_id) = (at.clone(), id.clone(), file.id());
        self.write_file(Some(file), move |write| {
            let modified = write.now;
            let part = NewPart { number, size, etag, modified, checksum, file: file_id };
            write.orphans.extend(index::put_part(write.db, &at, &id, &part)?);
            let encryption = headers.encryption;
            Ok(StoredPart { etag: part.etag, modified, checksum: told, encryption })
        })
        .await
    }

    /// Makes a part of bytes that an object has.
    pub(crate) async fn upload_part_copy(
        &self,
        at: &ObjectAddress,
        id: &UploadId,
        number: u32,
        source: PartSource,
    ) -> Result<StoredPart, StoreError> {
        let PartSource { from, range, conditions } = source;
        let got = self.get(&from, range.into(), conditions).await;
        let got = got.map_err(StoreError::of_source)?;
        let length = got.found.bytes.end - got.found.bytes.start;
        let announced = Announced { length: Some(length), ..Announced::default() };
        let body = got.body.map(|piece| piece.map_err(Into::into)).boxed();
        self.upload_part(at, id, number, Incoming { body, announced }).await
    }

    pub(crate) async fn complete_upload(
        &self,
        at: &ObjectAddress,
        id: &UploadId,
        mut complete: Complete,
    ) -> Result<Stored, StoreError> {
        check_key(at)?;
        if complete.parts.len() > MAX_PARTS as usize {
            return Err(StoreError::InvalidArgument("an upload has at most 10,000 parts"));
        }
        let (at, id) = (at.clone(), id.clone());
        self.write(move |write| {
            // A client that did not hear the answer asks again, and the answer is the same.
            if let Some(object) = index::completed(write.db, &at, &id)? {
                return Ok(object.into());
            }
            complete.now = write.now;
            let (object, orphans) = index::complete_upload(write.db, &at, &id, &complete)?;
            write.orphans.extend(orphans);
            let kind = ChangeKind::CompleteMultipartUpload;
            write.changes.push(Change::of(kind, &at, &object));
            Ok(object.into())
        })
        .await
    }

    pub(crate) async fn abort_upload(
        &self,
        at: &ObjectAddress,
        id: &UploadId,
    ) -> Result<(), StoreError> {
        let (at, id) = (at.clone(), id.clone());
        self.write(move |write| {
            write.orphans.extend(index::abort_upload(write.db, &at, &id)?);
            Ok(())
        })
        .await
    }

    pub(crate) async fn upload(
        &self,
        at: &ObjectAddress,
        id: &UploadId,
    ) -> Result<Upload, StoreError> {
        check_key(at)?;
        let (at, id) = (at.clone(), id.clone());
        self.read(move |db| index::upload(db, &at, &id)).await
    }

    /// Parts after `after` by number, at most 1,000, and whether more follow.
    pub(crate) async fn list_parts(
        &self,
        at: &ObjectAddress,
        id: &UploadId,
        after: u32,
        max: usize,
    ) -> Result<(Upload, Vec<Part>, bool), StoreError> {
        let (at, id) = (at.clone(), id.clone());
        self.read(move |db| {
            let upload = index::upload(db, &at, &id)?;
            let (parts, more) = index::list_parts(db, &upload, after, max.min(MAX_LIST))?;
            Ok((upload, parts, more))
        })
        .await
    }

    pub(crate) async fn list_uploads(
        &self,
        mut query: UploadsQuery,
    ) -> Result<Page<ListedUpload>, StoreError> {
        query.keys.max = query.keys.max.min(MAX_LIST);
        self.read(move |db| index::list_uploads(db, &query)).await
    }
}
