//! The rules that SWF's front door applies to a request: lengths, characters, ranges.
//!
//! All that is wrong with a request is gathered and told in one fault, in the words of AWS.

use cpe_swf::{Fault, FaultKind, Timeout, limits};

/// The most that SWF lets an execution run: a year.
const EXECUTION_SECONDS: u32 = 31_536_000;
/// Durations are texts of at most eight characters.
const DURATION_SECONDS: u32 = 99_999_999;
/// How much of a refused value is repeated in the message.
const SHOWN_CHARS: usize = 64;

/// Gathers what is wrong with a request.
#[derive(Debug, Default)]
pub(super) struct Checks {
    problems: Vec<String>,
}

impl Checks {
    pub(super) fn finish(self) -> Result<(), Fault> {
        let count = self.problems.len();
        if count == 0 {
            return Ok(());
        }
        let errors = if count == 1 { "error" } else { "errors" };
        let problems = self.problems.join("; ");
        Err(invalid(format!("{count} validation {errors} detected: {problems}")))
    }

    pub(super) fn refuse(&mut self, at: &str, value: &str, rule: &str) {
        let shown: String = value.chars().take(SHOWN_CHARS).collect();
        let dots = if shown.len() < value.len() { "…" } else { "" };
        let problem = format!(
            "Value '{shown}{dots}' at '{at}' failed to satisfy constraint: Member must {rule}"
        );
        self.problems.push(problem);
    }

    /// A text of at most `max` characters.
    pub(super) fn most(&mut self, at: &str, value: &str, max: usize) {
        // Characters are never more than bytes, which are known already.
        if value.len() > max && value.chars().count() > max {
            self.refuse(at, value, &format!("have length less than or equal to {max}"));
        }
    }

    pub(super) fn text(&mut self, at: &str, value: &str, max: usize) {
        if value.is_empty() {
            self.refuse(at, value, "have length greater than or equal to 1");
        }
        self.most(at, value, max);
    }

    /// An id or a name: a text without the characters that SWF keeps for itself.
    pub(super) fn id(&mut self, at: &str, value: &str) {
        self.name(at, value, limits::ID_CHARS);
    }

    /// An id that must not start or end with whitespace either: so AWS documents those of domains
    /// that are registered and of task lists that are polled, and no others.
    pub(super) fn trimmed_id(&mut self, at: &str, value: &str) {
        self.id(at, value);
        if value.trim() != value {
            self.refuse(at, value, "not start or end with whitespace");
        }
    }

    pub(super) fn version(&mut self, at: &str, value: &str) {
        self.name(at, value, limits::VERSION_CHARS);
    }

    fn name(&mut self, at: &str, value: &str, max: usize) {
        self.text(at, value, max);
        if let Some(forbidden) = limits::forbidden_in_id(value) {
            let forbidden = forbidden.escape_default();
            self.refuse(at, value, &format!("not contain '{forbidden}'"));
        }
    }

    pub(super) fn data(&mut self, at: &str, value: Option<&String>) {
        self.optional(at, value, limits::DATA_CHARS);
    }

    pub(super) fn optional(&mut self, at: &str, value: Option<&String>, max: usize) {
        if let Some(value) = value {
            self.most(at, value, max);
        }
    }

    /// A timeout that may be `NONE`.
    pub(super) fn timeout(&mut self, at: &str, value: Option<Timeout>) {
        if let Some(Timeout::Seconds(seconds)) = value
            && seconds > DURATION_SECONDS
        {
            self.refuse(at, &seconds.to_string(), "have length less than or equal to 8");
        }
    }

    /// A timer's duration: never `NONE`.
    pub(super) fn duration(&mut self, at: &str, value: Timeout) {
        self.timeout(at, Some(value));
        if value == Timeout::None {
            self.refuse(at, "NONE", "be a number of seconds");
        }
    }

    /// How long an execution may run: never `NONE`, at most a year.
    pub(super) fn execution_timeout(&mut self, at: &str, value: Option<Timeout>) {
        match value {
            Some(Timeout::None) => self.refuse(at, "NONE", "be a number of seconds"),
            Some(Timeout::Seconds(seconds)) if seconds > EXECUTION_SECONDS => {
                let rule = format!("be at most {EXECUTION_SECONDS} seconds, a year");
                self.refuse(at, &seconds.to_string(), &rule);
            }
            _ => {}
        }
    }

    pub(super) fn priority(&mut self, at: &str, value: Option<&String>) {
        if let Some(value) = value
            && value.parse::<i32>().is_err()
        {
            self.refuse(at, value, "be a whole number of 32 bits");
        }
    }

    pub(super) fn tags(&mut self, at: &str, tags: &[String]) {
        if tags.len() > limits::TAGS {
            let rule = format!("have length less than or equal to {}", limits::TAGS);
            self.refuse(at, &tags.join(", "), &rule);
        }
        for (index, tag) in tags.iter().enumerate() {
            self.most(&format!("{at}.{}.member", index + 1), tag, limits::TAG_CHARS);
        }
    }

    pub(super) fn task_list(&mut self, at: &str, task_list: Option<&cpe_swf::TaskList>) {
        if let Some(task_list) = task_list {
            self.id(&format!("{at}.name"), &task_list.name);
        }
    }

    pub(super) fn page_size(&mut self, size: Option<u32>) {
        if let Some(size) = size
            && size > limits::PAGE_SIZE
        {
            let rule = format!("have value less than or equal to {}", limits::PAGE_SIZE);
            self.refuse("maximumPageSize", &size.to_string(), &rule);
        }
    }
}

/// A fault about a request that breaks a rule.
pub(super) fn invalid(message: impl Into<String>) -> Fault {
    Fault::new(FaultKind::ValidationException, message)
}
