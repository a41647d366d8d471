use cpe_guest::activity;

#[activity]
fn nothing(_input: u32) {}

fn main() {}
