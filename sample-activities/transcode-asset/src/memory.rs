//! Whether there is memory for what comes next.
//!
//! The host decides how much an activity gets, and does not tell. So it is asked for, once, before
//! a decoder or a resize takes it: in a sandbox a refusal here is an answer for the client, where
//! one in the middle of decoding would be a trap.

use crate::refusal::Refusal;

/// Refuses what cannot be had. What was asked for is given back, to be had again.
pub(crate) fn ensure(bytes: u64, what: &str) -> Result<(), Refusal> {
    let mut probe: Vec<u8> = Vec::new();
    let had = usize::try_from(bytes).is_ok_and(|bytes| probe.try_reserve_exact(bytes).is_ok());
    // Else the compiler may notice that nothing is done with the memory, and not ask for it.
    std::hint::black_box(&probe);
    if had {
        return Ok(());
    }
    let mebibytes = bytes.div_ceil(1 << 20);
    Err(Refusal::too_large(format!(
        "{what} takes {mebibytes} MiB of memory, more than the activity was given"
    )))
}
