use cpe_guest::{Failure, activity};

#[activity]
fn same<T>(input: T) -> Result<T, Failure> {
    Ok(input)
}

fn main() {}
