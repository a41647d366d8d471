//! Candidates: `cpe module push --canary` and `--shadow`, `cpe module promote`, `cpe module abort`.

use anyhow::{Context, anyhow};
use clap::Args;
use cpe_modules::{
    Author, Candidate, Figures, Margins, Mode, Overrides, Percent, Registry, Seen, Verdict, Version,
};
use serde_json::{Value, json};

use super::{Failed, author, names, open_registry, short, when};
use crate::cli::{Global, Output};

/// How a push is tried before the channel moves to it.
#[derive(Debug, Args)]
pub(super) struct Trial {
    /// Try it: this share of the executions, such as `10%`, runs it until it is promoted or
    /// aborted. The same push with another share changes the share.
    #[arg(long, value_name = "SHARE", conflicts_with = "shadow")]
    canary: Option<Percent>,
    /// Try it without effect: it runs beside what the channel points at, on the same inputs, and
    /// is compared with it. `--shadow=10%` for a share of the executions.
    #[arg(
        long,
        value_name = "SHARE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "100%"
    )]
    shadow: Option<Percent>,
    /// Runs of the canary before workers decide anything; what the workers' `cpe.yaml` says if
    /// absent, as of the next two.
    #[arg(long, value_name = "RUNS", requires = "canary")]
    min_count: Option<u64>,
    /// The canary may fail that much more often, in points.
    #[arg(long, value_name = "POINTS", requires = "canary")]
    max_failure_rate_increase: Option<Percent>,
    /// The canary's p95 of durations may be that many times the other version's.
    #[arg(long, value_name = "TIMES", requires = "canary")]
    max_p95_ratio: Option<f64>,
}

impl Trial {
    /// The version as a candidate, if it is to be one.
    pub(super) fn candidate(&self, version: &Version) -> Result<Option<Candidate>, Failed> {
        let (mode, share) = match (self.canary, self.shadow) {
            (Some(share), _) => (Mode::Canary, share),
            (None, Some(share)) => (Mode::Shadow, share),
            (None, None) => return Ok(None),
        };
        if share == Percent::NONE {
            let why = "a share of 0% tries nothing; `cpe module abort` ends what is tried";
            return Err(Failed::usage(anyhow!(why)));
        }
        let margins = Overrides {
            min_count: self.min_count,
            max_failure_rate_increase: self.max_failure_rate_increase,
            max_p95_ratio: self.max_p95_ratio,
        };
        if let Some(problem) = margins.over(Margins::default()).problems().first() {
            return Err(Failed::usage(anyhow!("{}", problem.replace('`', "").replace('_', "-"))));
        }
        let since = version.pushed_at;
        Ok(Some(Candidate { version: version.clone(), mode, share, since, margins }))
    }
}

/// Has a candidate tried that is uploaded.
pub(super) async fn begin(
    registry: &Registry,
    (seen, reference): (&Seen, &str),
    candidate: Candidate,
    author: &Author,
    output: Output,
) -> Result<(), Failed> {
    let (mode, share) = (candidate.mode, candidate.share);
    let pushed = registry.try_out(seen, candidate, author).await?;
    let digest = &pushed.digest;
    let is_current =
        seen.document.as_ref().is_some_and(|document| document.current.digest == *digest);
    if output == Output::Json {
        let text = json!({
            "module": reference, "digest": digest.to_string(), "changed": pushed.changed,
            "mode": mode, "share": share,
        });
        println!("{text}");
        return Ok(());
    }
    match (pushed.changed, is_current) {
        (false, true) => println!("{reference} is {digest} already: there is nothing to try"),
        (false, false) => println!("{digest} is tried like that already on {reference}"),
        (true, _) => {
            let how = match mode {
                Mode::Canary => "runs",
                Mode::Shadow => "is run beside",
            };
            println!("{digest} {how} {share} of the executions of {reference} now");
            println!("  cpe module show {reference}      tells how it does");
            println!("  cpe module promote {reference}   moves the channel to it");
            println!("  cpe module abort {reference}     gives it up");
        }
    }
    Ok(())
}

#[derive(Debug, Args)]
pub struct Decide {
    /// Name and channel: `word-count@1`.
    #[arg(value_name = "NAME@CHANNEL")]
    reference: String,
    /// Why: kept in the channel's history.
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,
}

impl Decide {
    pub(super) async fn run(self, verdict: Verdict, global: &Global) -> Result<(), Failed> {
        let (name, channel) = names(&self.reference)?;
        let (_, registry) = open_registry(global).await?;
        let seen = registry.see(&name, &channel).await?;
        let tried = seen.document.as_ref().filter(|document| document.candidate.is_some());
        let figures = match tried {
            Some(document) => {
                let figures = registry.figures((&name, &channel), document).await;
                Some(figures.context("cannot read how the candidate did")?.to_string())
            }
            None => None,
        };
        let author = author(self.message.as_deref());
        let decided = registry.decide(&seen, verdict, &author, figures.as_deref()).await?;
        let (reference, digest) = (&self.reference, &decided.digest);
        let verb = match verdict {
            Verdict::Promote => "promoted",
            Verdict::Abort => "aborted",
        };
        match global.output {
            Output::Json => println!(
                "{}",
                json!({
                    "name": name, "channel": channel, "digest": digest.to_string(),
                    "decision": verb, "changed": decided.changed, "figures": figures,
                })
            ),
            Output::Text if !decided.changed => println!("{digest} is {verb} already"),
            Output::Text => {
                println!("{digest} is {verb}: {}", figures.unwrap_or_default());
                if verdict == Verdict::Promote {
                    println!("{reference} is {digest} now");
                }
            }
        }
        Ok(())
    }
}

/// In a line: `canary sha256:… on 10%: 1 of 40 failed against 3 of 360`.
pub(super) fn line(candidate: &Candidate, figures: &Figures) -> String {
    let mode = match candidate.mode {
        Mode::Canary => "canary",
        Mode::Shadow => "shadow",
    };
    let digest = short(candidate.version.digest.as_str());
    format!("{mode} {digest} on {}: {figures}", candidate.share)
}

/// All that is known of a candidate.
pub(super) fn print(candidate: &Candidate, figures: &Figures) {
    let version = &candidate.version;
    println!("candidate");
    println!("  digest   {}", version.digest);
    println!("  pushed   {} by {}", when(version.pushed_at), version.pushed_by);
    println!("  as       {}, since {}", line(candidate, figures), when(candidate.since));
    for (side, tally) in [("it", &figures.candidate), ("stable", &figures.stable)] {
        let reasons: Vec<_> =
            tally.reasons.iter().map(|(reason, count)| format!("{reason}: {count}")).collect();
        if !reasons.is_empty() {
            println!("  {side:7}  failed by {}", reasons.join(", "));
        }
    }
    for example in &figures.shadow.examples {
        println!("  ! {example}");
    }
}

/// A candidate with its figures, for programs.
pub(super) fn json(candidate: &Candidate, figures: &Figures) -> Value {
    let millis = |tally: &cpe_modules::Tally| tally.p95().map(|p95| p95.as_millis());
    json!({
        "candidate": candidate, "figures": figures, "summary": figures.to_string(),
        "p95_ms": {"candidate": millis(&figures.candidate), "stable": millis(&figures.stable)},
    })
}
