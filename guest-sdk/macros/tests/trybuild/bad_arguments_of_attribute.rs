use cpe_guest::{Failure, activity};

#[activity(name = "double")]
fn double(input: u32) -> Result<u32, Failure> {
    Ok(input * 2)
}

fn main() {}
