//! `cpe module list`.

use serde_json::json;

use super::{Failed, open_registry, short, size, when};
use crate::cli::{Global, Output};

pub(super) async fn run(global: &Global) -> Result<(), Failed> {
    let (_, registry) = open_registry(global).await?;
    let mut list = Vec::new();
    for (name, channel) in registry.channels().await? {
        // One that cannot be read must not hide the others.
        match registry.channel(&name, &channel).await {
            Ok(document) => list.push((format!("{name}@{channel}"), document)),
            Err(error) => eprintln!("cpe: {name}@{channel}: {}", error.details()),
        }
    }
    if global.output == Output::Json {
        let list: Vec<_> = list
            .iter()
            .map(|(name, document)| json!({"module": name, "current": document.current}))
            .collect();
        println!("{}", serde_json::to_string_pretty(&list)?);
        return Ok(());
    }
    if list.is_empty() {
        println!("nothing is in {registry}: `cpe module push FILE NAME@CHANNEL` brings something");
    }
    let width = list.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, document) in list {
        let current = &document.current;
        println!(
            "{name:width$}  {}  {:>9}  {}  {}  {}",
            short(current.digest.as_str()),
            size(current.size),
            when(current.pushed_at),
            current.pushed_by,
            current.about.as_deref().unwrap_or("-"),
        );
    }
    Ok(())
}
