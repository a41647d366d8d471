//! What is inside of a module that a plan names, for those who look at it and do not run it.

use std::{path::Path, sync::Arc};

use cpe_plan::ModuleRef;
use cpe_ports::BlobStore;
use cpe_sandbox::Digest;

use crate::{
    Inside, ModuleError, Registry,
    look::{Sources, look_at_file},
    oci::Oci,
};

/// Looks into modules wherever they are.
#[derive(Debug)]
pub struct Inspector(Sources);

impl Inspector {
    pub fn new(registry: Registry, blobs: Arc<dyn BlobStore>) -> Self {
        Self(Sources { registry, blobs, oci: Oci::new() })
    }

    /// The version that `reference` points at now, or the one that is pinned, and what is in it.
    ///
    /// # Errors
    ///
    /// If it is not there, cannot be read, or is no component.
    pub async fn inspect(
        &self,
        reference: &ModuleRef,
        pin: Option<&str>,
    ) -> Result<(Digest, Inside), ModuleError> {
        let (found, bytes) = self.0.look(reference, None).await?;
        let digest = match pin {
            Some(pin) => found.pinned(reference, pin)?,
            None => found.digest.clone(),
        };
        let bytes = match bytes.filter(|_| digest == found.digest) {
            Some(bytes) => bytes,
            None => self.0.fetch(reference, &digest).await?,
        };
        let inside = Inside::of(&reference.to_string(), &bytes)?;
        Ok((digest, inside))
    }
}

/// The same of a file, without a registry.
///
/// # Errors
///
/// As above.
pub async fn inspect_file(path: &Path, pin: Option<&str>) -> Result<(Digest, Inside), ModuleError> {
    let (found, bytes) = look_at_file(path).await?;
    let reference = ModuleRef::File(path.to_owned());
    let digest = match pin {
        Some(pin) => found.pinned(&reference, pin)?,
        None => found.digest,
    };
    Ok((digest, Inside::of(&reference.to_string(), &bytes)?))
}
