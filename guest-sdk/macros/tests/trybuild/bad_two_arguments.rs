use cpe_guest::{Failure, activity};

#[activity]
fn sum(a: u32, b: u32) -> Result<u32, Failure> {
    Ok(a + b)
}

fn main() {}
