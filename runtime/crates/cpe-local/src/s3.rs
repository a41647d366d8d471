//! S3: buckets and objects, over HTTP (`front`, `service`) and as the port [`cpe_ports::BlobStore`].
//!
//! Both are thin layers over [`Objects`], so that the two cannot differ. What there is to know
//! about an object is in the database (`index`); bodies are immutable files (`files`), or in the
//! row when small. Keys never touch the file system. Must not know SWF, and of SQS only that a
//! queue takes a message (`notify`).

mod acl;
mod aws_chunked;
mod checksums;
mod detail;
mod error;
mod files;
mod form;
mod front;
mod index;
mod model;
mod multipart;
mod notify;
mod objects;
mod port;
mod receive;
mod service;
mod settings;
mod tags;
mod writing;

pub(crate) use self::{front::Front, index::create as create_tables, objects::Objects};

/// S3 over HTTP: everything that is not asked of another service.
pub(crate) fn service(objects: Objects) -> Front {
    Front::new(objects)
}

#[cfg(test)]
mod tests;
