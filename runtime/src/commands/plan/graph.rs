//! `cpe plan graph`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Failed, load};

#[derive(Debug, Args)]
pub struct Graph {
    /// The plan.
    file: PathBuf,
    #[arg(long, value_enum, default_value_t = Format::Mermaid)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Text that many pages and editors draw.
    Mermaid,
    /// A picture.
    Svg,
}

impl Graph {
    pub(super) fn run(self) -> Result<(), Failed> {
        let plan = load(&self.file)?;
        let text = match self.format {
            Format::Mermaid => plan.mermaid(),
            Format::Svg => plan.svg(),
        };
        print!("{text}");
        Ok(())
    }
}
