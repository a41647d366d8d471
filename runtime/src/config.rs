//! `cpe.yaml`: what an operator sets, read and checked before anything starts.
//!
//! Every scalar has an environment variable of its own that overrides it; the client list has
//! `CPE_CLIENTS`, as YAML or JSON.

use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, de::DeserializeOwned};
use serde_saphyr::Spanned;

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
    pub decider: DeciderSection,
    pub activities: ActivitiesSection,
    /// `CPE_CLIENTS`.
    pub clients: Vec<Client>,
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
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct S3Allowance {
    /// A bucket's name, or `*` for any.
    pub bucket: String,
    #[serde(default)]
    pub prefix: String,
    pub access: Access,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    Read,
    Write,
    ReadWrite,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            domain: "cpe".to_owned(),
            plans: Vec::new(),
            data: PathBuf::from(".cpe"),
            cache: None,
            modules: ModulesSection::default(),
            decider: DeciderSection::default(),
            activities: ActivitiesSection::default(),
            clients: Vec::new(),
        }
    }
}

impl Default for ModulesSection {
    fn default() -> Self {
        let bucket = "cpe-modules".to_owned();
        Self { bucket, prefix: String::new(), poll: 5, notifications: None }
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
        text("CPE_DECIDER_TASK_LIST", &mut self.decider.task_list);
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
        need((1..=3_600).contains(&self.modules.poll), POLL);
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
            "domian: x\n",
            &[],
            expect![
                "cpe.yaml:1:1: unknown field `domian`, expected one of domain, plans, data, cache, modules, decider, activities, clients"
            ],
        );
    }
}
