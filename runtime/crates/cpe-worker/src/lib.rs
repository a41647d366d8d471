//! The pollers: a decider that follows plans, an input poller that takes clients' commands, and
//! an activity poller that runs modules in the sandbox.
//!
//! Everything outside is reached through [`cpe_ports`], so this crate cannot tell AWS from the
//! embedded endpoint. What a plan decides is [`cpe_plan`]'s, what a guest may do is
//! [`cpe_sandbox`]'s; here is when to ask, whom to tell, and what to do when something fails.

mod activity;
mod archive;
mod backoff;
mod clients;
mod decider;
mod digest;
mod ending;
mod executions;
mod grants;
mod input;
mod outbox;
mod payloads;
mod plans;
mod poller;
mod ports;
mod register;
mod sequence;
mod shares;
mod starts;
mod teller;
#[cfg(test)]
mod testing;
mod usage;
mod worker;

pub use self::{
    activity::{
        Activities, ActivitiesConfig, Choice, Guests, NewInvocation, Ran, RunError, SHADOWS,
        SandboxGuests,
    },
    archive::PlanArchive,
    backoff::{Backoff, Jitter},
    clients::{Client, ClientRegistry, Clients, ClientsError, OverQuota, Quotas},
    decider::{Decider, DeciderConfig, Watch},
    grants::Ceilings,
    input::{InputConfig, InputPoller, JobClaims, MESSAGE_TAG},
    outbox::Outbox,
    payloads::{PayloadError, Payloads},
    plans::{Binding, Plans, PlansError},
    ports::Ports,
    register::{RegisterError, register_domain, register_types},
    shares::Shares,
    starts::{MODULES_TAG, Starts},
    usage::{Usage, Used},
    worker::{PLAN_TAG, Worker},
};
