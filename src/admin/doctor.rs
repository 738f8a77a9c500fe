//! `opencore doctor`: the preflight checks as a table.

use std::fmt::Write;

use crate::config::Settings;
use crate::runtime::preflight::{self, Check, Severity};

/// The table, and whether the server would start.
pub fn report(settings: &Settings) -> (String, bool) {
    let checks = preflight::checks(settings);
    let refused = checks
        .iter()
        .any(|check| check.severity == Severity::Refusal);
    (table(&checks), !refused)
}

fn table(checks: &[Check]) -> String {
    let width = |column: fn(&Check) -> &str, title: &str| {
        let longest = checks
            .iter()
            .map(|check| column(check).chars().count())
            .max();
        longest.unwrap_or(0).max(title.len())
    };
    let name = width(|check| check.name, "check");
    let current = width(|check| &check.current, "current");
    let wanted = width(|check| &check.wanted, "wanted");
    let mut out = format!(
        "{:7}  {:name$}  {:current$}  {:wanted$}  why\n",
        "", "check", "current", "wanted"
    );
    for check in checks {
        let verdict = match check.severity {
            Severity::Ok => "ok",
            Severity::Warning => "warning",
            Severity::Refusal => "REFUSED",
        };
        let _ = writeln!(
            out,
            "{verdict:7}  {:name$}  {:current$}  {:wanted$}  {}",
            check.name, check.current, check.wanted, check.why
        );
        if !check.remedy.is_empty() {
            let _ = writeln!(out, "{:7}  {:name$}  change: {}", "", "", check.remedy);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_check_says_how_to_change_it() {
        let check = Check {
            name: "open files",
            current: "10".into(),
            wanted: ">= 20".into(),
            severity: Severity::Warning,
            why: "few".into(),
            remedy: "ulimit -n 20".into(),
        };
        let text = table(&[check]);
        assert!(
            text.contains("warning  open files  10       >= 20   few"),
            "{text}"
        );
        assert!(text.contains("change: ulimit -n 20"), "{text}");
    }
}
