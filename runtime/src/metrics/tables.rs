//! The counters themselves, by name and labels.

use std::sync::{Mutex, OnceLock, PoisonError};

use cpe_modules::{ModuleCounts, Modules};
use cpe_sandbox::{LoadCounts, Sandbox};
use prometheus_client::{
    encoding::text::encode,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

type Word = &'static str;
pub(super) type ByWord = [(Word, Word); 1];
pub(super) type ByTwoWords = [(Word, Word); 2];
pub(super) type ByClient = [(Word, String); 1];
pub(super) type ByClientAndWord = [(Word, String); 2];

/// From 1 ms to two minutes.
const BUCKETS: (f64, f64, u16) = (0.001, 2.5, 14);

fn histogram() -> Histogram {
    let (start, factor, length) = BUCKETS;
    Histogram::new(exponential_buckets(start, factor, length))
}

#[derive(Debug)]
pub(super) struct Tables {
    registry: Registry,
    pub(super) polls: Family<ByTwoWords, Counter>,
    pub(super) poll_seconds: Family<ByWord, Histogram, fn() -> Histogram>,
    pub(super) decision_seconds: Histogram,
    pub(super) in_flight: Family<ByClient, Gauge>,
    pub(super) activity_tasks: Family<ByClientAndWord, Counter>,
    pub(super) limits: Family<ByClientAndWord, Counter>,
    pub(super) events_sent: Family<ByClientAndWord, Counter>,
    pub(super) events_parked: Family<ByClient, Counter>,
    pub(super) messages: Family<ByClientAndWord, Counter>,
    pub(super) throttles: Family<ByWord, Counter>,
    modules: Family<ByWord, Counter>,
    compile_seconds: Counter<f64, std::sync::atomic::AtomicU64>,
    refused: Family<ByWord, Counter>,
    trial_runs: Family<ByTwoWords, Counter>,
    shadows: Family<ByWord, Counter>,
    canary_decisions: Family<ByWord, Counter>,
    watched: OnceLock<Modules>,
    /// The modules' counts that are in the tables already.
    counted: Mutex<ModuleCounts>,
    sandbox: OnceLock<Sandbox>,
    /// The sandbox's counts that are in the tables already.
    seen: Mutex<LoadCounts>,
}

impl Default for Tables {
    fn default() -> Self {
        let mut tables = Self {
            registry: Registry::with_prefix("cpe"),
            polls: Family::default(),
            poll_seconds: Family::new_with_constructor(histogram),
            decision_seconds: histogram(),
            in_flight: Family::default(),
            activity_tasks: Family::default(),
            limits: Family::default(),
            events_sent: Family::default(),
            events_parked: Family::default(),
            messages: Family::default(),
            throttles: Family::default(),
            modules: Family::default(),
            compile_seconds: Counter::default(),
            refused: Family::default(),
            trial_runs: Family::default(),
            shadows: Family::default(),
            canary_decisions: Family::default(),
            watched: OnceLock::new(),
            counted: Mutex::default(),
            sandbox: OnceLock::new(),
            seen: Mutex::default(),
        };
        tables.register();
        tables.register_modules();
        tables
    }
}

impl Tables {
    /// Names are what dashboards are made of: changing one breaks them.
    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("polls", "Polls by poller and outcome", self.polls.clone());
        registry.register(
            "poll_seconds",
            "How long a poll took to be answered",
            self.poll_seconds.clone(),
        );
        registry.register(
            "decision_seconds",
            "From a decision task to its answer",
            self.decision_seconds.clone(),
        );
        registry.register(
            "activity_tasks_in_flight",
            "Activity tasks that run now",
            self.in_flight.clone(),
        );
        registry.register(
            "activity_tasks",
            "Activity tasks that were answered, by outcome",
            self.activity_tasks.clone(),
        );
        registry.register(
            "limits_hit",
            "Activity tasks that failed at a limit of the sandbox, by reason",
            self.limits.clone(),
        );
        registry.register("events_sent", "Events by type", self.events_sent.clone());
        registry.register(
            "events_parked",
            "Events that a client's queue did not take yet",
            self.events_parked.clone(),
        );
        registry.register(
            "input_messages",
            "Messages of input queues: received, handled, or moved to the dead-letter queue",
            self.messages.clone(),
        );
        registry.register(
            "throttles",
            "Answers that asked for fewer requests",
            self.throttles.clone(),
        );
    }

    fn register_modules(&mut self) {
        let registry = &mut self.registry;
        registry.register(
            "modules_loaded",
            "Modules that were found in the cache, compiled, or failed to be",
            self.modules.clone(),
        );
        registry.register(
            "compile_seconds",
            "Time spent compiling modules",
            self.compile_seconds.clone(),
        );
        registry.register(
            "module_versions_refused",
            "Versions that did not become current, or cannot be tried, by reason",
            self.refused.clone(),
        );
        registry.register(
            "trial_runs",
            "Runs of candidates and of what they are tried beside, by outcome",
            self.trial_runs.clone(),
        );
        registry.register("shadow_runs", "Runs of shadows, as they compare", self.shadows.clone());
        registry.register(
            "canary_decisions",
            "Looks at the figures of canaries that have enough of them",
            self.canary_decisions.clone(),
        );
    }

    pub(super) fn watch_sandbox(&self, sandbox: Sandbox) {
        let _ = self.sandbox.set(sandbox);
    }

    pub(super) fn watch_modules(&self, modules: Modules) {
        let _ = self.watched.set(modules);
    }

    pub(super) fn text(&self) -> String {
        if let Some(modules) = self.watched.get() {
            self.add_counts(modules.counts());
        }
        if let Some(sandbox) = self.sandbox.get() {
            self.add_loads(sandbox.load_counts());
        }
        let mut text = String::new();
        // Only a failing writer fails, and a string takes everything.
        let _ = encode(&mut text, &self.registry);
        text
    }

    fn add_counts(&self, now: ModuleCounts) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        for (family, label, now, before) in [
            (&self.refused, "reason", &now.refused, &counted.refused),
            (&self.shadows, "outcome", &now.shadows, &counted.shadows),
            (&self.canary_decisions, "decision", &now.decisions, &counted.decisions),
        ] {
            for (word, count) in now {
                let more = count.saturating_sub(before.get(word).copied().unwrap_or_default());
                family.get_or_create(&[(label, word)]).inc_by(more);
            }
        }
        for (key, count) in &now.runs {
            let more = count.saturating_sub(counted.runs.get(key).copied().unwrap_or_default());
            let labels = [("version", key.0), ("outcome", key.1)];
            self.trial_runs.get_or_create(&labels).inc_by(more);
        }
        *counted = now;
    }

    fn add_loads(&self, now: LoadCounts) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for (outcome, now, seen) in [
            ("cached", now.cached, seen.cached),
            ("compiled", now.compiled, seen.compiled),
            ("failed", now.failed, seen.failed),
        ] {
            self.modules.get_or_create(&[("outcome", outcome)]).inc_by(now.saturating_sub(seen));
        }
        let compiling = now.compiling.saturating_sub(seen.compiling);
        self.compile_seconds.inc_by(compiling.as_secs_f64());
        *seen = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_modules_are_added_once() {
        let tables = Tables::default();
        let mut counts = ModuleCounts::default();
        counts.refused.insert("cpe.module.link", 1);
        counts.runs.insert(("candidate", "failed"), 12);
        counts.shadows.insert("different", 3);
        counts.decisions.insert("abort", 1);
        tables.add_counts(counts.clone());
        counts.runs.insert(("candidate", "failed"), 14);
        tables.add_counts(counts);
        let text = tables.text();
        for line in [
            r#"cpe_module_versions_refused_total{reason="cpe.module.link"} 1"#,
            r#"cpe_trial_runs_total{version="candidate",outcome="failed"} 14"#,
            r#"cpe_shadow_runs_total{outcome="different"} 3"#,
            r#"cpe_canary_decisions_total{decision="abort"} 1"#,
        ] {
            assert!(text.lines().any(|one| one == line), "{line} is not in\n{text}");
        }
    }
}
