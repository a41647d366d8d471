//! The checksum that a store keeps of a whole object, and the check of a body against it.
//!
//! Knows bytes only; how a checksum is written in a header is for the ports' implementations.

use std::fmt;

use crc_fast::{CrcAlgorithm, Digest};

/// Those that can be computed piece by piece at the speed of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChecksumAlgorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
}

/// Of all bytes of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checksum {
    pub algorithm: ChecksumAlgorithm,
    pub value: u64,
}

impl Checksum {
    pub fn of(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> Self {
        Self { algorithm, value: crc_fast::checksum(algorithm.crc(), bytes) }
    }

    /// From its bytes, the highest first, as S3's headers have them in base64.
    pub fn from_bytes(algorithm: ChecksumAlgorithm, bytes: &[u8]) -> Option<Self> {
        let expected = match algorithm {
            ChecksumAlgorithm::Crc32 | ChecksumAlgorithm::Crc32c => 4,
            ChecksumAlgorithm::Crc64Nvme => 8,
        };
        let value = bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        (bytes.len() == expected).then_some(Self { algorithm, value })
    }

    /// To be given the object's bytes in their order.
    pub fn check(self) -> ChecksumCheck {
        ChecksumCheck { expected: self, digest: Digest::new(self.algorithm.crc()) }
    }
}

impl ChecksumAlgorithm {
    fn crc(self) -> CrcAlgorithm {
        match self {
            Self::Crc32 => CrcAlgorithm::Crc32IsoHdlc,
            Self::Crc32c => CrcAlgorithm::Crc32Iscsi,
            Self::Crc64Nvme => CrcAlgorithm::Crc64Nvme,
        }
    }
}

/// Compares bytes with a [`Checksum`] as they come.
pub struct ChecksumCheck {
    expected: Checksum,
    digest: Digest,
}

impl ChecksumCheck {
    pub fn update(&mut self, bytes: &[u8]) {
        self.digest.update(bytes);
    }

    /// Whether the bytes so far are those that the checksum was made of.
    pub fn matches(&self) -> bool {
        self.digest.finalize() == self.expected.value
    }
}

impl fmt::Debug for ChecksumCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChecksumCheck").field("expected", &self.expected).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_checked_as_the_whole_is() {
        // The check values of the three algorithms.
        for (algorithm, value) in [
            (ChecksumAlgorithm::Crc32, 0xcbf4_3926),
            (ChecksumAlgorithm::Crc32c, 0xe306_9283),
            (ChecksumAlgorithm::Crc64Nvme, 0xae8b_1486_0a79_9888),
        ] {
            let checksum = Checksum::of(algorithm, b"123456789");
            assert_eq!(checksum, Checksum { algorithm, value });
            let mut check = checksum.check();
            check.update(b"1234");
            assert!(!check.matches());
            check.update(b"56789");
            assert!(check.matches());
        }
    }

    #[test]
    fn bytes_of_a_header_have_the_algorithms_length() {
        let parse = |bytes: &[u8]| Checksum::from_bytes(ChecksumAlgorithm::Crc32, bytes);
        assert_eq!(parse(&[0xcb, 0xf4, 0x39, 0x26]).unwrap().value, 0xcbf4_3926);
        assert_eq!(parse(&[1, 2, 3]), None);
        assert_eq!(parse(&[0; 8]), None);
    }
}
