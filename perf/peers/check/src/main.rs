//! `check bench --url tcp://HOST:PORT …`: the small load of [`check::load`], with the options
//! and the JSON names of the product's load tool that `perf/compare` uses.

use std::process::ExitCode;
use std::time::Duration;

use check::load::{self, Load};

const USAGE: &str = "usage: check bench --url tcp://127.0.0.1:PORT [--op ping] [--expect echo] \
    [--connections N] [--in-flight N] [--duration SECONDS] [--payload BYTES] [--json]";
/// Body of an envelope that asks for nothing, in bytes; with its length, 120.
const BODY_BYTES: usize = 116;
/// Far below the largest frame.
const PAYLOAD_BYTES_MAX: usize = 1024 * 1024;
/// Windows and connections a try needs at most.
const COUNT_MAX: usize = 1024;

fn main() -> ExitCode {
    let outcome = parse(std::env::args().skip(1)).and_then(|load| {
        let outcome = load::run(load).map_err(|e| e.to_string())?;
        let seconds = outcome.elapsed.as_secs_f64();
        println!(
            "{{\"messages\":{},\"elapsed_s\":{seconds:.3},\"messages_per_s\":{:.0},\"p50_ns\":{},\"p99_ns\":{}}}",
            outcome.messages,
            outcome.messages as f64 / seconds,
            outcome.quantile_ns(0.5),
            outcome.quantile_ns(0.99),
        );
        Ok(())
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("{reason}\n{USAGE}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Load, String> {
    if args.next().as_deref() != Some("bench") {
        return Err("the first word is bench".into());
    }
    let mut address = None;
    let (mut connections, mut in_flight, mut payload, mut seconds) = (1, 1, 0, 5.0);
    while let Some(name) = args.next() {
        if name == "--json" {
            continue;
        }
        let value = args.next().ok_or_else(|| format!("{name} wants a value"))?;
        match (name.as_str(), value.as_str()) {
            ("--op", "ping") | ("--expect", "echo") => {}
            ("--url", url) => {
                let host = url
                    .strip_prefix("tcp://")
                    .ok_or("the url starts with tcp://")?;
                address = Some(host.parse().map_err(|e| format!("{url}: {e}"))?);
            }
            ("--connections", text) => connections = number(&name, text, COUNT_MAX)?,
            ("--in-flight", text) => in_flight = number(&name, text, COUNT_MAX)?,
            ("--payload", text) => payload = number(&name, text, PAYLOAD_BYTES_MAX)?,
            ("--duration", text) => {
                seconds = text
                    .trim_end_matches('s')
                    .parse()
                    .map_err(|e| format!("{name}: {e}"))?;
            }
            _ => return Err(format!("{name} {value} is not known here")),
        }
    }
    let duration = Duration::try_from_secs_f64(seconds).map_err(|e| format!("--duration: {e}"))?;
    let address = address.ok_or("--url is missing")?;
    let body_bytes = BODY_BYTES + payload;
    Ok(Load {
        address,
        connections,
        in_flight,
        body_bytes,
        duration,
    })
}

fn number(name: &str, text: &str, max: usize) -> Result<usize, String> {
    match text.parse() {
        Ok(value) if (1..=max).contains(&value) => Ok(value),
        _ => Err(format!("{name} {text}: a number from 1 to {max} is wanted")),
    }
}
