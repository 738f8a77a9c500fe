//! Connections that do nothing: what one costs the server in memory.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use compio::time::sleep;
use serde_json::json;

use crate::admin::cli::BenchArgs;
use crate::admin::link::{Handler, Link, Outbound, Target};
use crate::error::{Error, Result};
use crate::wire::envelope::Head;

/// Answers the server's pings and counts itself out when it ends.
struct Idle {
    ended: Rc<RefCell<u32>>,
}

impl Handler for Idle {
    fn frame(&mut self, frame: Bytes, out: &mut Outbound) -> Result<()> {
        let head = Head::scan(&frame)?;
        if head.command == "ping" {
            out.send("pong", "pong", head.id, "PingResponse", &[]);
        }
        Ok(())
    }

    fn closed(&mut self, _: &Error) {
        *self.ended.borrow_mut() += 1;
    }
}

/// Opens `count` connections, holds them, and prints the memory of `--pid`. True when
/// every connection lasted.
pub(super) async fn run(args: &BenchArgs, target: &Target, count: u32) -> Result<bool> {
    let before = args.pid.and_then(resident_kib);
    let ended = Rc::new(RefCell::new(0));
    let mut links = Vec::new();
    for _ in 0..count {
        let idle = Rc::new(RefCell::new(Idle {
            ended: ended.clone(),
        }));
        links.push(Link::open(target, idle).await?);
    }
    sleep(Duration::from_secs(args.duration)).await;
    let after = args.pid.and_then(resident_kib);
    let lost = *ended.borrow();
    let per_connection = match (before, after) {
        (Some(before), Some(after)) => {
            Some((after as f64 - before as f64) * 1024.0 / f64::from(count))
        }
        _ => None,
    };
    if args.json {
        let document = json!({
            "op": "idle", "url": args.server.url(), "connections": count, "lost": lost,
            "duration_s": args.duration, "rss_before_kib": before, "rss_after_kib": after,
            "bytes_per_connection": per_connection,
        });
        println!("{document}");
    } else {
        println!(
            "{count} idle connections held {} s, {lost} lost",
            args.duration
        );
        match per_connection {
            Some(bytes) => println!("resident memory per connection: {bytes:.0} bytes"),
            None => println!("resident memory: give --pid of a process on this machine"),
        }
    }
    Ok(lost == 0)
}

/// VmRSS of a process, KiB.
fn resident_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
