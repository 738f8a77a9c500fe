//! The one table of settings. A row gives name, type, default, parser with its
//! bounds, where the name may appear, when a change takes effect, and one sentence
//! of help; field, parser, environment name, sample file and `--check` follow.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::load::Texts;
use super::parse::{self, Driver, LogFormat, Shown};
use crate::error::Result;
use crate::limits;

/// Whose name it is, hence how the environment spells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameIn {
    /// Contract 13: the environment variable is exactly the key.
    Contract,
    /// Our own: the variable is `OPENCORE_` and the key in upper case.
    Opencore,
}

/// When a changed value takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    Restart,
}

/// Whether the value may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Plain,
    Secret,
}

/// One row.
#[derive(Debug)]
pub struct Setting {
    pub name: &'static str,
    /// The type as the house writes it, for documentation.
    pub type_name: &'static str,
    /// As text; the row's parser reads it.
    pub default: &'static str,
    pub help: &'static str,
    pub named_in: NameIn,
    pub kind: Kind,
    pub reload: Reload,
}

impl Setting {
    /// Environment variable that sets it.
    pub fn variable(&self) -> String {
        match self.named_in {
            NameIn::Contract => self.name.to_string(),
            NameIn::Opencore => format!("OPENCORE_{}", self.name.to_ascii_uppercase()),
        }
    }
}

macro_rules! settings {
    ($( #[doc = $help:literal] $name:ident : $type:ty = $default:literal, $parse:expr, $named_in:ident, $kind:ident; )*) => {
        /// Every setting, parsed and within its bounds. Plain fields; shared in an `Arc`.
        #[derive(Clone, Debug)]
        pub struct Settings { $( #[doc = $help] pub $name: $type, )* }

        /// Every row, in the order of the sample file.
        pub const TABLE: &[Setting] = &[ $( Setting {
            name: stringify!($name),
            type_name: stringify!($type),
            default: $default,
            help: $help,
            named_in: NameIn::$named_in,
            kind: Kind::$kind,
            reload: Reload::Restart,
        } ),* ];

        impl Settings {
            /// Parses every row from the text that won; `Invalid` names source and bound.
            pub(super) fn parse(texts: &Texts) -> Result<Self> {
                Ok(Self { $( $name: texts.parsed(stringify!($name), $parse)?, )* })
            }

            /// Name and value of every row; a secret that is set shows as `(set)`.
            pub fn shown(&self) -> Vec<(&'static str, String)> {
                vec![ $( (stringify!($name), masked(Kind::$kind, self.$name.shown())) ),* ]
            }
        }
    };
}

fn masked(kind: Kind, value: String) -> String {
    match kind {
        Kind::Secret if !value.is_empty() => "(set)".into(),
        _ => value,
    }
}

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

settings! {
    /// Addresses to listen on; every protocol is served on every one of them.
    listen: Vec<SocketAddr> = "127.0.0.1:3000,127.0.0.1:50051,127.0.0.1:8080", parse::list(parse::address), Opencore, Plain;
    /// Port of the first address, when `listen` is not given; empty keeps 3000.
    port: Option<i64> = "", parse::optional(parse::whole(1, 65_535)), Contract, Plain;
    /// Folder that holds everything the server keeps.
    data: PathBuf = "./opencore-data", parse::path, Opencore, Plain;
    /// Threads that serve connections; empty means one per core.
    shards: Option<i64> = "", parse::optional(parse::whole(1, limits::SHARDS_MAX as i64)), Opencore, Plain;
    /// Names of local pipes; on Unix the socket /tmp/CoreFxPipe_NAME.
    pipes: Vec<String> = "OpenCore,testpipe", parse::list(parse::pipe_name), Opencore, Plain;
    /// Kernel interface: auto, io_uring (or no start) or epoll.
    driver: Driver = "auto", parse::driver, Opencore, Plain;
    /// Secret that signs tokens and encrypts fields, at least 32 characters; empty generates one in the data folder.
    aes_secret: Option<String> = "", parse::optional(parse::secret(32)), Contract, Secret;
    /// Password given to root at first start; empty generates one and prints it once.
    root_password: Option<String> = "", parse::optional(parse::secret(8)), Opencore, Secret;
    /// File whose first line is the root password.
    root_password_file: Option<PathBuf> = "", parse::optional(parse::path), Opencore, Plain;
    /// What to log, as in `info` or `opencore=debug,warn`.
    log: String = "info", parse::text, Opencore, Plain;
    /// How to log: text or json.
    log_format: LogFormat = "text", parse::log_format, Opencore, Plain;
    /// Protocol of public addresses: http or https.
    protocol: String = "http", parse::protocol, Contract, Plain;
    /// Public host name, with the port if it is not the usual one.
    domain: String = "localhost.openiap.io", parse::text, Contract, Plain;
    /// Public WebSocket address, when it is not `ws(s)://DOMAIN/`.
    api_ws_url: Option<String> = "", parse::optional(parse::text), Contract, Plain;
    /// Whether requests without a token act as the user guest.
    enable_guest: bool = "false", parse::boolean, Contract, Plain;
    /// Life of the token that signin returns.
    shorttoken_expires_in: Duration = "5m", parse::duration(SECOND, SECOND * 10, DAY * 3650), Contract, Plain;
    /// Life of the token that signin returns when `longtoken` is asked for.
    longtoken_expires_in: Duration = "365d", parse::duration(SECOND, MINUTE, DAY * 36_500), Contract, Plain;
    /// Life of a token in a download address.
    downloadtoken_expires_in: Duration = "15m", parse::duration(SECOND, SECOND * 10, DAY * 365), Contract, Plain;
    /// Time between the pings that keep a connection known to be alive, milliseconds.
    ping_clients_interval: Duration = "10000", parse::duration(MS, MS * 100, DAY), Contract, Plain;
    /// Silence after which a connection is closed, seconds.
    client_heartbeat_timeout: Duration = "60", parse::duration(SECOND, SECOND, DAY), Contract, Plain;
    /// Time a connection may stay without signin, seconds.
    client_signin_timeout: Duration = "120", parse::duration(SECOND, SECOND, DAY), Contract, Plain;
    /// Time a client may leave replies unread before it is closed, milliseconds.
    slow_consumer_timeout: Duration = "30000", parse::duration(MS, MS * 100, DAY), Opencore, Plain;
    /// Whether every document gives the role admins full rights.
    force_add_admins: bool = "true", parse::boolean, Contract, Plain;
    /// Access control entries kept on one document.
    max_ace_count: i64 = "128", parse::whole(2, limits::ACE_COUNT_MAX as i64), Contract, Plain;
    /// Whether customers separate users and documents.
    multi_tenant: bool = "false", parse::boolean, Contract, Plain;
    /// Whether clients show workspaces.
    workspace_enabled: bool = "false", parse::boolean, Contract, Plain;
    /// Whether messages may be sent to exchanges.
    amqp_enabled_exchange: bool = "false", parse::boolean, Contract, Plain;
    /// Whether clients may send telemetry to the addresses below.
    enable_analytics: bool = "false", parse::boolean, Contract, Plain;
    /// Address clients send traces to.
    otel_trace_url: String = "", parse::text, Contract, Plain;
    /// Address clients send metrics to.
    otel_metric_url: String = "", parse::text, Contract, Plain;
    /// Address clients send logs to.
    otel_log_url: String = "", parse::text, Contract, Plain;
    /// Time between the traces a client sends, milliseconds.
    otel_trace_interval: i64 = "5000", parse::whole(100, 86_400_000), Contract, Plain;
    /// Time between the metrics a client sends, milliseconds.
    otel_metric_interval: i64 = "5000", parse::whole(100, 86_400_000), Contract, Plain;
    /// Name of the installation, shown by clients.
    namespace: String = "", parse::text, Contract, Plain;
    /// Host names of agents, with `$slug$` for the agent; empty means `$slug$.DOMAIN`.
    agent_domain_schema: String = "", parse::text, Contract, Plain;
    /// Images agents can run, as JSON: `[{"name","image","port","chromium","languages"}]`.
    agent_images: serde_json::Value = "[]", parse::json_array, Contract, Plain;
    /// Address of a Grafana that clients link to.
    grafana_url: String = "", parse::text, Contract, Plain;
    /// Address of a first-steps page that clients link to.
    getting_started_url: String = "", parse::text, Contract, Plain;
    /// Queue a chat page sends to.
    llmchat_queue: String = "", parse::text, Contract, Plain;
    /// Whether the web pages offer tours.
    enable_web_tours: bool = "true", parse::boolean, Contract, Plain;
    /// Whether Node-RED offers tours.
    enable_nodered_tours: bool = "true", parse::boolean, Contract, Plain;
    /// Whether the web pages hide the general information.
    web_hide_general_info: bool = "false", parse::boolean, Contract, Plain;
}
