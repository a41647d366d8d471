//! What was looked at, and what was found: a line each.

use std::fmt;

use serde_json::json;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Ok,
    /// `cpe run` works, but not as it could, or something could not be looked at.
    Warn,
    /// `cpe run`, or one of its pollers, does not work.
    Fail,
}

impl Verdict {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub verdict: Verdict,
    /// What was looked at, such as `queue clienta-in`.
    pub subject: String,
    /// What is there; of what is missing, also what to do.
    pub message: String,
}

/// All findings, in the order in which things were looked at.
#[derive(Debug, Default)]
pub struct Report {
    pub findings: Vec<Finding>,
}

impl Report {
    pub(super) fn ok(&mut self, subject: impl Into<String>, message: impl Into<String>) {
        self.add(Verdict::Ok, subject.into(), message.into());
    }

    pub(super) fn warn(&mut self, subject: impl Into<String>, message: impl Into<String>) {
        self.add(Verdict::Warn, subject.into(), message.into());
    }

    pub(super) fn fail(&mut self, subject: impl Into<String>, message: impl Into<String>) {
        self.add(Verdict::Fail, subject.into(), message.into());
    }

    fn add(&mut self, verdict: Verdict, subject: String, message: String) {
        self.findings.push(Finding { verdict, subject, message });
    }

    pub fn failures(&self) -> usize {
        self.findings.iter().filter(|finding| finding.verdict == Verdict::Fail).count()
    }

    pub fn to_json(&self) -> serde_json::Value {
        let findings = self.findings.iter().map(|finding| {
            json!({
                "verdict": finding.verdict.as_str(), "subject": finding.subject,
                "message": finding.message,
            })
        });
        json!({ "ok": self.failures() == 0, "findings": findings.collect::<Vec<_>>() })
    }
}

/// A line for each finding; what a message has more of is indented below it.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Finding { verdict, subject, message } in &self.findings {
            let message = message.trim_end().replace('\n', "\n      ");
            writeln!(f, "{:<5} {subject}: {message}", verdict.as_str())?;
        }
        Ok(())
    }
}
