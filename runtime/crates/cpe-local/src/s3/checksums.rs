//! The checksums that S3 keeps beside an object: computed on the way in, joined for multipart
//! uploads.
//!
//! Knows bytes only; what a checksum is good for is for others to know.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use crc_fast::CrcAlgorithm;
use s3s::{
    checksum::ChecksumHasher,
    crypto::{Checksum as _, Md5, Sha1, Sha256},
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Algorithm {
    #[serde(rename = "CRC32")]
    Crc32,
    #[serde(rename = "CRC32C")]
    Crc32c,
    #[serde(rename = "CRC64NVME")]
    Crc64nvme,
    #[serde(rename = "SHA1")]
    Sha1,
    #[serde(rename = "SHA256")]
    Sha256,
}

impl Algorithm {
    pub(crate) const ALL: [Self; 5] =
        [Self::Crc32, Self::Crc32c, Self::Crc64nvme, Self::Sha1, Self::Sha256];

    /// What S3 computes where nobody asked for anything.
    pub(crate) const DEFAULT: Self = Self::Crc64nvme;

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// The header, or trailer, that carries it.
    pub(crate) fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
        }
    }

    /// Bytes of one value.
    fn length(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64nvme => 8,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64nvme => Some(CrcAlgorithm::Crc64Nvme),
            Self::Sha1 | Self::Sha256 => None,
        }
    }

    fn hash(self, data: &[u8]) -> Vec<u8> {
        match (self.crc(), self) {
            (Some(crc), _) => self.bytes_of_crc(crc_fast::checksum(crc, data)),
            (None, Self::Sha1) => Sha1::checksum(data).to_vec(),
            (None, _) => Sha256::checksum(data).to_vec(),
        }
    }

    fn bytes_of_crc(self, crc: u64) -> Vec<u8> {
        crc.to_be_bytes().into_iter().skip(8 - self.length().min(8)).collect()
    }

    /// What a client wrote, if it has the form of a value.
    pub(crate) fn decode(self, base64: &str) -> Option<Vec<u8>> {
        BASE64.decode(base64).ok().filter(|value| value.len() == self.length())
    }
}

/// Of what a multipart object's checksum is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ChecksumKind {
    /// Of all its bytes.
    #[serde(rename = "FULL_OBJECT")]
    FullObject,
    /// Of the checksums of its parts.
    #[serde(rename = "COMPOSITE")]
    Composite,
}

impl ChecksumKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }
}

/// Which checksum a multipart upload is to end with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChecksumPlan {
    pub(crate) algorithm: Algorithm,
    pub(crate) kind: ChecksumKind,
    /// Whether the client asked for it.
    pub(crate) asked: bool,
}

impl ChecksumPlan {
    /// `None` if the two do not go together: a hash cannot be joined, and of CRC64NVME S3 keeps
    /// that of the whole only.
    pub(crate) fn new(algorithm: Option<Algorithm>, kind: Option<ChecksumKind>) -> Option<Self> {
        let asked = algorithm.is_some();
        let algorithm = algorithm.unwrap_or(Algorithm::DEFAULT);
        let kind = kind.unwrap_or(match algorithm {
            Algorithm::Crc64nvme => ChecksumKind::FullObject,
            _ => ChecksumKind::Composite,
        });
        let possible = match kind {
            ChecksumKind::FullObject => algorithm.crc().is_some(),
            ChecksumKind::Composite => algorithm != Algorithm::Crc64nvme,
        };
        possible.then_some(Self { algorithm, kind, asked })
    }
}

/// A checksum as S3 writes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Checksum {
    pub(crate) algorithm: Algorithm,
    pub(crate) kind: ChecksumKind,
    /// Base64; a composite one ends with `-N`.
    pub(crate) value: String,
}

impl Checksum {
    /// As the attributes of an object tell it, and nothing else does: without the number of parts.
    pub(crate) fn without_count(mut self) -> Self {
        if self.kind == ChecksumKind::Composite
            && let Some((value, _count)) = self.value.split_once('-')
        {
            self.value = value.to_owned();
        }
        self
    }
}

/// Joins the checksums of an upload's parts, each with its part's size, as the plan says.
/// `None` if a part has none, or one of another algorithm.
pub(crate) fn join(plan: ChecksumPlan, parts: &[(Option<Checksum>, u64)]) -> Option<Checksum> {
    let algorithm = plan.algorithm;
    let mut values = Vec::with_capacity(parts.len());
    for (checksum, size) in parts {
        let checksum = checksum.as_ref().filter(|checksum| checksum.algorithm == algorithm)?;
        values.push((algorithm.decode(&checksum.value)?, *size));
    }
    let value = match plan.kind {
        ChecksumKind::Composite => {
            let all: Vec<u8> = values.into_iter().flat_map(|(value, _)| value).collect();
            format!("{}-{}", BASE64.encode(algorithm.hash(&all)), parts.len())
        }
        ChecksumKind::FullObject => {
            let crc = algorithm.crc()?;
            let whole = values
                .into_iter()
                .map(|(value, size)| {
                    (value.into_iter().fold(0, |sum, byte| sum << 8 | u64::from(byte)), size)
                })
                .reduce(|(left, before), (right, size)| {
                    (crc_fast::checksum_combine(crc, left, right, size), before + size)
                });
            BASE64.encode(algorithm.bytes_of_crc(whole?.0))
        }
    };
    Some(Checksum { algorithm, kind: plan.kind, value })
}

/// MD5 and the checksums asked for, computed while the bytes pass.
pub(crate) struct Hashing {
    md5: Md5,
    others: ChecksumHasher,
}

/// What came of it.
#[derive(Debug, Clone)]
pub(crate) struct Digests {
    pub(crate) md5: [u8; 16],
    others: Vec<(Algorithm, String)>,
}

impl Hashing {
    pub(crate) fn new(algorithms: &[Algorithm]) -> Self {
        let has = |algorithm| algorithms.contains(&algorithm);
        let others = ChecksumHasher {
            crc32: has(Algorithm::Crc32).then(Default::default),
            crc32c: has(Algorithm::Crc32c).then(Default::default),
            crc64nvme: has(Algorithm::Crc64nvme).then(Default::default),
            sha1: has(Algorithm::Sha1).then(Default::default),
            sha256: has(Algorithm::Sha256).then(Default::default),
        };
        Self { md5: Md5::new(), others }
    }

    pub(crate) fn update(&mut self, data: &[u8]) {
        self.md5.update(data);
        self.others.update(data);
    }

    pub(crate) fn finish(self) -> Digests {
        let sums = self.others.finalize();
        let others = [
            (Algorithm::Crc32, sums.checksum_crc32),
            (Algorithm::Crc32c, sums.checksum_crc32c),
            (Algorithm::Crc64nvme, sums.checksum_crc64nvme),
            (Algorithm::Sha1, sums.checksum_sha1),
            (Algorithm::Sha256, sums.checksum_sha256),
        ];
        let others =
            others.into_iter().filter_map(|(algorithm, sum)| Some((algorithm, sum?))).collect();
        Digests { md5: self.md5.finalize(), others }
    }
}

impl Digests {
    pub(crate) fn of(&self, algorithm: Algorithm) -> Option<Checksum> {
        let (_, value) = self.others.iter().find(|(computed, _)| *computed == algorithm)?;
        Some(Checksum { algorithm, kind: ChecksumKind::FullObject, value: value.clone() })
    }
}

/// The MD5 of the parts' MD5s, as an entity tag of a multipart object.
pub(crate) fn md5_of_md5s(parts: &[[u8; 16]]) -> [u8; 16] {
    Md5::checksum(parts.concat().as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATA: &[u8] = b"The quick brown fox jumps over the lazy dog";

    fn of(algorithm: Algorithm, data: &[u8]) -> Checksum {
        let mut hashing = Hashing::new(&[algorithm]);
        hashing.update(data);
        hashing.finish().of(algorithm).unwrap()
    }

    #[test]
    fn known_values() {
        // CRC32 414FA339 and CRC32C 22620404 of this sentence are in many a manual.
        assert_eq!(of(Algorithm::Crc32, DATA).value, BASE64.encode([0x41, 0x4f, 0xa3, 0x39]));
        assert_eq!(of(Algorithm::Crc32c, DATA).value, BASE64.encode([0x22, 0x62, 0x04, 0x04]));
        let md5 = Hashing::new(&[]).finish().md5;
        assert_eq!(hex::encode(md5), "d41d8cd98f00b204e9800998ecf8427e");
    }

    #[test]
    fn joined_crcs_are_those_of_the_whole() {
        for algorithm in [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64nvme] {
            let plan = ChecksumPlan::new(Some(algorithm), Some(ChecksumKind::FullObject)).unwrap();
            let parts: Vec<_> =
                DATA.chunks(7).map(|part| (Some(of(algorithm, part)), part.len() as u64)).collect();
            assert_eq!(join(plan, &parts), Some(of(algorithm, DATA)), "{algorithm:?}");
        }
    }

    #[test]
    fn a_composite_checksum_is_that_of_checksums() {
        let plan = ChecksumPlan::new(Some(Algorithm::Sha256), None).unwrap();
        let (one, two) = (of(Algorithm::Sha256, b"one"), of(Algorithm::Sha256, b"two"));
        let both = [one.clone(), two.clone()].map(|sum| BASE64.decode(sum.value).unwrap()).concat();
        let expected = format!("{}-2", of(Algorithm::Sha256, &both).value);
        let joined = join(plan, &[(Some(one), 3), (Some(two), 3)]).unwrap();
        assert_eq!((joined.value, joined.kind), (expected, ChecksumKind::Composite));
    }

    #[test]
    fn a_part_without_its_checksum_gives_none() {
        let plan = ChecksumPlan::new(Some(Algorithm::Crc32), None).unwrap();
        assert_eq!(join(plan, &[(None, 3)]), None);
        assert_eq!(join(plan, &[(Some(of(Algorithm::Crc32c, DATA)), 43)]), None);
    }

    #[test]
    fn not_every_plan_is_possible() {
        let plan = ChecksumPlan::new;
        assert!(plan(Some(Algorithm::Sha1), Some(ChecksumKind::FullObject)).is_none());
        assert!(plan(Some(Algorithm::Crc64nvme), Some(ChecksumKind::Composite)).is_none());
        assert_eq!(plan(None, None).unwrap().kind, ChecksumKind::FullObject);
        assert_eq!(plan(Some(Algorithm::Crc32), None).unwrap().kind, ChecksumKind::Composite);
    }
}
