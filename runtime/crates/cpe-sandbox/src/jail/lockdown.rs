//! What a jailed process takes from itself, for good: new privileges, files, the network, other
//! processes, and all calls of the kernel that guests and their host do without.

mod syscalls;

use std::{fs, io, path::Path};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, PathFd,
    Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
};
use rustix::process::{Resource, Rlimit};
use serde::{Deserialize, Serialize};

/// The latest of landlock's versions that is made use of.
const LANDLOCK: ABI = ABI::V6;
/// Open files: scratch files of all guests, and an image for each memory of a module.
const FILES: u64 = 16 << 10;
/// The largest file that one guest writes.
const FILE_SIZE: u64 = 64 << 30;
/// What may be reserved besides what the pool of guests' memory has reserved: as much again for
/// modules that do not fit it, and this for everything else.
const ADDRESS_SPACE: u64 = 64 << 30;

/// How much of a feature the kernel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Support {
    Whole,
    /// Files are closed off; what an older kernel does not close off here, the filter of system
    /// calls does.
    Part,
    Missing,
}

/// What a jail is made of on this machine. Without a filter of system calls there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct JailFeatures {
    pub landlock: Support,
}

/// Locks the process in, which must have one thread. Only `scratch` is left of all files.
pub(super) fn lock_down(scratch: &Path, best_effort: bool) -> io::Result<JailFeatures> {
    // What follows is for the thread that asks for it, and for those that it starts.
    let threads = fs::read_dir("/proc/self/task")?.count();
    if threads != 1 {
        return Err(io::Error::other(format!("it has {threads} threads already")));
    }
    limit_resources()?;
    let landlock = restrict_files(scratch)?;
    if landlock == Support::Missing && !best_effort {
        return Err(io::Error::other(
            "this kernel has no landlock (Linux 5.13 has, where it is among the security modules)",
        ));
    }
    syscalls::filter()?;
    Ok(JailFeatures { landlock })
}

fn limit_resources() -> io::Result<()> {
    let set = |resource, limit: u64| {
        // Lower than it is already, and not higher.
        let hard = rustix::process::getrlimit(resource).maximum;
        let limit = Some(hard.map_or(limit, |hard| hard.min(limit)));
        rustix::process::setrlimit(resource, Rlimit { current: limit, maximum: limit })
    };
    set(Resource::Core, 0)?;
    set(Resource::Nofile, FILES)?;
    set(Resource::Fsize, FILE_SIZE)?;
    set(Resource::Memlock, 0)?;
    set(Resource::Msgqueue, 0)?;
    set(Resource::As, reserved()?.saturating_mul(2).saturating_add(ADDRESS_SPACE))?;
    Ok(())
}

/// Bytes of address space that are reserved now.
fn reserved() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let size = status.lines().find_map(|line| line.strip_prefix("VmSize:"));
    let kib: Option<u64> = size.and_then(|size| size.split_whitespace().next()?.parse().ok());
    let kib = kib.ok_or_else(|| io::Error::other("/proc/self/status is not understood"))?;
    Ok(kib.saturating_mul(1024))
}

fn restrict_files(scratch: &Path) -> io::Result<Support> {
    let inside: BitFlags<AccessFs> = AccessFs::from_all(LANDLOCK)
        & !(AccessFs::Execute
            | AccessFs::MakeChar
            | AccessFs::MakeBlock
            | AccessFs::MakeSock
            | AccessFs::MakeFifo
            | AccessFs::IoctlDev);
    let folder = PathFd::new(scratch).map_err(io::Error::other)?;
    let restricted = || {
        Ruleset::default()
            .set_compatibility(CompatLevel::BestEffort)
            .handle_access(AccessFs::from_all(LANDLOCK))?
            .handle_access(AccessNet::from_all(LANDLOCK))?
            .scope(Scope::from_all(LANDLOCK))?
            .create()?
            .add_rule(PathBeneath::new(folder, inside))?
            .restrict_self()
    };
    let status = restricted().map_err(io::Error::other)?;
    Ok(match status.ruleset {
        RulesetStatus::FullyEnforced => Support::Whole,
        RulesetStatus::PartiallyEnforced => Support::Part,
        RulesetStatus::NotEnforced => Support::Missing,
    })
}
