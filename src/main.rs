//! Arguments to subcommand; nothing else happens here.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use opencore::admin::cli::{Cli, Command, ServeArgs, UserAction};
use opencore::admin::pages::ServerPages;
use opencore::admin::{banner, call, doctor, link, load, logging, serve, users};
use opencore::config::{self, Settings};
use opencore::error::Result;
use opencore::runtime::serve::Outside;

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
            finish(starts)
        }
        Command::Settings => {
            print!("{}", config::sample());
            Ok(ExitCode::SUCCESS)
        }
        Command::Call(args) => finish(link::block_on(call::run(&args))?),
        Command::Bench(args) => finish(link::block_on(load::run(&args))?),
        Command::User(args) => match &args.action {
            UserAction::Add(args) => finish(users::add(args)?),
        },
        Command::Token(args) => finish(users::token(&args)?),
    }
}

/// 0 when all was well.
fn finish(well: bool) -> Result<ExitCode> {
    Ok(if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
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
    logging::start(&settings)?;
    let outside = Outside {
        pages: ServerPages::make,
        banner: |status, started| print!("{}", banner::of(status, started)),
    };
    opencore::runtime::serve::run(settings, outside)
}
