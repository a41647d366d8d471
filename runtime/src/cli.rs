//! The command line: what can be asked of `cpe`, and how it ends.

use std::{io::IsTerminal, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand, ValueEnum};
use tracing_subscriber::EnvFilter;

use crate::commands;

/// Cloud Processing Engine: workflows on Amazon SWF and SQS, activities as sandboxed WebAssembly.
#[derive(Debug, Parser)]
#[command(name = "cpe", version, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Configuration file; `cpe.yaml` in the current folder is read if it is there.
    #[arg(long, global = true, value_name = "FILE", env = "CPE_CONFIG")]
    pub config: Option<PathBuf>,
    /// SWF, SQS and S3 at this address instead of AWS, such as the one `cpe dev` prints.
    #[arg(long, global = true, value_name = "URL", env = "AWS_ENDPOINT_URL")]
    pub endpoint_url: Option<String>,
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,
    /// Profile of the AWS configuration files.
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// How commands that show data print it.
    #[arg(long, global = true, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Everything on this machine: embedded endpoint and all pollers, data kept in ./.cpe.
    #[command(after_help = "Example:\n  cpe dev --plans plans/")]
    Dev(commands::dev::Dev),
    /// Only the embedded endpoint: SWF, SQS and S3 on one loopback port.
    #[command(after_help = "Example:\n  cpe local --data ./state --port 4600")]
    Local(commands::local::Local),
    /// The pollers against AWS; all three if none is named.
    #[command(after_help = "Example:\n  cpe run --config cpe.yaml --decider --activity-poller")]
    Run(commands::run::Run),
    /// Looks for whatever `cpe run` would miss, before anything starts.
    #[command(
        after_help = "Example:\n  cpe doctor --config cpe.yaml\n\nExit status: 1 if anything fails."
    )]
    Doctor(commands::doctor::Doctor),
    /// Starts and follows jobs.
    #[command(subcommand)]
    Job(commands::job::Job),
    /// Checks plans.
    #[command(subcommand)]
    Plan(commands::plan::PlanCommand),
    /// Pushes activity modules to the registry, and tells what is in it.
    #[command(subcommand)]
    Module(commands::module::ModuleCommand),
    /// What this program runs itself to compile a component within limits.
    #[command(hide = true)]
    CompileModule {
        /// The limits, as JSON.
        order: String,
    },
    /// What this program runs itself to have guests in a jail.
    #[command(hide = true)]
    JailedGuests {
        /// What the jail is to be, as JSON.
        order: String,
    },
    /// Begins a new activity.
    #[command(subcommand)]
    Activity(commands::activity::ActivityCommand),
}

/// As a shell tells of a program that SIGPIPE ended.
const NOBODY_READS: i32 = 128 + 13;

/// Whoever reads what is printed may go away, such as `head`: that is no bug of this program.
fn end_quietly_when_nobody_reads() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload_as_str().unwrap_or_default();
        if said.starts_with("failed printing to std") && said.contains("Broken pipe") {
            std::process::exit(NOBODY_READS);
        }
        usual(panic);
    }));
}

/// Runs the program. Exit status: 0 done, 1 failed, 2 bad usage.
pub fn main() -> ExitCode {
    end_quietly_when_nobody_reads();
    let cli = Cli::parse();
    match &cli.command {
        Command::CompileModule { order } => return cpe_sandbox::compile_module(order),
        Command::JailedGuests { order } => return cpe_sandbox::jailed_guests(order),
        _ => {}
    }
    // What these tell is printed; a log between the lines would only be in the way.
    let usual = match cli.command {
        Command::Plan(_) | Command::Doctor(_) => "warn,s3s=off",
        // s3s tells every refused request as an error, even that an object is not there.
        _ => "warn,cpe=info,s3s=off",
    };
    let logs = match start_logging(usual) {
        Ok(()) => Ok(()),
        Err(error) => Err(commands::Failed::usage(error)),
    };
    let outcome = logs.and_then(|()| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| anyhow::Error::from(error).context("cannot start the runtime"))?;
        runtime.block_on(dispatch(cli))
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failed) => {
            failed.print();
            ExitCode::from(failed.status())
        }
    }
}

async fn dispatch(cli: Cli) -> Result<(), commands::Failed> {
    let Cli { global, command } = cli;
    match command {
        Command::Dev(dev) => dev.run(&global).await,
        Command::Local(local) => local.run().await,
        Command::Run(run) => run.run(&global).await,
        Command::Doctor(doctor) => doctor.run(&global).await,
        Command::Job(job) => job.run(&global).await,
        Command::Plan(plan) => plan.run(&global).await,
        Command::Module(module) => module.run(&global).await,
        // Ended in `main`, before there were any threads.
        Command::CompileModule { .. } | Command::JailedGuests { .. } => Ok(()),
        Command::Activity(activity) => activity.run(),
    }
}

/// Logs go to standard error: `CPE_LOG` filters them, `CPE_LOG_FORMAT=json` makes them JSON.
fn start_logging(usual: &str) -> anyhow::Result<()> {
    let filter = match std::env::var("CPE_LOG") {
        Ok(filter) => EnvFilter::try_new(&filter).map_err(|error| {
            anyhow::anyhow!("CPE_LOG: `{filter}` is no log filter: {error}; try `cpe=debug`")
        })?,
        Err(_) => EnvFilter::new(usual),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match std::env::var("CPE_LOG_FORMAT").as_deref() {
        Ok("json") => builder.json().init(),
        Ok("text") | Err(_) => builder.with_target(false).init(),
        Ok(other) => anyhow::bail!("CPE_LOG_FORMAT: `{other}` is neither `text` nor `json`"),
    }
    Ok(())
}

/// Whether arguments, without the program's name, are understood.
#[cfg(test)]
pub(crate) fn check_arguments<'a>(
    arguments: impl Iterator<Item = &'a str>,
) -> Result<(), clap::Error> {
    Cli::try_parse_from(std::iter::once("cpe").chain(arguments)).map(drop)
}
