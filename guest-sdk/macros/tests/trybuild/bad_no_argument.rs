use cpe_guest::{Failure, activity};

#[activity]
fn double() -> Result<u32, Failure> {
    Ok(2)
}

fn main() {}
