//! `cpe module rollback` and `cpe module prune`.

use std::{collections::BTreeSet, time::Duration};

use anyhow::Context;
use clap::Args;
use cpe_modules::Retention;
use cpe_plan::Plan;
use cpe_ports::{ListObjects, ObjectAddress};
use cpe_sandbox::Digest;
use cpe_worker::Ports;
use serde_json::json;

use super::{Failed, author, names, open_registry, short};
use crate::{
    cli::{Global, Output},
    compose,
    config::Config,
};

const DAY: u64 = 24 * 3600;
/// Longer than any plan that can be loaded.
const MAX_PLAN: usize = 4 << 20;

#[derive(Debug, Args)]
pub struct Rollback {
    /// Name and channel: `word-count@1`.
    #[arg(value_name = "NAME@CHANNEL")]
    reference: String,
    /// The version to go back to (`sha256:…`); what was pushed before the current one if absent.
    #[arg(long, value_name = "DIGEST")]
    to: Option<Digest>,
    /// Why: kept in the channel's history.
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,
}

impl Rollback {
    pub async fn run(self, global: &Global) -> Result<(), Failed> {
        let (name, channel) = names(&self.reference)?;
        let (_, registry) = open_registry(global).await?;
        let seen = registry.see(&name, &channel).await?;
        let author = author(self.message.as_deref());
        let back = registry.rollback(&seen, self.to.as_ref(), &author).await?;
        match global.output {
            Output::Json => println!(
                "{}",
                json!({
                    "name": name, "channel": channel, "digest": back.digest.to_string(),
                    "changed": back.changed,
                })
            ),
            Output::Text if back.changed => {
                println!("{} is {} again", self.reference, back.digest);
            }
            Output::Text => println!("{} is {} already", self.reference, back.digest),
        }
        Ok(())
    }
}

#[derive(Debug, Args)]
pub struct Prune {
    /// Versions that each channel keeps beside the current one.
    #[arg(long, default_value_t = 20)]
    keep: usize,
    /// Days for which a channel keeps what it left, whatever their number.
    #[arg(long, default_value_t = 30, value_name = "DAYS")]
    keep_for: u64,
    /// Only say what would go.
    #[arg(long)]
    dry_run: bool,
}

impl Prune {
    pub async fn run(self, global: &Global) -> Result<(), Failed> {
        let config = compose::load_config(global)?;
        let ports = compose::connect(global).await?;
        let retention = Retention {
            keep: self.keep,
            keep_for: Duration::from_secs(self.keep_for.saturating_mul(DAY)),
            pins: pins(&config, &ports).await?,
            dry_run: self.dry_run,
            ..Retention::default()
        };
        let pruned = compose::registry(&config, &ports).prune(&retention).await?;
        if global.output == Output::Json {
            let removed: Vec<_> = pruned.removed.iter().map(Digest::to_string).collect();
            let forgotten: Vec<_> = pruned
                .forgotten
                .iter()
                .map(|(module, digest)| json!({"module": module, "digest": digest.to_string()}))
                .collect();
            println!(
                "{}",
                json!({
                    "dry_run": self.dry_run, "removed": removed, "forgotten": forgotten,
                    "kept": pruned.kept,
                })
            );
            return Ok(());
        }
        let would = if self.dry_run { "would be " } else { "" };
        for (module, digest) in &pruned.forgotten {
            println!("{would}forgotten  {module}  {}", short(digest.as_str()));
        }
        for digest in &pruned.removed {
            println!("{would}removed  {digest}");
        }
        println!("{} components stay", pruned.kept);
        Ok(())
    }
}

/// Every digest that a plan pins: those configured here, and those that executions began with.
async fn pins(config: &Config, ports: &Ports) -> anyhow::Result<BTreeSet<Digest>> {
    let mut pins = BTreeSet::new();
    for plan in compose::load_plans(&config.plans)? {
        pins.extend(pins_of(&plan));
    }
    let mut list = ListObjects {
        bucket: config.modules.bucket.clone(),
        prefix: format!("{}plans/sha256/", config.modules.prefix),
        start_after: None,
        max_keys: 1000,
    };
    loop {
        let page = ports.blobs.list(list.clone()).await.context("cannot list the plans kept")?;
        for (key, _) in &page.objects {
            let at = ObjectAddress::new(&list.bucket, key);
            let text = plan_text(ports, &at).await?;
            // One that this version cannot read may pin something that it cannot see.
            let plan = Plan::parse(&at.to_string(), &text)
                .with_context(|| format!("{at} cannot be read, and may pin a version"))?;
            pins.extend(pins_of(&plan));
        }
        list.start_after = page.objects.last().map(|(key, _)| key.clone());
        if !page.truncated || list.start_after.is_none() {
            return Ok(pins);
        }
    }
}

fn pins_of(plan: &Plan) -> impl Iterator<Item = Digest> {
    plan.activities.iter().filter_map(|activity| activity.digest.as_deref()?.parse().ok())
}

async fn plan_text(ports: &Ports, at: &ObjectAddress) -> anyhow::Result<String> {
    let bytes = ports.blobs.get(at, None).await?.whole(MAX_PLAN).await?;
    let bytes = bytes.with_context(|| format!("{at} is longer than any plan"))?;
    String::from_utf8(bytes.into()).with_context(|| format!("{at} is not UTF-8"))
}
