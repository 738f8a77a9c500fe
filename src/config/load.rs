//! From file, environment and flags to [`Settings`]: who wins, and what is refused.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use super::nearest::nearest;
use super::parse::{self, Parsed};
use super::table::{NameIn, Setting, Settings, TABLE};
use crate::error::{Error, Result};

/// Keys of contract 13 that have no effect here: accepted, so that an existing
/// environment starts, and named in a warning, so that nobody relies on them.
const WITHOUT_EFFECT: &[&str] = &[
    "mongodb_url",
    "mongodb_db",
    "mongodb_minpoolsize",
    "mongodb_maxpoolsize",
    "amqp_url",
    "amqp_prefetch",
    "amqp_requeue_time",
    "amqp_default_expiration",
    "amqp_reply_expiration",
    "amqp_dlx",
    "tls_crt",
    "tls_key",
    "tls_ca",
    "tls_passphrase",
    "signing_crt",
    "singing_key",
    "cookie_secret",
    "oidc_cookie_key",
    "api_bypass_perm_check",
    "api_rate_limit",
    "api_rate_limit_points",
    "api_rate_limit_duration",
    "socket_rate_limit",
    "socket_rate_limit_points",
    "socket_rate_limit_points_disconnect",
    "socket_rate_limit_duration",
    "allow_signin_with_expired_jwt",
    "enable_openapi",
    "license_key",
];

/// Everything settings are read from. Nothing here opens anything by itself.
pub struct Sources<'a> {
    /// Name and text of the TOML file.
    pub file: Option<(&'a str, &'a str)>,
    pub environment: &'a BTreeMap<String, String>,
    /// Name and value, as given on the command line.
    pub flags: &'a [(String, String)],
    /// Reads `root_password_file`.
    pub read: &'a dyn Fn(&Path) -> std::io::Result<String>,
}

/// Settings, and what is worth a warning.
#[derive(Debug)]
pub struct Loaded {
    pub settings: Settings,
    pub warnings: Vec<String>,
}

/// Where a text came from.
#[derive(Clone, Debug)]
enum Source {
    Default,
    File(String),
    Environment(String),
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => write!(out, "default"),
            Source::File(name) => write!(out, "file {name}"),
            Source::Environment(variable) => write!(out, "environment {variable}"),
            Source::Flag => write!(out, "flag"),
        }
    }
}

/// The text that won, for each name.
pub(super) struct Texts(BTreeMap<&'static str, (String, Source)>);

impl Texts {
    fn defaults() -> Self {
        let row = |setting: &'static Setting| {
            (setting.name, (setting.default.to_string(), Source::Default))
        };
        Self(TABLE.iter().map(row).collect())
    }

    fn set(&mut self, setting: &'static Setting, text: String, source: Source) {
        self.0.insert(setting.name, (text, source));
    }

    fn is_default(&self, name: &str) -> bool {
        matches!(self.0.get(name), None | Some((_, Source::Default)))
    }

    pub(super) fn parsed<T>(&self, name: &str, parse: impl Fn(&str) -> Parsed<T>) -> Result<T> {
        let (text, source) = self
            .0
            .get(name)
            .ok_or_else(|| Error::internal(format!("setting `{name}` has no row")))?;
        parse(text).map_err(|bound| {
            let secret = find(name).is_some_and(|row| row.kind == super::Kind::Secret);
            let text = if secret { "(secret)" } else { text };
            Error::invalid(format!("`{name}` = `{text}` ({source}): {bound}"))
        })
    }
}

/// Reads, merges and checks. `Invalid` says the name, the source and the bound.
pub fn load(sources: &Sources<'_>) -> Result<Loaded> {
    let mut texts = Texts::defaults();
    let mut warnings = Vec::new();
    if let Some((name, text)) = sources.file {
        merge_file(&mut texts, &mut warnings, name, text)?;
    }
    merge_environment(&mut texts, &mut warnings, sources.environment);
    for (name, text) in sources.flags {
        let setting = known(name, "flag")?;
        texts.set(setting, text.clone(), Source::Flag);
    }
    let mut settings = Settings::parse(&texts)?;
    match (settings.port, texts.is_default("listen")) {
        (Some(port), true) => settings.listen[0].set_port(port as u16),
        (Some(_), false) => warnings.push("`port` is not used: `listen` is given".into()),
        (None, _) => {}
    }
    if settings.listen.is_empty() && settings.pipes.is_empty() {
        return Err(Error::invalid(
            "`listen` and `pipes` are both empty: nobody could reach the server",
        ));
    }
    read_password(&mut settings, sources)?;
    Ok(Loaded { settings, warnings })
}

fn read_password(settings: &mut Settings, sources: &Sources<'_>) -> Result<()> {
    let Some(path) = &settings.root_password_file else {
        return Ok(());
    };
    if settings.root_password.is_some() {
        return Err(Error::invalid(
            "`root_password` and `root_password_file` are both given: keep one",
        ));
    }
    let text = (sources.read)(path).map_err(|cause| {
        let path = path.display();
        Error::invalid(format!(
            "`root_password_file` = `{path}`: cannot be read: {cause}"
        ))
    })?;
    let password = text.lines().next().unwrap_or_default();
    let password = parse::secret(8)(password)
        .map_err(|bound| Error::invalid(format!("first line of `root_password_file`: {bound}")))?;
    settings.root_password = Some(password);
    Ok(())
}

fn find(name: &str) -> Option<&'static Setting> {
    TABLE.iter().find(|setting| setting.name == name)
}

fn known(name: &str, place: &str) -> Result<&'static Setting> {
    find(name).ok_or_else(|| {
        let hint = match nearest(name, TABLE.iter().map(|setting| setting.name)) {
            Some(near) => format!("; did you mean `{near}`?"),
            None => "; `opencore settings` lists every setting".into(),
        };
        Error::invalid(format!("unknown setting `{name}` ({place}){hint}"))
    })
}

fn merge_file(texts: &mut Texts, warnings: &mut Vec<String>, file: &str, text: &str) -> Result<()> {
    let table: toml::Table = text
        .parse()
        .map_err(|cause| Error::invalid(format!("settings file {file}: {cause}")))?;
    for (name, value) in &table {
        if WITHOUT_EFFECT.contains(&name.as_str()) {
            warnings.push(format!("`{name}` (file {file}) has no effect here"));
            continue;
        }
        let setting = known(name, &format!("file {file}"))?;
        texts.set(setting, toml_text(value), Source::File(file.to_string()));
    }
    Ok(())
}

/// A TOML value as the text its parser reads: strings bare, arrays of plain values
/// with commas, anything with tables as JSON.
fn toml_text(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(parts) if parts.iter().any(|part| part.is_table()) => {
            serde_json::to_string(value).unwrap_or_default()
        }
        toml::Value::Array(parts) if parts.is_empty() => String::new(),
        toml::Value::Array(parts) => {
            let parts: Vec<String> = parts.iter().map(toml_text).collect();
            parts.join(",")
        }
        other => other.to_string(),
    }
}

fn merge_environment(
    texts: &mut Texts,
    warnings: &mut Vec<String>,
    environment: &BTreeMap<String, String>,
) {
    for setting in TABLE {
        let variable = setting.variable();
        if let Some(text) = environment.get(&variable) {
            texts.set(setting, text.clone(), Source::Environment(variable));
        }
    }
    for variable in environment.keys() {
        if WITHOUT_EFFECT.contains(&variable.as_str()) {
            warnings.push(format!("environment `{variable}` has no effect here"));
        }
        // A warning, not a refusal: Kubernetes sets variables such as
        // OPENCORE_SERVICE_HOST for every service that is called opencore.
        let Some(rest) = variable.strip_prefix("OPENCORE_") else {
            continue;
        };
        let own = |setting: &&Setting| setting.named_in == NameIn::Opencore;
        let name = rest.to_ascii_lowercase();
        let is_known = TABLE
            .iter()
            .filter(own)
            .any(|row| row.variable() == *variable);
        let near = nearest(&name, TABLE.iter().filter(own).map(|row| row.name));
        if let (false, Some(near)) = (is_known, near) {
            let near = near.to_ascii_uppercase();
            warnings.push(format!(
                "environment `{variable}` is not known; did you mean `OPENCORE_{near}`?"
            ));
        }
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
