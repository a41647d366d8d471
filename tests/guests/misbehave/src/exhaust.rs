//! Takes what there is of one thing until there is no more: time, memory, stack, handles, calls.

use std::{hint::black_box, io::Write, time::Duration};

use cpe_guest::{
    Failure,
    heartbeat::{self, Progress},
    log,
    object_store::Bucket,
};
use serde_json::{Value, json};

pub(crate) fn spin() -> ! {
    let mut turns: u64 = 0;
    loop {
        turns = black_box(turns).wrapping_add(1);
    }
}

/// Spends its time in one instruction, which is not interrupted.
pub(crate) fn copy_memory() -> ! {
    let mut memory = vec![1_u8; 24 << 20];
    loop {
        let half = memory.len() / 2;
        black_box(&mut memory).copy_within(..half, half);
    }
}

pub(crate) fn eat_memory() -> ! {
    let mut eaten = Vec::new();
    loop {
        eaten.push(black_box(vec![1_u8; 1 << 20]));
    }
}

/// Calls itself without end.
pub(crate) fn recurse(depth: u64) -> u64 {
    if depth == u64::MAX {
        return 0;
    }
    recurse(depth + 1).rotate_left(3) ^ depth
}

pub(crate) fn flood_log(lines: u64) -> Value {
    // Whether anybody reads them is not this guest's concern.
    let (mut stdout, mut stderr) = (std::io::stdout(), std::io::stderr());
    for line in 0..lines {
        let message = format!("line {line} \u{1b}[31mred\u{7}\n of many");
        log::info(&message, &[("line", &line.to_string()), ("long", &"x".repeat(200))]);
        let _ = writeln!(stdout, "{message}").and_then(|()| writeln!(stderr, "{message}"));
    }
    json!({ "lines": lines })
}

pub(crate) fn hold_handles(bucket: &str, count: u64) -> Result<Value, Failure> {
    let held: Result<Vec<_>, _> = (0..count).map(|_| Bucket::open(bucket)).collect();
    Ok(json!({ "held": held?.len() }))
}

pub(crate) fn beat_forever() -> Result<Value, Failure> {
    loop {
        heartbeat::checkpoint(50, "beating until canceled")?;
        pause(Duration::from_millis(1));
    }
}

/// Reports progress as fast as it can, and does not obey.
pub(crate) fn ignore_cancel() -> ! {
    loop {
        let progress = Progress { percent: 50, message: "not listening".to_owned() };
        let _deaf = heartbeat::beat(&progress);
    }
}

#[expect(clippy::disallowed_methods, reason = "a guest has a thread of its own to block")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// Asks for as many random bytes as there can be.
#[cfg(target_family = "wasm")]
pub(crate) fn random_bomb() -> Value {
    json!({ "bytes": wasip2::random::random::get_random_bytes(u64::MAX).len() })
}

#[cfg(not(target_family = "wasm"))]
pub(crate) fn random_bomb() -> Value {
    Value::Null
}
