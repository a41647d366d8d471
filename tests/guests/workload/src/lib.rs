//! Work of known size: what the benches run as a guest, and natively beside it. It knows nothing
//! of how it is measured.

use std::{hint::black_box, time::Duration};

use cpe_guest::{Failure, activity, context, object_store::Bucket, object_store::PutOptions};
use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer, images::Image, images::ImageRef,
};
use serde::Deserialize;

/// Bytes of a copy that are in the guest at a time.
const PIECE: usize = 1 << 20;

/// What to do. The answer is a number that depends on all of the work.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Input {
    /// Waits in a host call.
    Sleep { millis: u64 },
    /// Computes, and calls nothing.
    Compute { rounds: u64 },
    /// Asks the host so many times for what it knows already.
    HostCalls { count: u64 },
    /// Makes a picture of 4,000 × 3,000 pixels smaller.
    Resize,
    /// Reads an object and writes it to another key.
    Copy { bucket: String, from: String, to: String },
}

/// Does the work.
///
/// # Errors
///
/// Only a copy can fail.
#[activity]
pub fn workload(input: Input) -> Result<u64, Failure> {
    match input {
        Input::Sleep { millis } => Ok(pause(millis)),
        Input::Compute { rounds } => Ok(compute(rounds)),
        Input::HostCalls { count } => {
            Ok((0..count).map(|_| u64::from(context::current().attempt)).sum())
        }
        Input::Resize => resize(),
        Input::Copy { bucket, from, to } => copy(&bucket, &from, &to),
    }
}

#[expect(clippy::disallowed_methods, reason = "a guest has no other threads, and this one waits")]
fn pause(millis: u64) -> u64 {
    std::thread::sleep(Duration::from_millis(millis));
    millis
}

/// A chain of multiplications, which no compiler and no CPU shortens.
pub fn compute(rounds: u64) -> u64 {
    let mut state = black_box(0x9e37_79b9_7f4a_7c15_u64);
    for round in 0..rounds {
        state = (state ^ round).wrapping_mul(0xff51_afd7_ed55_8ccd).rotate_left(31);
    }
    black_box(state)
}

/// As a picture is resized for the web: Lanczos, three channels.
///
/// # Errors
///
/// None, unless the sizes here are wrong.
pub fn resize() -> Result<u64, Failure> {
    let wrong = |error: &dyn std::fmt::Display| Failure::permanent("workload.resize", error);
    let (width, height) = (4000, 3000);
    // Lines of one pattern, each a little further: to make them takes next to nothing.
    let line: Vec<u8> = (0..(width + height) * 3).map(|n| (n / 3 + n / 7) as u8).collect();
    let lines = line.windows(width as usize * 3).step_by(3).take(height as usize);
    let pixels = lines.collect::<Vec<_>>().concat();
    let from = ImageRef::new(width, height, &pixels, PixelType::U8x3).map_err(|e| wrong(&e))?;
    let mut to = Image::new(1000, 750, PixelType::U8x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    Resizer::new().resize(&from, &mut to, &options).map_err(|e| wrong(&e))?;
    Ok(to.buffer().iter().map(|byte| u64::from(*byte)).sum())
}

fn copy(bucket: &str, from: &str, to: &str) -> Result<u64, Failure> {
    use std::io::{Read, Write};

    let bucket = Bucket::open(bucket)?;
    let mut reader = bucket.get(from)?;
    let mut writer = bucket.put(to, PutOptions::default())?;
    let failed = |error: std::io::Error| Failure::retryable("workload.copy", error);
    let mut piece = vec![0; PIECE];
    let mut size = 0;
    loop {
        let read = reader.read(&mut piece).map_err(failed)?;
        let Some(bytes) = piece.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        writer.write_all(bytes).map_err(failed)?;
        size += read as u64;
    }
    writer.finish()?;
    Ok(size)
}

#[cfg(test)]
mod tests {
    use cpe_guest::testing::Host;

    use super::*;

    #[test]
    fn a_copy_is_the_same() {
        let host = Host::new().object("media", "a", vec![7; 3 << 20]);
        let input = Input::Copy { bucket: "media".into(), from: "a".into(), to: "b".into() };
        let run = host.run(|| workload(input));
        assert_eq!(run.result, Ok(3 << 20));
        assert_eq!(run.object("media", "b").unwrap().len(), 3 << 20);
    }

    #[test]
    fn work_gives_the_same_number_each_time() {
        assert_eq!(compute(10), compute(10));
        assert_ne!(compute(10), compute(11));
        assert!(resize().unwrap() > 0);
    }
}
