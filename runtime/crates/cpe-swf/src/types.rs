//! Ids, times and the small enumerations that events, decisions and requests share.
//!
//! Every id is a type of its own, so that a run id is never passed for a workflow id.

use std::{fmt, num::ParseIntError, str::FromStr, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

macro_rules! string_ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
    )*};
}

string_ids! {
    /// Chosen by whoever starts an execution; at most one execution with it is open in a domain.
    WorkflowId;
    /// Given by SWF to one run of a workflow id.
    RunId;
    /// Chosen by the decider; unique among the open activity tasks of an execution.
    ActivityId;
    /// Chosen by the decider; unique among the open timers of an execution.
    TimerId;
    /// Names one handed-out decision task or activity task. Opaque; at most 1,024 characters.
    TaskToken;
    /// The name of a domain.
    DomainName;
}

/// The position of an event in its history: 1 is the first.
///
/// 0 stands for "none" where SWF prints an id of an event that does not exist.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct EventId(pub i64);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A task list, as SWF writes it: an object with a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskList {
    pub name: String,
}

impl TaskList {
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

/// One run of a workflow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowExecution {
    pub workflow_id: WorkflowId,
    pub run_id: RunId,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkflowType {
    pub name: String,
    pub version: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ActivityType {
    pub name: String,
    pub version: String,
}

macro_rules! type_display {
    ($($name:ident)*) => {$(
        impl $name {
            pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
                Self { name: name.into(), version: version.into() }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}@{}", self.name, self.version)
            }
        }
    )*};
}

type_display! { WorkflowType ActivityType }

/// Milliseconds since the Unix epoch. On the wire: seconds with three decimals, as a number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    pub fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub fn as_millis(self) -> i64 {
        self.0
    }

    pub fn as_seconds(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// The time from `earlier` to `self`; zero if it is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0).max(0).unsigned_abs())
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(millis))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.as_seconds())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Ok(Self((seconds * 1000.0).round() as i64))
    }
}

/// A timeout as SWF writes it: whole seconds in a string, or `NONE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timeout {
    Seconds(u32),
    None,
}

impl Timeout {
    /// Rounded up to a whole second.
    pub fn from_duration(duration: Duration) -> Self {
        let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
        Self::Seconds(u32::try_from(seconds).unwrap_or(u32::MAX))
    }

    pub fn as_duration(self) -> Option<Duration> {
        match self {
            Self::Seconds(seconds) => Some(Duration::from_secs(u64::from(seconds))),
            Self::None => None,
        }
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(seconds) => seconds.fmt(f),
            Self::None => f.write_str("NONE"),
        }
    }
}

impl FromStr for Timeout {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "NONE" { Ok(Self::None) } else { text.parse().map(Self::Seconds) }
    }
}

impl Serialize for Timeout {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timeout {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| {
            de::Error::custom(format_args!("`{text}` is neither whole seconds nor `NONE`"))
        })
    }
}

/// Texts of a list, nulls among them left out: some clients send one for "none", and SWF takes it
/// and gives it back, in histories too.
pub(crate) fn without_nulls<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<String>, D::Error> {
    let list = Vec::<Option<String>>::deserialize(deserializer)?;
    Ok(list.into_iter().flatten().collect())
}

macro_rules! wire_enums {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident $wire:literal),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $(#[serde(rename = $wire)] $variant,)*
        }

        impl $name {
            /// The name that SWF uses on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $wire,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    )*};
}

wire_enums! {
    ActivityTaskTimeoutType {
        StartToClose "START_TO_CLOSE",
        ScheduleToStart "SCHEDULE_TO_START",
        ScheduleToClose "SCHEDULE_TO_CLOSE",
        Heartbeat "HEARTBEAT",
    }
    DecisionTaskTimeoutType {
        StartToClose "START_TO_CLOSE",
        ScheduleToStart "SCHEDULE_TO_START",
    }
    WorkflowExecutionTimeoutType { StartToClose "START_TO_CLOSE" }
    LambdaFunctionTimeoutType { StartToClose "START_TO_CLOSE" }
    /// What becomes of open children when their parent is terminated or times out.
    ChildPolicy {
        Terminate "TERMINATE",
        RequestCancel "REQUEST_CANCEL",
        Abandon "ABANDON",
    }
    CloseStatus {
        Completed "COMPLETED",
        Failed "FAILED",
        Canceled "CANCELED",
        Terminated "TERMINATED",
        ContinuedAsNew "CONTINUED_AS_NEW",
        TimedOut "TIMED_OUT",
    }
    ExecutionStatus { Open "OPEN", Closed "CLOSED" }
    RegistrationStatus { Registered "REGISTERED", Deprecated "DEPRECATED" }
}
