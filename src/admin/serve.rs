//! From arguments to settings that are ready to run, and `--check`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use super::cli::ServeArgs;
use crate::config::{self, Loaded, Settings, Sources};
use crate::error::{Error, Result};

/// Reads file, environment and flags. `Invalid` says what is wrong and its bound.
pub fn load(args: &ServeArgs) -> Result<Loaded> {
    let environment: BTreeMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let file = match &args.config {
        Some(path) => Some((path.display().to_string(), read_settings(path)?)),
        None => None,
    };
    config::load(&Sources {
        file: file
            .as_ref()
            .map(|(name, text)| (name.as_str(), text.as_str())),
        environment: &environment,
        flags: &flags(args)?,
        read: &|path| std::fs::read_to_string(path),
    })
}

fn read_settings(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|cause| {
        let path = path.display();
        Error::invalid(format!("settings file {path} cannot be read: {cause}"))
    })
}

/// The flags as names and texts, in the form `config` reads.
fn flags(args: &ServeArgs) -> Result<Vec<(String, String)>> {
    let mut flags = Vec::new();
    for pair in &args.set {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| Error::invalid(format!("--set {pair}: must be NAME=VALUE")))?;
        flags.push((name.trim().to_string(), value.to_string()));
    }
    let joined = |values: &[String]| (!values.is_empty()).then(|| values.join(","));
    let named = [
        ("listen", joined(&args.listen)),
        ("data", args.data.clone()),
        ("shards", args.shards.clone()),
        ("pipes", joined(&args.pipe)),
        ("driver", args.driver.clone()),
    ];
    for (name, value) in named {
        if let Some(value) = value {
            flags.push((name.to_string(), value));
        }
    }
    Ok(flags)
}

/// What `--check` prints: every setting as it would run. Secrets are masked.
pub fn check_text(settings: &Settings) -> String {
    let mut out = String::new();
    for (name, value) in settings.shown() {
        let _ = writeln!(out, "{name} = {value}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_become_settings() {
        let args = ServeArgs {
            listen: vec!["127.0.0.1:1".into(), "127.0.0.1:2".into()],
            set: vec!["domain=a=b".into()],
            ..ServeArgs::default()
        };
        let flags = flags(&args).unwrap();
        assert!(flags.contains(&("listen".into(), "127.0.0.1:1,127.0.0.1:2".into())));
        assert!(flags.contains(&("domain".into(), "a=b".into())));
        let wrong = ServeArgs {
            set: vec!["domain".into()],
            ..ServeArgs::default()
        };
        assert!(super::flags(&wrong).is_err());
    }
}
