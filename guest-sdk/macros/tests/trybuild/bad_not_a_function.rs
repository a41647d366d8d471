use cpe_guest::activity;

#[activity]
struct Double(Result<u32, ()>);

fn main() {}
