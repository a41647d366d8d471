//! JSON Schemas (draft 7) of every message, as they stand in the folder `schemas/` of this crate.
//!
//! A schema of a command accepts what [`crate::Command::parse`] accepts and little else; one of an
//! event accepts what CPE sends. Fields may be added to `data`, so a client ignores what it does
//! not know.

/// A message type and the text of its schema.
pub type Schema = (&'static str, &'static str);

macro_rules! schemas {
    ($folder:literal: $($name:literal)*) => {
        &[$(($name, include_str!(concat!("../schemas/", $folder, "/", $name, ".json")))),*]
    };
}

/// What a client may send.
pub const COMMANDS: &[Schema] = schemas! { "commands":
    "CANCEL_ACTIVITY"
    "CANCEL_JOB"
    "GET_ACTIVITY_LIST"
    "GET_ACTIVITY_STATUS"
    "GET_JOB_LIST"
    "GET_JOB_STATUS"
    "SIGNAL_JOB"
    "START_JOB"
};

/// What a client hears.
pub const EVENTS: &[Schema] = schemas! { "events":
    "ACTIVITY_CANCELED"
    "ACTIVITY_CANCEL_REQUESTED"
    "ACTIVITY_COMPLETED"
    "ACTIVITY_FAILED"
    "ACTIVITY_LIST"
    "ACTIVITY_PROGRESS"
    "ACTIVITY_SCHEDULED"
    "ACTIVITY_STARTED"
    "ACTIVITY_STATUS"
    "ACTIVITY_TIMEOUT"
    "COMMAND_REJECTED"
    "JOB_CANCELED"
    "JOB_CANCEL_REQUESTED"
    "JOB_COMPLETED"
    "JOB_DELAYED"
    "JOB_FAILED"
    "JOB_LIST"
    "JOB_SIGNALED"
    "JOB_STARTED"
    "JOB_STATUS"
    "WORKFLOW_SCHEDULED"
};

/// The schema of a message type, in either case.
pub fn of(message_type: &str) -> Option<&'static str> {
    let mut all = COMMANDS.iter().chain(EVENTS);
    all.find(|(name, _)| name.eq_ignore_ascii_case(message_type)).map(|(_, schema)| *schema)
}
