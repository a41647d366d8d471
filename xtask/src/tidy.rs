//! `cargo xtask tidy`: the invariants of `runtime/ARCHITECTURE.md` and the house style, checked.

mod graph;
mod sandbox;
mod sources;

use anyhow::bail;

pub(crate) fn run() -> anyhow::Result<()> {
    let mut complaints = graph::check()?;
    complaints.append(&mut sources::check(&crate::shell::root())?);
    complaints.append(&mut sandbox::check(&crate::shell::root())?);
    if complaints.is_empty() {
        println!("tidy: invariants and style hold");
        return Ok(());
    }
    for complaint in &complaints {
        eprintln!("tidy: {complaint}");
    }
    bail!("{} complaint(s)", complaints.len());
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_workspace_is_tidy() {
        super::run().unwrap();
    }
}
