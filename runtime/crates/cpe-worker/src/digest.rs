//! Names that fit anywhere, for texts that do not.

use sha2::{Digest, Sha256};

/// 40 hex digits.
pub(crate) fn digest_of(text: impl ToString) -> String {
    hex::encode(Sha256::digest(text.to_string())).chars().take(40).collect()
}
