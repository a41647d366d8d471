//! A listing as an iterator: it fetches pages, and knows nothing of what they cost.

use std::{fmt, vec};

use super::{Bucket, Error, ObjectInfo};

/// The objects of a bucket under a prefix, in key order: see [`Bucket::list`].
pub struct Objects<'a> {
    bucket: &'a Bucket,
    prefix: String,
    page: vec::IntoIter<ObjectInfo>,
    rest: Rest,
}

/// What lies beyond the page at hand.
enum Rest {
    Unread,
    After(String),
    Nothing,
}

impl<'a> Objects<'a> {
    pub(super) fn new(bucket: &'a Bucket, prefix: String) -> Self {
        Self { bucket, prefix, page: Vec::new().into_iter(), rest: Rest::Unread }
    }
}

impl Iterator for Objects<'_> {
    type Item = Result<ObjectInfo, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(object) = self.page.next() {
                return Some(Ok(object));
            }
            let after = match std::mem::replace(&mut self.rest, Rest::Nothing) {
                Rest::Unread => None,
                Rest::After(key) => Some(key),
                Rest::Nothing => return None,
            };
            match self.bucket.handle.list(&self.prefix, after.as_deref()) {
                Ok(page) => {
                    self.page = page.objects.into_iter();
                    self.rest = page.next.map_or(Rest::Nothing, Rest::After);
                }
                Err(kind) => return Some(Err(self.bucket.at(&self.prefix)(kind))),
            }
        }
    }
}

impl fmt::Debug for Objects<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objects").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}
