//! What a worker notes of a run in SWF's history, so that clients and operators hear of it: which
//! component ran, what it took, and what it could reach.

use std::time::Duration;

use cpe_protocol::{Metering, Note};
use cpe_sandbox::Digest;
use cpe_swf::MAX_NOTE_CHARS;

/// Characters of grants.
const MAX_GRANTS: usize = 600;

pub(super) fn of_run(module: &Digest, took: &cpe_sandbox::Metering, grants: &str) -> String {
    let millis = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
    let metering = Metering {
        module: module.to_string(),
        wait_ms: millis(took.wait),
        instantiate_ms: millis(took.instantiate),
        run_ms: millis(took.run),
        commit_ms: millis(took.commit),
        cpu_ms: millis(took.cpu),
        peak_memory: took.peak_memory,
        s3_read: took.bytes_read,
        s3_written: took.bytes_written,
        http_sent: took.http_sent,
        http_received: took.http_received,
    };
    let mut cut: String = grants.chars().take(MAX_GRANTS).collect();
    if cut.len() < grants.len() {
        cut.push('…');
    }
    let note = Note { metering, grants: Some(cut) };
    let text = note.to_json();
    // Escapes may take six characters for one. A note must be, or the guest's text could end like
    // one.
    let fits = text.chars().count() + 64 < MAX_NOTE_CHARS;
    if fits { text } else { Note { grants: None, ..note }.to_json() }
}

#[cfg(test)]
mod tests {
    use cpe_swf::with_note;

    use super::*;

    fn note(grants: &str) -> String {
        let took = cpe_sandbox::Metering {
            cpu: Duration::from_micros(1_234),
            peak_memory: u64::MAX,
            bytes_read: u64::MAX,
            bytes_written: u64::MAX,
            http_sent: u64::MAX,
            http_received: u64::MAX,
            ..Default::default()
        };
        of_run(&Digest::of(b"component"), &took, grants)
    }

    #[test]
    fn a_note_always_finds_room() {
        for grants in ["s3://b/k read", &"é".repeat(5_000), &"\u{1}".repeat(5_000)] {
            let text = note(grants);
            assert!(with_note(String::new(), &text).len() > text.len(), "{text}");
            let read = Note::parse(&text).unwrap();
            assert_eq!(read.metering.cpu_ms, 1.234);
        }
        assert_eq!(Note::parse(&note("s3://b/k read")).unwrap().grants.unwrap(), "s3://b/k read");
    }
}
