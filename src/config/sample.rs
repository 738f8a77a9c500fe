//! The commented sample file, written from the table.

use super::table::{Kind, TABLE};
use std::fmt::Write;

/// A TOML file in which every setting is there, commented out, with its default.
pub fn sample() -> String {
    let mut out = String::from(
        "# Every setting of opencore with its default. Precedence, highest first:\n\
         # flag, environment, this file, default.\n",
    );
    for setting in TABLE {
        let secret = match setting.kind {
            Kind::Secret => " Secret.",
            Kind::Plain => "",
        };
        let (help, variable) = (setting.help.trim(), setting.variable());
        let literal = literal(setting.type_name, setting.default);
        let _ = write!(
            out,
            "\n# {help}{secret}\n# Environment: {variable}\n# {} = {literal}\n",
            setting.name
        );
    }
    out
}

/// The default as TOML would write it.
fn literal(type_name: &str, default: &str) -> String {
    match type_name {
        "bool" | "i64" => default.to_string(),
        name if name.starts_with("Vec") => {
            let parts = default.split(',').filter(|part| !part.is_empty());
            let parts: Vec<String> = parts.map(|part| format!("{part:?}")).collect();
            format!("[{}]", parts.join(", "))
        }
        _ => format!("{default:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};
    use std::collections::BTreeMap;

    #[test]
    fn the_sample_uncommented_is_the_default() {
        let text: String = sample()
            .lines()
            .filter_map(|line| line.strip_prefix("# "))
            .filter(|line| {
                TABLE
                    .iter()
                    .any(|row| line.starts_with(&format!("{} = ", row.name)))
            })
            .map(|line| format!("{line}\n"))
            .collect();
        assert_eq!(text.lines().count(), TABLE.len());
        let environment = BTreeMap::new();
        let read = |file| {
            let sources = Sources {
                file,
                environment: &environment,
                flags: &[],
                read: &|_| Err(std::io::ErrorKind::NotFound.into()),
            };
            load(&sources).unwrap().settings.shown()
        };
        assert_eq!(read(Some(("sample", &text))), read(None));
    }
}
