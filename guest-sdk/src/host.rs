//! The host: the component's imports under wasm, memory natively. The rest of the crate cannot
//! tell them apart, since both offer the same names.

#[cfg(target_family = "wasm")]
mod component;
#[cfg(not(target_family = "wasm"))]
pub(crate) mod memory;

#[cfg(target_family = "wasm")]
pub use self::component::bindings;
#[cfg(target_family = "wasm")]
pub(crate) use self::component::{Bucket, Reader, Writer, beat, current, log};
#[cfg(not(target_family = "wasm"))]
pub(crate) use self::memory::{Bucket, Reader, Writer, beat, current, log};

use crate::object_store::ObjectInfo;

/// One page of a listing.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) objects: Vec<ObjectInfo>,
    pub(crate) next: Option<String>,
}
