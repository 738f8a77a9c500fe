//! `opencore bench`: load, latency and verification in one.
//!
//! Single-threaded. Closed loop: every connection keeps `--in-flight` requests
//! unanswered. Open loop (`--rate`): requests are due on a schedule and latency
//! counts from the time they were due, so that a stall of the server is seen by every
//! request that had to wait for it. Every reply is matched to its request: none
//! may be lost, doubled, or be something else.

mod clock;
mod environment;
mod idle;
mod outcome;
mod request;
mod schedule;
mod slots;
mod tally;
mod work;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use compio::time::sleep;

use self::clock::now_ns;
use self::outcome::Outcome;
use self::request::Requests;
use self::tally::Tally;
use self::work::Work;
use crate::admin::cli::{BenchArgs, Expect};
use crate::admin::link::{Client, Link, Target};
use crate::error::{Error, Result};
use crate::limits::LOAD_DRAIN_TIMEOUT;

/// Time one request of the preparation may take.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(60);

/// One connection under load.
struct Lane {
    link: Link,
    work: Rc<RefCell<Work>>,
}

/// Runs it; prints to standard output. True when every reply was right.
pub async fn run(args: &BenchArgs) -> Result<bool> {
    let target = Target::parse(args.server.url())?;
    if matches!(target, Target::Rest { .. }) {
        return Err(Error::invalid(
            "bench speaks tcp://, ws://, grpc:// and pipe://",
        ));
    }
    if let Some(count) = args.idle {
        return idle::run(args, &target, count).await;
    }
    let environment = environment::collect(&target);
    if !args.json {
        print!("{}", environment.text(args));
    }
    let tally = Rc::new(Tally::default());
    let lanes = connect(args, &target, &tally).await?;
    let outcome = measure(args, &lanes, &tally).await;
    match args.json {
        true => println!("{}", outcome.json(args, &environment)),
        false => print!("{}", outcome.text()),
    }
    Ok(outcome.is_right())
}

/// Opens and signs in every connection; the first one prepares the requests.
async fn connect(args: &BenchArgs, target: &Target, tally: &Rc<Tally>) -> Result<Vec<Lane>> {
    let in_flight = args.requests_in_flight() as usize;
    let mut requests: Option<Rc<Requests>> = None;
    let mut lanes = Vec::new();
    for _ in 0..args.connections {
        let mut client = Client::connect(target, PREPARE_TIMEOUT).await?;
        if args.expect == Expect::Reply {
            client.signin(&args.server, false).await?;
        }
        let requests = match &requests {
            Some(requests) => requests.clone(),
            None => {
                let prepared = Rc::new(Requests::prepare(args, &mut client).await?);
                requests.insert(prepared).clone()
            }
        };
        let work = Work::new(requests, in_flight, args.expect, tally.clone());
        let work = Rc::new(RefCell::new(work));
        let link = client.hand_over(work.clone());
        lanes.push(Lane { link, work });
    }
    Ok(lanes)
}

async fn measure(args: &BenchArgs, lanes: &[Lane], tally: &Rc<Tally>) -> Outcome {
    let duration = Duration::from_secs(args.duration);
    let start = now_ns();
    tally.open(start + duration.as_nanos() as u64);
    let progress = compio::runtime::spawn(progress(tally.clone(), args.duration));
    match args.rate {
        Some(rate) => schedule::run(lanes, rate, start, tally).await,
        None => {
            for lane in lanes {
                let mut work = lane.work.borrow_mut();
                lane.link.send(|out| work.fill(out));
            }
            sleep(duration).await;
        }
    }
    tally.stop();
    drop(progress);
    let drained = start + duration.as_nanos() as u64 + LOAD_DRAIN_TIMEOUT.as_nanos() as u64;
    let owed = || {
        lanes
            .iter()
            .map(|lane| lane.work.borrow().owed())
            .sum::<u64>()
    };
    while owed() > 0 && now_ns() < drained && tally.ended() < lanes.len() as u64 {
        sleep(Duration::from_millis(5)).await;
    }
    let unsent = lanes.iter().map(|lane| lane.work.borrow().unsent()).sum();
    Outcome::new(tally, owed(), unsent, args.duration)
}

/// A line on standard error each second.
async fn progress(tally: Rc<Tally>, seconds: u64) {
    let mut before = 0;
    for second in 1..seconds {
        sleep(Duration::from_secs(1)).await;
        let now = tally.messages();
        let (errors, rate) = (tally.errors(), now - before);
        eprint!("\r{second:4} s  {rate:9} messages/s  {errors} errors   ");
        before = now;
    }
    eprintln!();
}
