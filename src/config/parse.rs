//! Text to value, one small function per type; errors say the bound.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Which kernel interface moves the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Driver {
    /// io_uring where the kernel allows it, otherwise epoll, named in the banner.
    Auto,
    /// io_uring or no start.
    IoUring,
    Epoll,
}

impl Driver {
    pub fn name(self) -> &'static str {
        match self {
            Driver::Auto => "auto",
            Driver::IoUring => "io_uring",
            Driver::Epoll => "epoll",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

pub type Parsed<T> = Result<T, String>;

pub fn boolean(text: &str) -> Parsed<bool> {
    match text.trim() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("must be true or false".into()),
    }
}

/// A whole number between `min` and `max`, both included.
pub fn whole(min: i64, max: i64) -> impl Fn(&str) -> Parsed<i64> {
    move |text| match text.trim().parse::<i64>() {
        Ok(number) if (min..=max).contains(&number) => Ok(number),
        _ => Err(format!("must be a whole number from {min} to {max}")),
    }
}

pub fn text(text: &str) -> Parsed<String> {
    Ok(text.to_string())
}

/// An empty text means: not set.
pub fn optional<T>(parse: impl Fn(&str) -> Parsed<T>) -> impl Fn(&str) -> Parsed<Option<T>> {
    move |text| match text.trim() {
        "" => Ok(None),
        text => parse(text).map(Some),
    }
}

pub fn path(text: &str) -> Parsed<PathBuf> {
    match text {
        "" => Err("must name a path".into()),
        text => Ok(PathBuf::from(text)),
    }
}

/// Comma-separated; empty parts are dropped.
pub fn list<T>(parse: impl Fn(&str) -> Parsed<T>) -> impl Fn(&str) -> Parsed<Vec<T>> {
    move |text| {
        text.split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| parse(part).map_err(|bound| format!("`{part}` {bound}")))
            .collect()
    }
}

/// `127.0.0.1:3000`, `[::1]:3000`, `:3000` (every IPv4 address) or `localhost:3000`.
pub fn address(text: &str) -> Parsed<SocketAddr> {
    let bound = || "must be ADDRESS:PORT, as in 127.0.0.1:3000".to_string();
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    if let Some(port) = text.strip_prefix(':') {
        let port: u16 = port.parse().map_err(|_| bound())?;
        return Ok(SocketAddr::from(([0, 0, 0, 0], port)));
    }
    // Only the one name that needs no network: a listener has no business in DNS.
    match text.strip_prefix("localhost:") {
        Some(_) => text
            .to_socket_addrs()
            .ok()
            .and_then(|mut found| found.find(SocketAddr::is_ipv4))
            .ok_or_else(bound),
        None => Err(bound()),
    }
}

/// A pipe name becomes part of a file name: letters, digits, dot, dash, underscore.
pub fn pipe_name(text: &str) -> Parsed<String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    match (1..=64).contains(&text.len()) && text.chars().all(allowed) && !text.starts_with('.') {
        true => Ok(text.to_string()),
        false => Err("must be 1 to 64 of A-Z a-z 0-9 . - _ and not start with a dot".into()),
    }
}

pub fn driver(text: &str) -> Parsed<Driver> {
    match text {
        "auto" => Ok(Driver::Auto),
        "io_uring" => Ok(Driver::IoUring),
        "epoll" => Ok(Driver::Epoll),
        _ => Err("must be auto, io_uring or epoll".into()),
    }
}

pub fn log_format(text: &str) -> Parsed<LogFormat> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("must be text or json".into()),
    }
}

pub fn protocol(text: &str) -> Parsed<String> {
    match text {
        "http" | "https" => Ok(text.to_string()),
        _ => Err("must be http or https".into()),
    }
}

/// At least `bytes` bytes: the key is the first 32 characters (contract 5.2).
pub fn secret(bytes: usize) -> impl Fn(&str) -> Parsed<String> {
    move |text| match text.len() >= bytes {
        true => Ok(text.to_string()),
        false => Err(format!("must be at least {bytes} characters")),
    }
}

pub fn json_array(text: &str) -> Parsed<serde_json::Value> {
    match serde_json::from_str(text) {
        Ok(array @ serde_json::Value::Array(_)) => Ok(array),
        _ => Err("must be a JSON array".into()),
    }
}

/// Between `min` and `max`; a bare number counts in `unit`.
pub fn duration(unit: Duration, min: Duration, max: Duration) -> impl Fn(&str) -> Parsed<Duration> {
    move |text| {
        parse_duration(text, unit)
            .filter(|duration| (min..=max).contains(duration))
            .ok_or_else(|| {
                let (min, max) = (duration_text(min), duration_text(max));
                format!("must be a time from {min} to {max}, as in 500ms, 30s, 5m, 12h, 365d")
            })
    }
}

/// `5m`, `1h30m`, `365d`, `250ms`; a bare number counts in `unit`. `None` when it is no duration.
pub fn parse_duration(text: &str, unit: Duration) -> Option<Duration> {
    let mut rest = text.trim();
    if let Ok(number) = rest.parse::<u32>() {
        return unit.checked_mul(number);
    }
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        let seconds = match rest[..letters].trim() {
            "ms" => None,
            "s" => Some(1),
            "m" => Some(60),
            "h" => Some(3_600),
            "d" => Some(86_400),
            _ => return None,
        };
        let part = match seconds {
            None => Duration::from_millis(number),
            Some(seconds) => Duration::from_secs(number.checked_mul(seconds)?),
        };
        total = total.checked_add(part)?;
        rest = &rest[letters..];
    }
    (!text.trim().is_empty()).then_some(total)
}

/// The shortest text that [`parse_duration`] reads back to the same value.
pub fn duration_text(duration: Duration) -> String {
    let ms = duration.as_millis();
    match ms {
        0 => "0s".into(),
        _ if ms.is_multiple_of(86_400_000) => format!("{}d", ms / 86_400_000),
        _ if ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        _ if ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        _ if ms.is_multiple_of(1_000) => format!("{}s", ms / 1_000),
        _ => format!("{ms}ms"),
    }
}

/// How a value is shown, and written so that its parser reads it back.
pub trait Shown {
    fn shown(&self) -> String;
}

macro_rules! shown_by {
    ($($type:ty: $show:expr),* $(,)?) => { $(
        impl Shown for $type {
            fn shown(&self) -> String { let show: fn(&$type) -> String = $show; show(self) }
        }
    )* };
}

shown_by! {
    bool: |value| value.to_string(),
    i64: |value| value.to_string(),
    String: |value| value.clone(),
    PathBuf: |value| value.display().to_string(),
    SocketAddr: |value| value.to_string(),
    Duration: |value| duration_text(*value),
    Driver: |value| value.name().to_string(),
    serde_json::Value: |value| value.to_string(),
    LogFormat: |value| match value { LogFormat::Text => "text".into(), LogFormat::Json => "json".into() },
}

impl<T: Shown> Shown for Option<T> {
    fn shown(&self) -> String {
        self.as_ref().map(T::shown).unwrap_or_default()
    }
}

impl<T: Shown> Shown for Vec<T> {
    fn shown(&self) -> String {
        let parts: Vec<String> = self.iter().map(T::shown).collect();
        parts.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn reads_durations() {
        assert_eq!(parse_duration("5m", SECOND), Some(SECOND * 300));
        assert_eq!(parse_duration("1h30m", SECOND), Some(SECOND * 5400));
        assert_eq!(parse_duration("365d", SECOND), Some(SECOND * 31_536_000));
        assert_eq!(parse_duration("60", SECOND), Some(SECOND * 60));
        assert_eq!(
            parse_duration("10000", Duration::from_millis(1)),
            Some(SECOND * 10)
        );
        for wrong in [
            "",
            "m",
            "5 parsecs",
            "-1s",
            "5m3",
            "999999999999999999d",
            "1.5h",
        ] {
            assert_eq!(parse_duration(wrong, SECOND), None, "{wrong}");
        }
    }

    #[test]
    fn reads_addresses() {
        assert_eq!(address("[::1]:80").unwrap().port(), 80);
        assert_eq!(address(":3000").unwrap(), "0.0.0.0:3000".parse().unwrap());
        assert_eq!(
            address("localhost:1").unwrap(),
            "127.0.0.1:1".parse().unwrap()
        );
        for wrong in [
            "",
            "3000",
            "127.0.0.1",
            ":x",
            "example.com:1",
            "1.2.3.4:70000",
        ] {
            assert!(address(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_pipe_name_cannot_leave_its_folder() {
        assert!(pipe_name("OpenCore").is_ok());
        for wrong in ["", "../x", "a/b", ".hidden", "a b", "a\0"] {
            assert!(pipe_name(wrong).is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn duration_text_is_read_back(ms in 0u64..40_000_000_000) {
            let duration = Duration::from_millis(ms);
            prop_assert_eq!(parse_duration(&duration_text(duration), SECOND), Some(duration));
        }

        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = parse_duration(&text, SECOND);
            let _ = address(&text);
            let _ = list(pipe_name)(&text);
        }
    }
}
