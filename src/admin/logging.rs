//! Logs: text for people or JSON lines, on standard error.

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, Settings};
use crate::error::{Error, Result};

/// Starts logging as the settings say. Errors: a filter that cannot be read.
pub fn start(settings: &Settings) -> Result<()> {
    let filter = EnvFilter::try_new(&settings.log).map_err(|error| {
        Error::invalid(format!(
            "log = {:?} is not a filter such as `info` or `opencore=debug,warn`",
            settings.log
        ))
        .because(error)
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let result = match settings.log_format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    result.map_err(|error| Error::internal(format!("logs cannot start: {error}")))
}
