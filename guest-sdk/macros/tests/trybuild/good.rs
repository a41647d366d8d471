use cpe_guest::{Failure, activity};

#[activity]
pub fn double(input: u32) -> Result<u32, Failure> {
    Ok(input * 2)
}

fn main() {
    assert_eq!(double(2), Ok(4));
    assert_eq!(cpe_guest::run_json("2", double), Ok("4".to_owned()));
}
