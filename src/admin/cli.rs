//! The command line, declared. Values that are settings stay text here: their
//! bounds are in `config`, so that flag, environment and file refuse alike.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// An OpenIAP-compatible automation server: one binary, durable by default.
#[derive(Debug, Parser)]
#[command(name = "opencore", version, args_conflicts_with_subcommands = true)]
pub struct Cli {
    #[command(flatten)]
    pub serve: ServeArgs,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server; the same as no subcommand.
    Serve(ServeArgs),
    /// Manage users: of the data folder, or with --url or a password through a running server.
    User(UserArgs),
    /// Print a token of a user: of the data folder, or with its password through a running server.
    Token(TokenArgs),
    /// Send one command to a server and print its reply as JSON.
    Call(CallArgs),
    /// Measure a server, verifying every reply.
    Bench(BenchArgs),
    /// Check what this machine gives the server, and say how to change it.
    Doctor(ServeArgs),
    /// Print a settings file with every setting, its default and its meaning.
    Settings,
}

#[derive(Debug, Args, Clone, Default)]
pub struct ServeArgs {
    /// Address to listen on; repeat for more. Replaces the default addresses.
    #[arg(long, value_name = "ADDR")]
    pub listen: Vec<String>,
    /// Folder that holds everything the server keeps.
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,
    /// Threads that serve connections; one per core unless given.
    #[arg(long, value_name = "N")]
    pub shards: Option<String>,
    /// Name of a local pipe; repeat for more. Replaces the default names.
    #[arg(long, value_name = "NAME")]
    pub pipe: Vec<String>,
    /// Kernel interface: auto, io_uring or epoll.
    #[arg(long, value_name = "DRIVER")]
    pub driver: Option<String>,
    /// Any other setting, as NAME=VALUE; `opencore settings` lists them.
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,
    /// Settings file (TOML).
    #[arg(long, value_name = "FILE", env = "OPENCORE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Check the settings, print what would run, and exit.
    #[arg(long)]
    pub check: bool,
}

#[derive(Debug, Args)]
pub struct UserArgs {
    #[command(subcommand)]
    pub action: UserAction,
}

#[derive(Debug, Subcommand)]
pub enum UserAction {
    /// Add a user. Its password is read from a file, or made and printed.
    Add(UserAddArgs),
}

#[derive(Debug, Args, Clone)]
pub struct UserAddArgs {
    pub name: String,
    /// Role the user becomes a member of, besides `users`; repeat for more.
    #[arg(long)]
    pub role: Vec<String>,
    /// File whose first line is the password.
    #[arg(long, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
    #[command(flatten)]
    pub folder: FolderArgs,
    #[command(flatten)]
    pub server: ServerArgs,
}

#[derive(Debug, Args, Clone)]
pub struct TokenArgs {
    /// User the token is for.
    pub name: String,
    /// A token that lives long (365 days unless set otherwise).
    #[arg(long)]
    pub long: bool,
    #[command(flatten)]
    pub folder: FolderArgs,
    #[command(flatten)]
    pub server: ServerArgs,
}

/// How to reach a running server, and as whom.
#[derive(Debug, Args, Clone)]
pub struct ServerArgs {
    /// tcp://, ws://, grpc://, http:// HOST:PORT or pipe://NAME [default: tcp://127.0.0.1:3000].
    #[arg(long)]
    pub url: Option<String>,
    /// User to sign in as; with OPENIAP_PASSWORD.
    #[arg(long, env = "OPENIAP_USERNAME")]
    pub username: Option<String>,
    /// Password of that user; the environment keeps it out of the process list.
    #[arg(long, env = "OPENIAP_PASSWORD", hide_env_values = true)]
    pub password: Option<String>,
    /// Token to use instead of a password.
    #[arg(long, env = "OPENIAP_JWT", hide_env_values = true)]
    pub jwt: Option<String>,
}

impl ServerArgs {
    /// `url`, or the address a server listens on unless told otherwise.
    pub fn url(&self) -> &str {
        self.url.as_deref().unwrap_or("tcp://127.0.0.1:3000")
    }
}

/// Which data folder, with the settings that belong to it.
#[derive(Debug, Args, Clone)]
pub struct FolderArgs {
    /// Data folder of a server that is not running.
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,
    /// Settings file of that server (TOML).
    #[arg(long, value_name = "FILE", env = "OPENCORE_CONFIG")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct CallArgs {
    /// Command name, such as query or getelement.
    pub command: String,
    /// The request message as JSON; `-` reads standard input.
    pub json: Option<String>,
    #[command(flatten)]
    pub server: ServerArgs,
    /// How long to wait for the reply, seconds.
    #[arg(long, default_value_t = 30)]
    pub timeout: u64,
}

/// What one request of the load tool does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Operation {
    /// `getelement`, the smallest request that has a reply: a client's `ping`
    /// is answered by nothing (contract 2.8).
    Ping,
    /// `query` by `_id`, of documents the tool inserted first, in `bench`.
    Query,
    /// `insertone` into `bench`, acknowledged once it is durable.
    Insert,
}

/// What a right answer looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Expect {
    /// A reply: `rid` is the request's id, the command is the request's reply.
    Reply,
    /// The same bytes back, as from an echo server.
    Echo,
}

#[derive(Debug, Args, Clone)]
pub struct BenchArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    #[arg(long, value_enum, default_value = "ping")]
    pub op: Operation,
    /// Connections to open.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub connections: u32,
    /// Requests each connection keeps unanswered [default: 1]; with --rate the most
    /// it may [default: 1024].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    pub in_flight: Option<u32>,
    /// Requests per second, all connections together, sent on a schedule; latency
    /// then counts from the time a request was due, so a stall is not hidden.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    pub rate: Option<u64>,
    /// Seconds to measure.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub duration: u64,
    /// Print one JSON object on standard output instead of a table.
    #[arg(long)]
    pub json: bool,
    #[arg(long, value_enum, default_value = "reply")]
    pub expect: Expect,
    /// Bytes of padding in each ping (xpath) or inserted document.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=4_194_304))]
    pub payload: u32,
    /// Open N connections that never sign in, hold them for --duration, measure memory.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub idle: Option<u32>,
    /// Process id of the server, for its memory with --idle.
    #[arg(long)]
    pub pid: Option<u32>,
}

impl BenchArgs {
    /// `in_flight`, or what it is when it is not given.
    pub fn requests_in_flight(&self) -> u32 {
        let unless_given = match self.rate {
            Some(_) => crate::limits::LOAD_OPEN_IN_FLIGHT,
            None => 1,
        };
        self.in_flight.unwrap_or(unless_given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_declaration_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn serves_without_a_subcommand_and_with_one() {
        let bare = Cli::parse_from(["opencore", "--listen", "a", "--listen", "b"]);
        assert!(bare.command.is_none());
        assert_eq!(bare.serve.listen, ["a", "b"]);
        let named = Cli::parse_from(["opencore", "serve", "--shards", "2"]);
        assert!(
            matches!(named.command, Some(Command::Serve(args)) if args.shards.as_deref() == Some("2"))
        );
        assert!(Cli::try_parse_from(["opencore", "--shards", "2", "doctor"]).is_err());
    }
}
