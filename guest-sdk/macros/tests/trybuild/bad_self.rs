use cpe_guest::{Failure, activity};

struct Double;

impl Double {
    #[activity]
    fn run(&self) -> Result<u32, Failure> {
        Ok(2)
    }
}

fn main() {
    let _ = (Double.run(), Failure::permanent("a", "b"));
}
