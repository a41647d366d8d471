//! Buckets, and the lists of what is in them.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};
use s3s::{
    S3Error, S3ErrorCode, S3Request, S3Response, S3Result,
    dto::{
        Bucket, BucketLocationConstraint, ChecksumAlgorithm, ChecksumType, CommonPrefix,
        CreateBucketInput, CreateBucketOutput, GetBucketLocationInput, GetBucketLocationOutput,
        HeadBucketInput, HeadBucketOutput, ListBucketsInput, ListBucketsOutput, ListObjectsInput,
        ListObjectsOutput, ListObjectsV2Input, ListObjectsV2Output, Object, ObjectStorageClass,
        Owner,
    },
};

use super::{
    OWNER, Service,
    acl::Asked,
    convert::{Names, etag, page_size, refuse, signed, timestamp},
};
use crate::s3::{
    error::StoreError,
    front::SignedRegion,
    index::{Listed, Setting},
    model::{Entry, ListQuery, MAX_LIST, Page, region},
    objects::DEFAULT_REGION,
};

/// S3 lists at most so many buckets at once.
const MAX_BUCKETS: usize = 10_000;
const ACCOUNT: &str = "123456789012";
const BUCKET_ARN: HeaderName = HeaderName::from_static("x-amz-bucket-arn");

impl Service {
    pub(super) async fn make_bucket(
        &self,
        req: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        let S3Request { input, extensions, headers, .. } = req;
        refuse([(input.object_lock_enabled_for_bucket == Some(true), "object lock")])?;
        let constraint =
            input.create_bucket_configuration.and_then(|wanted| wanted.location_constraint);
        let constraint = constraint.as_ref().map(BucketLocationConstraint::as_str);
        let constraint = constraint.filter(|constraint| !constraint.is_empty());
        if let Some(SignedRegion(signed)) = extensions.get::<SignedRegion>() {
            check_place(signed, constraint)?;
        }
        let region = constraint.map_or(Ok(DEFAULT_REGION), region)?;
        if headers.get("x-amz-bucket-namespace").is_some_and(|it| it == "account-regional") {
            check_namespace(&input.bucket, region)?;
        }
        let asked = Asked {
            canned: input.acl.map(|acl| acl.as_str().to_owned()),
            full_control: input.grant_full_control,
            read: input.grant_read,
            read_acp: input.grant_read_acp,
            write: input.grant_write,
            write_acp: input.grant_write_acp,
            document: None,
        };
        let grants = asked.take()?;
        let made = self.objects.create_bucket(&input.bucket, region).await?;
        // Where S3 began, making one's own bucket again is no error; elsewhere it is.
        if !made
            && (region != DEFAULT_REGION
                || self.objects.bucket(&input.bucket).await?.region != DEFAULT_REGION)
        {
            return Err(StoreError::BucketAlreadyOwnedByYou(input.bucket).into());
        }
        if let Some(grants) = grants {
            self.objects.put_setting(&input.bucket, Setting::Acl, &grants).await?;
        }
        let location = Some(format!("/{}", input.bucket));
        let mut response = S3Response::new(CreateBucketOutput { location });
        // `s3s` has no field for it.
        let arn = HeaderValue::try_from(format!("arn:aws:s3:::{}", input.bucket));
        response.headers.extend(arn.ok().map(|arn| (BUCKET_ARN, arn)));
        Ok(response)
    }

    pub(super) async fn bucket(
        &self,
        input: HeadBucketInput,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        let bucket = self.objects.bucket(&input.bucket).await?;
        let bucket_region = Some(bucket.region);
        let head = HeadBucketOutput { bucket_region, ..HeadBucketOutput::default() };
        let mut response = S3Response::new(head);
        response.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/xml"));
        Ok(response)
    }

    pub(super) async fn location(
        &self,
        input: GetBucketLocationInput,
    ) -> S3Result<GetBucketLocationOutput> {
        let region = self.objects.bucket(&input.bucket).await?.region;
        // Of its first region S3 says nothing.
        let constraint = (region != DEFAULT_REGION).then(|| region.into());
        Ok(GetBucketLocationOutput { location_constraint: constraint })
    }

    pub(super) async fn buckets(&self, input: ListBucketsInput) -> S3Result<ListBucketsOutput> {
        let prefix = input.prefix.clone().unwrap_or_default();
        let after = input.continuation_token.as_deref().map(from_token).transpose()?;
        let max = page_size("max-buckets", input.max_buckets, MAX_BUCKETS)?;
        let region = input.bucket_region;
        let (buckets, more) = self.objects.list_buckets(prefix, region, after, max).await?;
        let last = buckets.last().filter(|_| more).map(|bucket| to_token(&bucket.name));
        let buckets = buckets
            .into_iter()
            .map(|bucket| Bucket {
                bucket_region: Some(bucket.region),
                creation_date: Some(timestamp(bucket.created)),
                name: Some(bucket.name),
            })
            .collect();
        Ok(ListBucketsOutput {
            buckets: Some(buckets),
            continuation_token: last,
            owner: Some(owner()),
            prefix: input.prefix,
        })
    }

    pub(super) async fn list(&self, input: ListObjectsInput) -> S3Result<ListObjectsOutput> {
        let names = Names::new(input.encoding_type.as_ref())?;
        let query = ListQuery {
            bucket: input.bucket.clone(),
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone(),
            after: input.marker.clone().filter(|marker| !marker.is_empty()),
            max: page_size("max-keys", input.max_keys, MAX_LIST)?,
        };
        let max = query.max;
        let page = self.objects.list(query).await?;
        let last = page.entries.last().filter(|_| page.truncated && input.delimiter.is_some());
        let next_marker = last.map(|entry| names.write(entry.name()));
        let is_truncated = page.truncated;
        let (contents, common_prefixes) = entries(page, &names, true);
        Ok(ListObjectsOutput {
            name: Some(input.bucket),
            prefix: Some(names.write(&input.prefix.unwrap_or_default())),
            marker: Some(names.write(&input.marker.unwrap_or_default())),
            max_keys: Some(entries_told(max)),
            is_truncated: Some(is_truncated),
            contents: Some(contents),
            common_prefixes: Some(common_prefixes),
            delimiter: input.delimiter.map(|delimiter| names.write(&delimiter)),
            next_marker,
            encoding_type: input.encoding_type,
            request_charged: None,
        })
    }

    pub(super) async fn list_v2(&self, input: ListObjectsV2Input) -> S3Result<ListObjectsV2Output> {
        let names = Names::new(input.encoding_type.as_ref())?;
        let token = input.continuation_token.as_deref().map(from_token).transpose()?;
        let query = ListQuery {
            bucket: input.bucket.clone(),
            prefix: input.prefix.clone().unwrap_or_default(),
            delimiter: input.delimiter.clone(),
            after: token.or_else(|| input.start_after.clone()).filter(|after| !after.is_empty()),
            max: page_size("max-keys", input.max_keys, MAX_LIST)?,
        };
        let max = query.max;
        let page = self.objects.list(query).await?;
        let key_count = entries_told(page.entries.len());
        let last = page.entries.last().filter(|_| page.truncated);
        let next_continuation_token = last.map(|entry| to_token(entry.name()));
        let is_truncated = page.truncated;
        let owner = input.fetch_owner == Some(true);
        let (contents, common_prefixes) = entries(page, &names, owner);
        Ok(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: Some(names.write(&input.prefix.unwrap_or_default())),
            max_keys: Some(entries_told(max)),
            key_count: Some(key_count),
            continuation_token: input.continuation_token,
            is_truncated: Some(is_truncated),
            next_continuation_token,
            contents: Some(contents),
            common_prefixes: Some(common_prefixes),
            delimiter: input.delimiter.map(|delimiter| names.write(&delimiter)),
            encoding_type: input.encoding_type,
            start_after: input.start_after.map(|after| names.write(&after)),
            request_charged: None,
        })
    }
}

/// Outside of its first region S3 makes buckets only where the request goes.
fn check_place(signed: &str, constraint: Option<&str>) -> Result<(), StoreError> {
    if signed == DEFAULT_REGION || constraint == Some(signed) {
        return Ok(());
    }
    let place = constraint.unwrap_or("unspecified").chars().take(64).collect();
    Err(StoreError::IllegalLocationConstraint(place))
}

/// A bucket in the account's own namespace says so by the end of its name.
fn check_namespace(bucket: &str, region: &str) -> S3Result<()> {
    if bucket.ends_with(&format!("-{ACCOUNT}-{region}-an")) {
        return Ok(());
    }
    let mut error = S3Error::new(S3ErrorCode::Custom("InvalidNamespaceHeader".into()));
    error.set_status_code(StatusCode::BAD_REQUEST);
    error.set_message(format!("the bucket's name must end with -{ACCOUNT}-{region}-an"));
    Err(error)
}

pub(super) fn entries(
    page: Page<Listed>,
    names: &Names,
    with_owner: bool,
) -> (Vec<Object>, Vec<CommonPrefix>) {
    let (mut objects, mut prefixes) = (Vec::new(), Vec::new());
    for entry in page.entries {
        match entry {
            Entry::CommonPrefix(prefix) => {
                prefixes.push(CommonPrefix { prefix: Some(names.write(&prefix)) });
            }
            Entry::One(key, listed) => objects.push(Object {
                checksum_algorithm: listed.checksum.as_ref().map(|checksum| {
                    vec![ChecksumAlgorithm::from_static(checksum.algorithm.name())]
                }),
                checksum_type: listed
                    .checksum
                    .map(|checksum| ChecksumType::from_static(checksum.kind.name())),
                e_tag: Some(etag(&listed.etag)),
                key: Some(names.write(&key)),
                last_modified: Some(timestamp(listed.modified)),
                owner: with_owner.then(owner),
                restore_status: None,
                size: Some(signed(listed.size)),
                storage_class: Some(ObjectStorageClass::from(listed.storage_class)),
            }),
        }
    }
    (objects, prefixes)
}

pub(super) fn owner() -> Owner {
    Owner { display_name: None, id: Some(OWNER.to_owned()) }
}

pub(super) fn entries_told(entries: usize) -> i32 {
    i32::try_from(entries).unwrap_or(i32::MAX)
}

/// Where a page ended, for a client that need not know how it is written.
fn to_token(name: &str) -> String {
    URL_SAFE_NO_PAD.encode(name)
}

fn from_token(token: &str) -> Result<String, StoreError> {
    let name = URL_SAFE_NO_PAD.decode(token).ok().and_then(|name| String::from_utf8(name).ok());
    name.filter(|name| !name.is_empty()).ok_or_else(|| StoreError::BadArgument {
        name: "continuation-token",
        value: token.chars().take(100).collect(),
        why: "The continuation token provided is incorrect",
    })
}
