//! The project's own commands: `cargo xtask --help` lists them.

#![expect(clippy::print_stdout, reason = "it talks to people")]

mod bench;
mod demo;
mod endpoint;
mod guests;
mod languages;
mod moto;
mod moto_suite;
mod python_client;
mod registry;
mod shell;
mod tidy;
mod venv;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::shell::cargo;

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds everything, brings up the embedded endpoint, and runs a real job to its end.
    Demo,
    /// Runs every test. Needs no AWS, no Docker, no network service.
    Test {
        /// Passed on to the test runner, such as a test's name.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        filter: Vec<String>,
    },
    /// Builds the activity components, and first the wasm target if the toolchain lacks it.
    Guests,
    /// Checks the architecture's invariants and the house style.
    Tidy,
    /// Measures: `sandbox`, `e2e`, `local`, `modules`, `clients` or `decider`.
    Bench {
        name: bench::Name,
        #[arg(long, value_enum, default_value_t = bench::Output::Text)]
        output: bench::Output,
        /// `local` only: measures moto's server beside it (needs Python and PyPI).
        #[arg(long)]
        with_moto: bool,
        /// `sandbox` and `clients` only: shows within a minute that everything runs; the figures mean nothing.
        #[arg(long)]
        quick: bool,
    },
    /// What lands a change: tests, formatting, lints, tidy.
    Ci,
    /// Builds activities in JavaScript and Python and runs them in a job (needs Node.js, npm's
    /// registry, Python and PyPI).
    Languages,
    /// Runs the Python client alone and against `cpe dev`, with every message checked against its
    /// schema (needs Python and PyPI).
    PythonClient,
    /// Runs modules from Debian's docker-registry (needs it, or apt-get; Python and PyPI).
    Registry,
    /// Runs the demo's job with `cpe run` against moto's server (needs Python and PyPI).
    Moto,
    /// Runs moto's own tests of SWF, SQS and S3 against `cpe local` (needs Python and PyPI).
    MotoSuite {
        /// Passed on to pytest, such as a test's path; moto's tests that concern us if absent.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        filter: Vec<String>,
    },
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Demo => demo::run(),
        Command::Test { filter } => test(&filter),
        Command::Guests => guests::run(),
        Command::Tidy => tidy::run(),
        Command::Bench { name, output, with_moto, quick } => {
            bench::run(name, output, with_moto, quick)
        }
        Command::Ci => ci(),
        Command::Languages => languages::run(),
        Command::PythonClient => python_client::run(),
        Command::Registry => registry::run(),
        Command::Moto => moto::run(),
        Command::MotoSuite { filter } => moto_suite::run(&filter),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Guests first: the scenario tests run them. Then every test of the workspace, by nextest
/// where it is installed.
fn test(filter: &[String]) -> anyhow::Result<()> {
    // Tests start the program itself.
    guests::build_beside_program()?;
    let nextest = shell::succeeds("cargo", ["nextest", "--version"]);
    let runner: &[&str] = if nextest { &["nextest", "run"] } else { &["test"] };
    let targets: &[&str] = &["--workspace", "--lib", "--bins", "--tests"];
    let arguments = runner.iter().chain(targets).copied();
    // The examples in the documentation: nextest does not know them. First, so that the
    // runner's closing line comes last.
    cargo(["test", "--doc", "--workspace", "-q"])?;
    cargo(arguments.chain(filter.iter().map(String::as_str)))
}

fn ci() -> anyhow::Result<()> {
    test(&[])?;
    cargo(["fmt", "--all", "--check"])?;
    cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])?;
    tidy::run()?;
    println!("ci: all checks passed");
    Ok(())
}
