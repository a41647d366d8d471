//! `cpe.yaml`: what an operator sets, read and checked before anything starts.
//!
//! Every scalar has an environment variable of its own that overrides it; the client list has
//! `CPE_CLIENTS`, as YAML or JSON.

mod allowances;
mod jail;
mod quotas;

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
};

use cpe_modules::Margins;
use cpe_sandbox::{Compiler, JailConfig};
use serde::{Deserialize, de::DeserializeOwned};
use serde_saphyr::Spanned;

pub use self::{
    allowances::{
        Access, Hidden, HttpAllowance, LimitsSection, S3Allowance, SecretAllowance, Secrets,
    },
    jail::JailMode,
    quotas::{OverQuota, Quotas},
};

/// The configuration, with its defaults.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// SWF domain. `CPE_DOMAIN`.
    pub domain: String,
    /// Plan files or folders of them. `CPE_PLANS`, separated by `:`.
    pub plans: Vec<PathBuf>,
    /// Where `cpe dev` keeps its state. `CPE_DATA`.
    pub data: PathBuf,
    /// Where compiled modules are kept; the user's cache folder if absent. `CPE_CACHE`.
    pub cache: Option<PathBuf>,
    pub modules: ModulesSection,
    pub payloads: PayloadsSection,
    pub decider: DeciderSection,
    pub activities: ActivitiesSection,
    /// Whether activities run in jailed processes. `CPE_JAIL`.
    pub jail: JailMode,
    /// What all clients are allowed at the most.
    pub allow: AllowSection,
    /// `CPE_CLIENTS`.
    pub clients: Vec<Client>,
    /// Not for operators: the program's commands compile in a child of theirs, and who only has
    /// this library compiles by himself.
    #[serde(skip)]
    pub compiler: Compiler,
    /// The same of what runs jailed guests.
    #[serde(skip)]
    pub jailer: Option<JailConfig>,
}

/// Where the module registry is.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModulesSection {
    /// `CPE_MODULES_BUCKET`.
    pub bucket: String,
    /// Put before every key of the registry. `CPE_MODULES_PREFIX`.
    pub prefix: String,
    /// How often workers look for new versions, in seconds. `CPE_MODULES_POLL`.
    pub poll: u64,
    /// Name or URL of a queue of this process's own, to which S3 tells that objects of the bucket
    /// were written; new versions are then seen at once. `CPE_MODULES_NOTIFICATIONS`.
    pub notifications: Option<String>,
    /// How much worse a canary may be before workers give it up. `CPE_MODULES_CANARY`, as YAML.
    pub canary: Margins,
}

/// Where texts stand that SWF does not take: inputs and results of more than 32,768 characters.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PayloadsSection {
    /// That of the modules if absent. `CPE_PAYLOADS_BUCKET`.
    pub bucket: Option<String>,
    /// Put before every key, `<client>/<jobId>/<digest>`. `CPE_PAYLOADS_PREFIX`.
    pub prefix: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DeciderSection {
    /// The task list of decision tasks. `CPE_DECIDER_TASK_LIST`.
    pub task_list: String,
    /// Decision tasks at once. `CPE_DECIDER_MAX_IN_FLIGHT`.
    pub max_in_flight: usize,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ActivitiesSection {
    /// Activity tasks at once. `CPE_ACTIVITIES_MAX_IN_FLIGHT`.
    pub max_in_flight: usize,
    /// How long a guest that was asked to cancel may go on, in seconds.
    /// `CPE_ACTIVITIES_CANCEL_GRACE`.
    pub cancel_grace: u64,
}

/// A client (tenant): its queues, and what its jobs may touch.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    pub name: Spanned<String>,
    /// Name or URL of the queue that its commands come on.
    pub input_queue: Spanned<String>,
    /// Name or URL of the queue that it hears events on.
    pub output_queue: String,
    /// Name or URL of the queue for messages that nobody can make anything of; they are dropped,
    /// after the client was told, if absent.
    #[serde(default)]
    pub dead_letter_queue: Option<String>,
    /// How much it may have at a time, and its share.
    #[serde(default)]
    pub quotas: Quotas,
    /// Names of the plans it may start; all if absent.
    #[serde(default)]
    pub plans: Option<Vec<String>>,
    /// What its activities may reach in S3; nothing if absent.
    #[serde(default)]
    pub s3: Vec<S3Allowance>,
    /// Files with the public keys (PEM) of those whose signature its modules must have; modules
    /// that nobody signed run too if absent.
    #[serde(default)]
    pub signers: Option<Vec<PathBuf>>,
    /// Where its activities may send HTTP requests; nowhere if absent.
    #[serde(default)]
    pub http: Vec<HttpAllowance>,
    /// What its activities may use without seeing it.
    #[serde(default)]
    pub secrets: Secrets,
    /// The most that one of its activity tasks may use.
    #[serde(default)]
    pub limits: LimitsSection,
}

impl Client {
    /// A client that is allowed nothing.
    pub fn named(name: &str, input_queue: &str, output_queue: &str) -> Self {
        let nowhere = serde_saphyr::Location::UNKNOWN;
        let spanned = |text: &str| Spanned::new(text.to_owned(), nowhere, nowhere);
        Self {
            name: spanned(name),
            input_queue: spanned(input_queue),
            output_queue: output_queue.to_owned(),
            dead_letter_queue: None,
            quotas: Quotas::default(),
            plans: None,
            s3: Vec::new(),
            signers: None,
            http: Vec::new(),
            secrets: Secrets::new(),
            limits: LimitsSection::default(),
        }
    }
}

/// What is allowed at the most, whichever client it is for. What is absent is no bound.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AllowSection {
    pub s3: Option<Vec<S3Allowance>>,
    pub http: Option<Vec<HttpAllowance>>,
    pub limits: LimitsSection,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            domain: "cpe".to_owned(),
            plans: Vec::new(),
            data: PathBuf::from(".cpe"),
            cache: None,
            modules: ModulesSection::default(),
            payloads: PayloadsSection::default(),
            decider: DeciderSection::default(),
            activities: ActivitiesSection::default(),
            jail: JailMode::default(),
            allow: AllowSection::default(),
            clients: Vec::new(),
            compiler: Compiler::default(),
            jailer: None,
        }
    }
}

impl Default for ModulesSection {
    fn default() -> Self {
        let bucket = "cpe-modules".to_owned();
        let canary = Margins::default();
        Self { bucket, prefix: String::new(), poll: 5, notifications: None, canary }
    }
}

impl Default for PayloadsSection {
    fn default() -> Self {
        Self { bucket: None, prefix: "payloads/".to_owned() }
    }
}

impl Default for DeciderSection {
    fn default() -> Self {
        Self { task_list: "cpe-decider".to_owned(), max_in_flight: 64 }
    }
}

impl Default for ActivitiesSection {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self { max_in_flight: cores * 16, cancel_grace: 10 }
    }
}

/// What is wrong with a configuration: all of it, a line each.
#[derive(Debug, thiserror::Error)]
pub struct ConfigError(Vec<String>);

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl Config {
    /// Reads the file (the defaults if there is none at the default place), then the
    /// environment, then checks the whole.
    ///
    /// # Errors
    ///
    /// Everything that is wrong, with file, line and column or the variable's name.
    pub fn load(
        path: Option<&Path>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, ConfigError> {
        let default = Path::new("cpe.yaml");
        let path = path.or_else(|| default.exists().then_some(default));
        let mut problems = Vec::new();
        let mut config = match path {
            None => Self::default(),
            Some(path) => match read(path) {
                Ok(config) => config,
                Err(problem) => {
                    problems.push(problem);
                    Self::default()
                }
            },
        };
        config.override_by(&environment, &mut problems);
        let name = path.map_or_else(|| "cpe.yaml".to_owned(), |path| path.display().to_string());
        config.check(&name, &mut problems);
        if problems.is_empty() { Ok(config) } else { Err(ConfigError(problems)) }
    }

    /// Where compiled modules are kept: what is configured, the user's cache folder, or beside
    /// the state for a user who has none.
    pub fn cache_folder(&self) -> PathBuf {
        self.cache.clone().or_else(user_cache).unwrap_or_else(|| self.data.join("cache"))
    }

    /// Where the texts stand that SWF does not take.
    pub fn payloads_bucket(&self) -> &str {
        self.payloads.bucket.as_deref().unwrap_or(&self.modules.bucket)
    }

    fn override_by(
        &mut self,
        environment: &impl Fn(&str) -> Option<String>,
        problems: &mut Vec<String>,
    ) {
        let text = |name: &str, target: &mut String| {
            if let Some(value) = environment(name) {
                *target = value;
            }
        };
        text("CPE_DOMAIN", &mut self.domain);
        text("CPE_MODULES_BUCKET", &mut self.modules.bucket);
        text("CPE_MODULES_PREFIX", &mut self.modules.prefix);
        text("CPE_PAYLOADS_PREFIX", &mut self.payloads.prefix);
        text("CPE_DECIDER_TASK_LIST", &mut self.decider.task_list);
        self.payloads.bucket = environment("CPE_PAYLOADS_BUCKET").or(self.payloads.bucket.take());
        if let Some(plans) = environment("CPE_PLANS") {
            self.plans = std::env::split_paths(&plans).collect();
        }
        if let Some(data) = environment("CPE_DATA") {
            self.data = PathBuf::from(data);
        }
        if let Some(cache) = environment("CPE_CACHE") {
            self.cache = Some(PathBuf::from(cache));
        }
        if let Some(queue) = environment("CPE_MODULES_NOTIFICATIONS") {
            self.modules.notifications = Some(queue);
        }
        if let Some(value) = parse_variable(environment, "CPE_MODULES_POLL", problems) {
            self.modules.poll = value;
        }
        if let Some(margins) = parse_variable(environment, "CPE_MODULES_CANARY", problems) {
            self.modules.canary = margins;
        }
        let mut parsed = |name: &str| parse_variable(environment, name, problems);
        if let Some(value) = parsed("CPE_DECIDER_MAX_IN_FLIGHT") {
            self.decider.max_in_flight = value;
        }
        if let Some(value) = parsed("CPE_ACTIVITIES_MAX_IN_FLIGHT") {
            self.activities.max_in_flight = value;
        }
        if let Some(value) = parse_variable(environment, "CPE_ACTIVITIES_CANCEL_GRACE", problems) {
            self.activities.cancel_grace = value;
        }
        if let Some(jail) = parse_variable(environment, "CPE_JAIL", problems) {
            self.jail = jail;
        }
        if let Some(clients) = parse_variable(environment, "CPE_CLIENTS", problems) {
            self.clients = clients;
        }
    }

    fn check(&self, file: &str, problems: &mut Vec<String>) {
        let mut need = |holds: bool, message: &str| {
            if !holds {
                problems.push(format!("{file}: {message}"));
            }
        };
        need(!self.domain.is_empty(), "`domain` is empty");
        need(!self.modules.bucket.is_empty(), "`modules.bucket` is empty");
        need(!self.payloads_bucket().is_empty(), "`payloads.bucket` is empty");
        need((1..=3_600).contains(&self.modules.poll), POLL);
        for problem in self.modules.canary.problems() {
            need(false, &format!("`modules.canary`: {problem}"));
        }
        need(!self.decider.task_list.is_empty(), "`decider.task_list` is empty");
        need((1..=1_000).contains(&self.decider.max_in_flight), IN_FLIGHT_DECIDER);
        need((1..=10_000).contains(&self.activities.max_in_flight), IN_FLIGHT_ACTIVITIES);
        let mut names = BTreeSet::new();
        let mut queues = BTreeSet::new();
        for client in &self.clients {
            let mut at = |position: &serde_saphyr::Location, message: String| {
                problems.push(format!(
                    "{file}:{}:{}: {message}",
                    position.line(),
                    position.column()
                ));
            };
            if let Err(error) = cpe_protocol::ClientName::new(client.name.value.as_str()) {
                at(&client.name.referenced, error.to_string());
            }
            client.quotas.check(&client.name.value, |message| {
                at(&client.name.referenced, message);
            });
            if !names.insert(client.name.value.as_str()) {
                let message = format!("the client `{}` is there twice", client.name.value);
                at(&client.name.referenced, message);
            }
            if !queues.insert(client.input_queue.value.as_str()) {
                let message = format!(
                    "the input queue `{}` belongs to another client already; the queue tells who \
                     sent a command",
                    client.input_queue.value
                );
                at(&client.input_queue.referenced, message);
            }
        }
    }
}

const POLL: &str = "`modules.poll` must be from 1 to 3600";
const IN_FLIGHT_DECIDER: &str = "`decider.max_in_flight` must be from 1 to 1000";
const IN_FLIGHT_ACTIVITIES: &str = "`activities.max_in_flight` must be from 1 to 10000";

/// As the XDG base directory specification has it.
fn user_cache() -> Option<PathBuf> {
    let folder =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = folder("XDG_CACHE_HOME").or_else(|| Some(folder("HOME")?.join(".cache")))?;
    Some(caches.join("cpe"))
}

fn read(path: &Path) -> Result<Config, String> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    if text.trim().is_empty() {
        return Ok(Config::default());
    }
    serde_saphyr::from_str(&text).map_err(|error| {
        let place = error
            .location()
            .map(|at| format!(":{}:{}", at.line(), at.column()))
            .unwrap_or_default();
        format!("{}{place}: {}", path.display(), without_place(&error))
    })
}

/// The message alone: the place is told before it, or is of no use.
fn without_place(error: &serde_saphyr::Error) -> String {
    let message = error.without_snippet().to_string();
    message.rsplit_once(" at line ").map_or(message.clone(), |(message, _)| message.to_owned())
}

fn parse_variable<T: DeserializeOwned>(
    environment: &impl Fn(&str) -> Option<String>,
    name: &str,
    problems: &mut Vec<String>,
) -> Option<T> {
    let value = environment(name)?;
    match serde_saphyr::from_str(&value) {
        Ok(parsed) => Some(parsed),
        Err(error) => {
            let shown: String = value.chars().take(80).flat_map(char::escape_debug).collect();
            problems.push(format!("{name}: `{shown}`: {}", without_place(&error)));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(yaml: &str, environment: &[(&str, &str)], expect: Expect) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cpe.yaml");
        std::fs::write(&path, yaml).unwrap();
        let loaded = Config::load(Some(&path), |name| {
            environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        });
        let text = match loaded {
            Ok(config) => format!(
                "{} {} {} clients={}",
                config.domain,
                config.decider.task_list,
                config.activities.max_in_flight,
                config.clients.len()
            ),
            Err(error) => error.to_string().replace(&path.display().to_string(), "cpe.yaml"),
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn the_environment_overrides_the_file() {
        check(
            "domain: prod\nactivities: {max_in_flight: 7}\n",
            &[
                ("CPE_DOMAIN", "stage"),
                ("CPE_CLIENTS", "[{name: a, input_queue: i, output_queue: o}]"),
            ],
            expect!["stage cpe-decider 7 clients=1"],
        );
    }

    #[test]
    fn the_jail_is_on_or_off_or_as_good_as_it_can_be() {
        let mode = |yaml: &str, variable: Option<&str>| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("cpe.yaml");
            std::fs::write(&path, yaml).unwrap();
            let variable = variable.map(str::to_owned);
            let loaded =
                Config::load(Some(&path), |name| variable.clone().filter(|_| name == "CPE_JAIL"));
            loaded.map(|config| config.jail).map_err(|error| error.to_string())
        };
        assert_eq!(mode("", None), Ok(JailMode::Auto));
        assert_eq!(mode("jail: on\n", None), Ok(JailMode::On));
        assert_eq!(mode("jail: off\n", Some("best-effort")), Ok(JailMode::BestEffort));
        let error = mode("jail: perhaps\n", None).unwrap_err();
        assert!(error.contains("best-effort"), "{error}");
        let error = mode("", Some("perhaps")).unwrap_err();
        assert!(error.starts_with("CPE_JAIL: `perhaps`"), "{error}");
    }

    #[test]
    fn every_mistake_has_its_place() {
        check(
            "clients:\n- {name: a b, input_queue: q, output_queue: o}\n- {name: c, input_queue: q, output_queue: o}\n",
            &[("CPE_DECIDER_MAX_IN_FLIGHT", "many")],
            expect![[r#"
                CPE_DECIDER_MAX_IN_FLIGHT: `many`: invalid u64
                cpe.yaml:2:10: `a b` is no client name: 1 to 64 letters, digits, `_` or `-`
                cpe.yaml:3:26: the input queue `q` belongs to another client already; the queue tells who sent a command"#]],
        );
        check(
            "clients:\n- {name: a, input_queue: i, output_queue: o, quotas: {weight: 0, jobs_in_flight: 0, over: refuse}}\n",
            &[],
            expect![[r#"
                cpe.yaml:2:10: quotas of `a`: `jobs_in_flight` must be from 1 to 100000
                cpe.yaml:2:10: quotas of `a`: `weight` must be from 1 to 100"#]],
        );
        check(
            "modules: {canary: {min_count: 0, max_failure_rate_increase: 2.5%, max_p95_ratio: .nan}}\n",
            &[("CPE_MODULES_CANARY", "max_failure_rate_increase: 5")],
            expect![[r#"
                CPE_MODULES_CANARY: `max_failure_rate_increase: 5`: `5` is no percentage: expected 0% to 100%, with at most two digits after the point, such as 10%
                cpe.yaml: `modules.canary`: `min_count` must be from 1 to 1000000
                cpe.yaml: `modules.canary`: `max_p95_ratio` must be from 1 to 1000"#]],
        );
        check(
            "domian: x\n",
            &[],
            expect![
                "cpe.yaml:1:1: unknown field `domian`, expected one of domain, plans, data, cache, modules, payloads, decider, activities, jail, allow, clients"
            ],
        );
    }
}
