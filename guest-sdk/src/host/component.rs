//! The host of a component: `wit/activity`, and the way between its types and this crate's.

use self::bindings::cpe::activity as wit;
use crate::{
    Failure,
    context::ActivityTask,
    heartbeat::Directive,
    host::Page,
    log::Level,
    object_store::{ByteRange, ErrorKind, ObjectInfo, PutOptions},
};

#[expect(missing_docs, reason = "generated; the documentation is in wit/")]
#[allow(unreachable_pub, missing_debug_implementations, reason = "generated")]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit/activity",
        world: "activity",
        pub_export_macro: true,
        export_macro_name: "export",
    });
}

pub(crate) fn current() -> ActivityTask {
    let current = wit::context::current();
    ActivityTask {
        workflow_id: current.workflow_id,
        run_id: current.run_id,
        activity_id: current.activity_id,
        activity_name: current.activity_name,
        activity_version: current.activity_version,
        attempt: current.attempt,
        client: current.client,
        job_id: current.job_id,
        deadline: current.deadline,
    }
}

pub(crate) fn beat(progress: String) -> Directive {
    match wit::heartbeat::beat(&progress) {
        wit::heartbeat::Directive::Proceed => Directive::Proceed,
        wit::heartbeat::Directive::Cancel => Directive::Cancel,
    }
}

pub(crate) fn log(level: Level, message: &str, fields: &[(&str, &str)]) {
    let level = match level {
        Level::Trace => wit::log::Level::Trace,
        Level::Debug => wit::log::Level::Debug,
        Level::Info => wit::log::Level::Info,
        Level::Warn => wit::log::Level::Warn,
        Level::Error => wit::log::Level::Error,
    };
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    wit::log::write(level, message, &fields.iter().map(owned).collect::<Vec<_>>());
}

#[derive(Debug)]
pub(crate) struct Bucket(wit::object_store::Bucket);

impl Bucket {
    pub(crate) fn open(name: &str) -> Result<Self, ErrorKind> {
        Ok(Self(wit::object_store::Bucket::open(name)?))
    }

    pub(crate) fn head(&self, key: &str) -> Result<ObjectInfo, ErrorKind> {
        Ok(self.0.head(key)?.into())
    }

    pub(crate) fn get(&self, key: &str, range: Option<ByteRange>) -> Result<Reader, ErrorKind> {
        let range = range.map(|range| match range {
            ByteRange::Start(first) => wit::object_store::ByteRange::Start(first),
            ByteRange::Inclusive(first, last) => {
                wit::object_store::ByteRange::Inclusive((first, last))
            }
            ByteRange::Suffix(length) => wit::object_store::ByteRange::Suffix(length),
        });
        Ok(Reader(self.0.get(key, range)?))
    }

    pub(crate) fn put(&self, key: &str, options: PutOptions) -> Result<Writer, ErrorKind> {
        let options = wit::object_store::PutOptions {
            content_type: options.content_type,
            storage_class: options.storage_class,
            encrypt: options.encrypt,
        };
        Ok(Writer(self.0.put(key, &options)?))
    }

    pub(crate) fn list(&self, prefix: &str, after: Option<&str>) -> Result<Page, ErrorKind> {
        let page = self.0.list(prefix, after)?;
        Ok(Page { objects: page.objects.into_iter().map(Into::into).collect(), next: page.next })
    }

    pub(crate) fn copy(&self, key: &str, to: &Self, to_key: &str) -> Result<(), ErrorKind> {
        Ok(self.0.copy(key, &to.0, to_key)?)
    }

    pub(crate) fn delete(&self, key: &str) -> Result<(), ErrorKind> {
        Ok(self.0.delete(key)?)
    }
}

#[derive(Debug)]
pub(crate) struct Reader(wit::object_store::Reader);

impl Reader {
    pub(crate) fn info(&self) -> ObjectInfo {
        self.0.info().into()
    }

    pub(crate) fn read(&self, max: u32) -> Result<Vec<u8>, ErrorKind> {
        Ok(self.0.read(max)?)
    }
}

#[derive(Debug)]
pub(crate) struct Writer(wit::object_store::Writer);

impl Writer {
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), ErrorKind> {
        Ok(self.0.write(bytes)?)
    }

    pub(crate) fn finish(&self) -> Result<(), ErrorKind> {
        Ok(self.0.finish()?)
    }
}

impl From<wit::object_store::ObjectInfo> for ObjectInfo {
    fn from(info: wit::object_store::ObjectInfo) -> Self {
        Self {
            key: info.key,
            size: info.size,
            etag: info.etag,
            content_type: info.content_type,
            last_modified: info.last_modified,
        }
    }
}

impl From<wit::object_store::Error> for ErrorKind {
    fn from(error: wit::object_store::Error) -> Self {
        match error {
            wit::object_store::Error::NoSuchKey => Self::NoSuchKey,
            wit::object_store::Error::NoSuchBucket => Self::NoSuchBucket,
            wit::object_store::Error::AccessDenied(why) => Self::AccessDenied(why),
            wit::object_store::Error::InvalidArgument(why) => Self::InvalidArgument(why),
            wit::object_store::Error::Unavailable(why) => Self::Unavailable(why),
        }
    }
}

impl From<Failure> for bindings::exports::cpe::activity::handler::Failure {
    fn from(failure: Failure) -> Self {
        let Failure { reason, details, retryable } = failure;
        Self { reason, details, retryable }
    }
}
