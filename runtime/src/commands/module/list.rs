//! `cpe module list`.

use serde_json::json;

use super::{Failed, open_registry, short, size, trial, when};
use crate::cli::{Global, Output};

pub(super) async fn run(global: &Global) -> Result<(), Failed> {
    let (_, registry) = open_registry(global).await?;
    let mut list = Vec::new();
    for (name, channel) in registry.channels().await? {
        // One that cannot be read must not hide the others.
        match registry.channel(&name, &channel).await {
            Ok(document) => {
                let figures = registry.figures((&name, &channel), &document).await;
                let figures = figures.unwrap_or_default();
                list.push((format!("{name}@{channel}"), document, figures));
            }
            Err(error) => eprintln!("cpe: {name}@{channel}: {}", error.details()),
        }
    }
    if global.output == Output::Json {
        let list: Vec<_> = list
            .iter()
            .map(|(name, document, figures)| {
                let tried = document.candidate.as_ref().map(|tried| trial::json(tried, figures));
                json!({"module": name, "current": document.current, "trial": tried})
            })
            .collect();
        println!("{}", serde_json::to_string_pretty(&list)?);
        return Ok(());
    }
    if list.is_empty() {
        println!("nothing is in {registry}: `cpe module push FILE NAME@CHANNEL` brings something");
    }
    let width = list.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    for (name, document, figures) in list {
        let current = &document.current;
        println!(
            "{name:width$}  {}  {:>9}  {}  {}  {}",
            short(current.digest.as_str()),
            size(current.size),
            when(current.pushed_at),
            current.pushed_by,
            current.about.as_deref().unwrap_or("-"),
        );
        if let Some(candidate) = &document.candidate {
            println!("{:width$}  {}", "", trial::line(candidate, &figures));
        }
    }
    Ok(())
}
