//! `cpe module show`.

use std::collections::BTreeMap;

use clap::Args;
use cpe_modules::{Channel, Figures, Inside, Locks, ModuleError, Registry, WorkerStatus};
use cpe_sandbox::Digest;
use cpe_swf::{
    DomainName, Timestamp,
    api::{ExecutionTimeFilter, ListOpenWorkflowExecutionsRequest, TagFilter},
};
use cpe_worker::Ports;
use serde_json::{Value, json};

use super::{Failed, names, size, trial, when};
use crate::{
    cli::{Global, Output},
    compose,
    config::Config,
};

/// States of the channels whose executions are counted.
const MAX_LOCKS: usize = 100;

#[derive(Debug, Args)]
pub struct Show {
    /// Name and channel: `word-count@1`.
    #[arg(value_name = "NAME@CHANNEL")]
    reference: String,
    /// Of the channel's history, so many moves.
    #[arg(long, default_value_t = 10)]
    history: usize,
    /// Also which versions the open executions began with. SWF answers few such questions a
    /// second, so it may take a while.
    #[arg(long)]
    executions: bool,
}

/// Everything that is known of a channel.
struct Shown {
    document: Channel,
    /// Of what is on trial.
    figures: Figures,
    inside: Result<Inside, ModuleError>,
    workers: Vec<WorkerStatus>,
    executions: Option<BTreeMap<String, usize>>,
}

impl Show {
    pub async fn run(self, global: &Global) -> Result<(), Failed> {
        let (name, channel) = names(&self.reference)?;
        let config = compose::load_config(global)?;
        let ports = compose::connect(global).await?;
        let registry = compose::registry(&config, &ports);
        let document = registry.channel(&name, &channel).await?;
        let digest = &document.current.digest;
        let inside = match registry.fetch(digest).await {
            Ok(bytes) => Inside::of(&name, &bytes),
            Err(error) => Err(error),
        };
        let figures = registry.figures((&name, &channel), &document).await?;
        let workers = registry.statuses(&name, &channel).await?;
        let executions = match self.executions {
            true => Some(self.count_executions(&config, &ports, &registry).await?),
            false => None,
        };
        let shown = Shown { document, figures, inside, workers, executions };
        match global.output {
            Output::Json => println!("{}", serde_json::to_string_pretty(&shown.json(&self))?),
            Output::Text => shown.print(&self),
        }
        Ok(())
    }
}

impl Show {
    /// Open executions by the digest that they began with; at most a hundred of each state of the
    /// channels are counted.
    async fn count_executions(
        &self,
        config: &Config,
        ports: &Ports,
        registry: &Registry,
    ) -> anyhow::Result<BTreeMap<String, usize>> {
        let reference = self.reference.parse()?;
        let mut counts = BTreeMap::new();
        for (lock, digest) in Locks::new(registry.clone()).naming(&reference, MAX_LOCKS).await? {
            let request = ListOpenWorkflowExecutionsRequest {
                domain: DomainName::from(config.domain.as_str()),
                start_time_filter: ExecutionTimeFilter {
                    oldest_date: Timestamp(0),
                    latest_date: None,
                },
                type_filter: None,
                tag_filter: Some(TagFilter { tag: format!("modules:{lock}") }),
                next_page_token: None,
                maximum_page_size: Some(100),
                reverse_order: false,
                execution_filter: None,
            };
            let open = ports.workflows.list_open_workflow_executions(request).await?;
            *counts.entry(digest.to_string()).or_default() += open.execution_infos.len();
        }
        Ok(counts)
    }
}

impl Shown {
    fn json(&self, show: &Show) -> Value {
        let inside = match &self.inside {
            Ok(inside) => json!({
                "description": inside.description, "imports": inside.imports,
                "exports": inside.exports,
            }),
            Err(error) => json!({"error": error.details()}),
        };
        let tried = self.document.candidate.as_ref();
        json!({
            "module": show.reference, "current": self.document.current, "component": inside,
            "trial": tried.map(|candidate| trial::json(candidate, &self.figures)),
            "workers": self.workers, "executions": self.executions, "previous": self.document.previous,
            "history": self.document.history.iter().take(show.history).collect::<Vec<_>>(),
        })
    }

    fn print(&self, show: &Show) {
        let current = &self.document.current;
        println!("{}", show.reference);
        println!("  digest   {}", current.digest);
        println!("  size     {}", size(current.size));
        println!("  pushed   {} by {}", when(current.pushed_at), current.pushed_by);
        match &self.inside {
            Ok(inside) => print_inside(inside),
            Err(error) => println!("  it cannot be read: {}", error.details()),
        }
        if let Some(candidate) = &self.document.candidate {
            trial::print(candidate, &self.figures);
        }
        self.print_workers();
        if let Some(executions) = &self.executions {
            println!("open executions");
            for (digest, count) in executions.iter().filter(|(_, count)| **count > 0) {
                println!("  {digest}: {count}");
            }
        }
        println!("history");
        for step in self.document.history.iter().take(show.history) {
            let action = step.action;
            let share = step.share.map(|share| format!("{share}  ")).unwrap_or_default();
            let message = step.message.as_deref().unwrap_or_default();
            println!(
                "  {}  {action:8}  {}  {}  {share}{message}",
                when(step.at),
                step.digest,
                step.by
            );
            if let Some(figures) = &step.figures {
                println!("    {figures}");
            }
        }
        println!("versions that it can go back to: {}", self.document.previous.len());
    }

    fn print_workers(&self) {
        let mut running: BTreeMap<Option<&Digest>, Vec<&str>> = BTreeMap::new();
        for told in &self.workers {
            running.entry(told.running.as_ref()).or_default().push(&told.worker);
        }
        println!("workers");
        if running.is_empty() {
            println!("  none has told that it runs it");
        }
        for (digest, workers) in running {
            let digest = digest.map_or("no version", Digest::as_str);
            println!("  {digest}: {}", workers.join(", "));
        }
        let refused = self.workers.iter().filter_map(|told| Some((told, told.refused.as_ref()?)));
        for (told, refused) in refused {
            println!(
                "  ! {} does not run {} ({}): {}",
                told.worker,
                refused.digest,
                refused.reason,
                refused.details.lines().next().unwrap_or_default()
            );
        }
    }
}

fn print_inside(inside: &Inside) {
    println!("  world    {}", inside.world());
    if let Some(description) = &inside.description {
        println!("  is       {}", description.title());
        if !description.about.is_empty() {
            println!("           {}", description.about);
        }
        println!("  input    {}", description.input);
        println!("  output   {}", description.output);
    } else {
        println!("  it does not describe itself");
    }
    println!("  imports  {}", inside.imports.join("\n           "));
}
