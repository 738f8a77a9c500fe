//! The result of a run: a table for people, one object for machines.

use std::fmt::Write;

use serde_json::json;

use super::environment::Environment;
use super::tally::Tally;
use crate::admin::cli::{BenchArgs, Operation};

/// All of it; times in microseconds.
#[derive(Debug)]
pub(super) struct Outcome {
    pub messages: u64,
    pub messages_per_s: f64,
    pub errors: u64,
    pub first_error: Option<String>,
    pub missing: u64,
    pub unsent: u64,
    pub duplicates: u64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub p999_us: f64,
    pub max_us: f64,
}

impl Outcome {
    pub fn new(tally: &Tally, missing: u64, unsent: u64, duration_s: u64) -> Self {
        Self {
            messages: tally.messages(),
            messages_per_s: tally.in_time() as f64 / duration_s.max(1) as f64,
            errors: tally.errors(),
            first_error: tally.first_error(),
            missing,
            unsent,
            duplicates: tally.duplicates(),
            p50_us: tally.quantile_us(0.5),
            p99_us: tally.quantile_us(0.99),
            p999_us: tally.quantile_us(0.999),
            max_us: tally.max_us(),
        }
    }

    /// Something was answered, and nothing was wrong.
    pub fn is_right(&self) -> bool {
        self.messages > 0 && self.errors == 0 && self.missing == 0 && self.duplicates == 0
    }

    pub fn text(&self) -> String {
        let mut out = String::new();
        let _ = writeln!(
            out,
            "{:>12} {:>10} {:>10} {:>10} {:>10} {:>7} {:>7} {:>10}",
            "messages/s",
            "p50 µs",
            "p99 µs",
            "p99.9 µs",
            "max µs",
            "errors",
            "missing",
            "duplicates"
        );
        let _ = writeln!(
            out,
            "{:>12.0} {:>10.1} {:>10.1} {:>10.1} {:>10.1} {:>7} {:>7} {:>10}",
            self.messages_per_s,
            self.p50_us,
            self.p99_us,
            self.p999_us,
            self.max_us,
            self.errors,
            self.missing,
            self.duplicates
        );
        if self.unsent > 0 {
            let _ = writeln!(
                out,
                "{} requests were due and never sent: the rate was too high",
                self.unsent
            );
        }
        if let Some(text) = &self.first_error {
            let _ = writeln!(out, "first error: {text}");
        }
        out
    }

    pub fn json(&self, args: &BenchArgs, environment: &Environment) -> String {
        let op = match args.op {
            Operation::Ping => "ping",
            Operation::Query => "query",
            Operation::Insert => "insert",
        };
        json!({
            "op": op,
            "url": args.server.url(),
            "connections": args.connections,
            "in_flight": args.requests_in_flight(),
            "rate": args.rate,
            "payload": args.payload,
            "duration_s": args.duration,
            "messages": self.messages,
            "errors": self.errors,
            "first_error": self.first_error,
            "missing": self.missing,
            "unsent": self.unsent,
            "duplicates": self.duplicates,
            "messages_per_s": self.messages_per_s,
            "p50_us": self.p50_us,
            "p99_us": self.p99_us,
            "p999_us": self.p999_us,
            "max_us": self.max_us,
            "server_driver": environment.server_driver,
            "durability": environment.durability,
            "commit": environment.commit,
            "kernel": environment.kernel,
            "cpu": environment.cpu,
        })
        .to_string()
    }
}
