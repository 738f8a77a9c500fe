//! Arguments to subcommand; nothing else happens here.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use opencore::admin::cli::{Cli, Command, ServeArgs};
use opencore::admin::{doctor, serve};
use opencore::config::{self, Settings};
use opencore::error::{Error, Result};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let command = cli.command.unwrap_or(Command::Serve(cli.serve));
    match run(command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("opencore: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Serve(args) => run_serve(&args),
        Command::Doctor(args) => {
            let (table, starts) = doctor::report(&settings(&args)?);
            print!("{table}");
            Ok(if starts {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            })
        }
        Command::Settings => {
            print!("{}", config::sample());
            Ok(ExitCode::SUCCESS)
        }
        _ => Err(Error::internal("x")),
    }
}

fn run_serve(args: &ServeArgs) -> Result<ExitCode> {
    let settings = settings(args)?;
    if args.check {
        print!("{}", serve::check_text(&settings));
        return Ok(ExitCode::SUCCESS);
    }
    start(Arc::new(settings))?;
    Ok(ExitCode::SUCCESS)
}

fn settings(args: &ServeArgs) -> Result<Settings> {
    let loaded = serve::load(args)?;
    for warning in &loaded.warnings {
        eprintln!("opencore: warning: {warning}");
    }
    Ok(loaded.settings)
}

/// Hands over to the runtime room; returns when the server has drained.
fn start(settings: Arc<Settings>) -> Result<()> {
    let (driver, _) = opencore::runtime::preflight::choose_driver(settings.driver)?;
    Err(Error::internal(format!(
        "driver {}: no shards in this build",
        driver.name()
    )))
}
