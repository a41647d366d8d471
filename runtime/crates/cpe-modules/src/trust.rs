//! Who signed a module: ed25519 signatures in the format of
//! [wasm module signatures](https://github.com/WebAssembly/tool-conventions/blob/main/Signatures.md),
//! which other tools write and check as well.
//!
//! A signature is in the module itself, in front of all else, and covers the whole rest. Whether
//! one is asked for, and whose, is the operator's to say, for each client.

use std::{
    collections::BTreeSet,
    fmt,
    io::Cursor,
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use wasmparser::{Parser, Payload};
use wasmsign2::{Module, PublicKey, SecretKey, WSError};

use crate::ModuleError;

/// More than the signatures of some dozens of people take.
const MAX_SIGNATURES: usize = 64 << 10;
/// The name of the section that the signatures are in, as the format has it.
const SECTION: &str = "signature";

/// The public key of somebody who may sign modules.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SignerKey(PublicKey);

impl SignerKey {
    /// A key as PEM text, as `openssl pkey -pubout` writes it.
    ///
    /// # Errors
    ///
    /// If the text is no public key of ed25519.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let key = PublicKey::from_pem(text.trim()).map_err(|_| KeyError { what: "public" })?;
        Ok(Self(key))
    }

    /// A few digits by which people tell keys apart.
    pub fn short(&self) -> String {
        let bytes = self.0.to_bytes();
        bytes.iter().skip(1).take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

impl fmt::Debug for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignerKey({})", self.short())
    }
}

impl PartialOrd for SignerKey {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SignerKey {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.to_bytes().cmp(&other.0.to_bytes())
    }
}

/// What was given for a key is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is no {what} key of ed25519 in PEM (`openssl genpkey -algorithm ed25519` makes a pair)"
)]
pub struct KeyError {
    what: &'static str,
}

/// Signs a component: in place of the signature that it has, if it has one. The same key and
/// component always give the same bytes.
///
/// # Errors
///
/// If `secret` is no secret key in PEM, or the bytes are no component.
pub fn sign(module: &str, bytes: &[u8], secret: &str) -> Result<Bytes, ModuleError> {
    let refused = |problem: String| ModuleError::Description { module: module.to_owned(), problem };
    let key = SecretKey::from_pem(secret.trim())
        .map_err(|_| refused(KeyError { what: "secret" }.to_string()))?;
    check_sections(bytes).map_err(refused)?;
    let unreadable = |error: WSError| refused(error.to_string());
    let parsed = Module::deserialize(&mut Cursor::new(bytes)).map_err(unreadable)?;
    let signed = key.sign(parsed, None).map_err(unreadable)?;
    let mut out = Vec::with_capacity(bytes.len() + 256);
    signed.serialize(&mut out).map_err(unreadable)?;
    Ok(out.into())
}

/// Whether one of these keys has signed a module.
///
/// # Errors
///
/// [`ModuleError::Untrusted`], with what is wrong.
pub fn check_signature(
    module: &str,
    bytes: &[u8],
    trusted: &BTreeSet<SignerKey>,
) -> Result<(), ModuleError> {
    Signatures::of(bytes, trusted).check(module, trusted)
}

/// What the signatures in a module come to, for all keys that this process knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Signatures {
    Absent,
    /// There is one, and it does not belong to these bytes.
    Broken(String),
    /// Whole; by these of the known keys, if any.
    By(BTreeSet<SignerKey>),
}

impl Signatures {
    /// Looks at the signatures in `bytes`.
    pub(crate) fn of(bytes: &[u8], known: &BTreeSet<SignerKey>) -> Self {
        match first_section(bytes) {
            Ok(Some(size)) if size > MAX_SIGNATURES => {
                return Self::Broken(format!("its signature has {size} bytes"));
            }
            Ok(Some(_)) => {}
            Ok(None) => return Self::Absent,
            Err(problem) => return Self::Broken(problem),
        }
        let verifies = |key: &&SignerKey| key.0.verify(&mut Cursor::new(bytes), None).is_ok();
        let by: BTreeSet<_> = known.iter().filter(verifies).cloned().collect();
        if by.is_empty() && !is_whole(bytes) {
            let problem = "it was changed after it had been signed, or its signature is damaged";
            return Self::Broken(problem.to_owned());
        }
        Self::By(by)
    }

    /// Whether one of `trusted` has signed it.
    pub(crate) fn check(
        &self,
        module: &str,
        trusted: &BTreeSet<SignerKey>,
    ) -> Result<(), ModuleError> {
        let problem = match self {
            Self::By(by) if by.intersection(trusted).next().is_some() => return Ok(()),
            Self::By(_) => {
                let keys: Vec<_> = trusted.iter().map(SignerKey::short).collect();
                format!("it is signed by none of those trusted here ({})", keys.join(", "))
            }
            Self::Broken(problem) => problem.clone(),
            Self::Absent => "it is not signed, and its client runs only what is".to_owned(),
        };
        let tampered = matches!(self, Self::Broken(_));
        Err(ModuleError::Untrusted { module: module.to_owned(), problem, tampered })
    }
}

/// The signatures in a module, for all keys that anybody asked for by now.
#[derive(Debug)]
pub(crate) struct Signed(Mutex<(BTreeSet<SignerKey>, Signatures)>);

impl Signed {
    pub(crate) fn of(bytes: &[u8], known: BTreeSet<SignerKey>) -> Self {
        let signatures = Signatures::of(bytes, &known);
        Self(Mutex::new((known, signatures)))
    }

    pub(crate) fn broken(problem: String) -> Self {
        Self(Mutex::new((BTreeSet::new(), Signatures::Broken(problem))))
    }

    /// Whether one of `trusted` has signed it; `None` if nobody has looked for some of these.
    pub(crate) fn check(
        &self,
        module: &str,
        trusted: &BTreeSet<SignerKey>,
    ) -> Option<Result<(), ModuleError>> {
        let checked = self.lock();
        let (known, signatures) = &*checked;
        let is_known = matches!(signatures, Signatures::Absent) || trusted.is_subset(known);
        let told = signatures.check(module, trusted);
        (is_known || told.is_ok()).then_some(told)
    }

    /// Looks for the signatures of these, too.
    pub(crate) fn look_again(&self, bytes: &[u8], trusted: &BTreeSet<SignerKey>) {
        let known = self.lock().0.union(trusted).cloned().collect::<BTreeSet<_>>();
        let signatures = Signatures::of(bytes, &known);
        *self.lock() = (known, signatures);
    }

    fn lock(&self) -> MutexGuard<'_, (BTreeSet<SignerKey>, Signatures)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The size of the signature's section, if the first section is one.
fn first_section(bytes: &[u8]) -> Result<Option<usize>, String> {
    let mut sections = Parser::new(0).parse_all(bytes).skip(1);
    match sections.next() {
        Some(Ok(Payload::CustomSection(section))) if section.name() == SECTION => {
            Ok(Some(section.data().len()))
        }
        Some(Err(error)) => Err(error.to_string()),
        _ => Ok(None),
    }
}

/// That every section is as long as it says: what reads them next believes it.
fn check_sections(bytes: &[u8]) -> Result<(), String> {
    for payload in Parser::new(0).parse_all(bytes) {
        payload.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Whether any signature in it, by whomever, is of a module with these bytes.
fn is_whole(bytes: &[u8]) -> bool {
    let mut reader = Cursor::new(bytes);
    let Ok(stream) = Module::init_from_reader(&mut reader) else { return false };
    let Ok(mut sections) = Module::iterate(stream) else { return false };
    let Some(Ok(wasmsign2::Section::Custom(first))) = sections.next() else { return false };
    let Ok(data) = first.signature_data() else { return false };
    let start = usize::try_from(reader.position()).unwrap_or(usize::MAX);
    let digest = cpe_sandbox::Digest::of(bytes.get(start..).unwrap_or_default());
    let hex = |hash: &Vec<u8>| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    data.signed_hashes_set.iter().flat_map(|set| &set.hashes).any(|hash| hex(hash) == digest.hex())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_guests::{activity, key_pair};

    fn outcome(bytes: &[u8], known: &[&SignerKey], trusted: &[&SignerKey]) -> String {
        let set = |keys: &[&SignerKey]| keys.iter().copied().cloned().collect::<BTreeSet<_>>();
        match Signatures::of(bytes, &set(known)).check("m", &set(trusted)) {
            Ok(()) => "trusted".to_owned(),
            Err(error) => error.reason().to_owned(),
        }
    }

    #[test]
    fn only_what_a_trusted_key_signed_is_trusted() {
        let ((secret, mine), (_, other)) = (key_pair(1), key_pair(2));
        let plain = activity(1);
        let signed = sign("m", &plain, &secret).unwrap();
        assert_eq!(outcome(&signed, &[&mine], &[&mine]), "trusted");
        assert_eq!(outcome(&signed, &[&mine, &other], &[&other]), "cpe.module.untrusted");
        assert_eq!(outcome(&signed, &[&other], &[&other]), "cpe.module.untrusted");
        assert_eq!(outcome(&plain, &[&mine], &[&mine]), "cpe.module.untrusted");
        let mut tampered = signed.to_vec();
        let at = tampered.windows(9).position(|w| w == b"version 1").unwrap();
        tampered[at + 8] = b'2';
        assert_eq!(outcome(&tampered, &[&mine], &[&mine]), "cpe.module.tampered");
        for cut in [0, 4, 8, 20, signed.len() - 1] {
            assert_ne!(outcome(&signed[..cut], &[&mine], &[&mine]), "trusted", "{cut}");
        }
    }

    #[test]
    fn signing_again_changes_nothing() {
        let (secret, _) = key_pair(1);
        let signed = sign("m", &activity(1), &secret).unwrap();
        assert_eq!(sign("m", &signed, &secret).unwrap(), signed);
        assert_eq!(sign("m", &activity(1), "no key").unwrap_err().reason(), "cpe.module.invalid");
        assert_eq!(sign("m", b"x", &secret).unwrap_err().reason(), "cpe.module.invalid");
    }

    #[test]
    fn keys_read_as_openssl_writes_them() {
        let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
        assert_eq!(SignerKey::from_pem(pem).unwrap().short(), "19bf44096984cdfe");
        for wrong in ["", "ssh-ed25519 AAAA", &pem.replace("MCow", "MCox")] {
            assert!(SignerKey::from_pem(wrong).is_err(), "{wrong}");
        }
    }
}
