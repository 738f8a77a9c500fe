//! The ledger: the one thread that writes.
//!
//! It takes whatever waits in its intake, higher priorities first, commits it as one
//! group with one sync, and answers. There is no artificial delay: while one group syncs,
//! the next gathers.

use std::sync::Arc;

use super::Shared;
use super::commit::{Scratch, commit};
use super::counters::Counters;
use super::failure::{self, Kind};
use super::request::{Answers, Intake, Request};
use crate::error::Retry;
use crate::lanes::{Received, Receiver};
use crate::limits::{LEDGER_GROUP_BATCHES_MAX, LEDGER_GROUP_BYTES_MAX};

/// Runs until it is told to stop, until all handles are gone, or until storage fails for good.
pub fn run(shared: Arc<Shared>, intake: Receiver<Intake>, counters: Counters) {
    let guard = PanicGuard(shared.clone());
    let mut ledger = Ledger {
        shared,
        intake,
        counters,
        carried: None,
        is_stopping: false,
        answers: Answers::default(),
        scratch: Scratch::default(),
    };
    while let Some(group) = ledger.next_group() {
        ledger.commit(group);
        ledger.answers.send();
        if ledger.shared.failure().is_some() {
            break;
        }
    }
    drop(guard);
}

/// Notes a panic, so that the process can stop with its reason.
struct PanicGuard(Arc<Shared>);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail("the ledger panicked".to_owned());
        }
    }
}

struct Ledger {
    shared: Arc<Shared>,
    intake: Receiver<Intake>,
    /// As they are in the database.
    counters: Counters,
    /// Taken, but too large for the group it would have joined.
    carried: Option<Request>,
    is_stopping: bool,
    answers: Answers,
    scratch: Scratch,
}

impl Ledger {
    /// Waits for a batch, then takes what is there. `None` at the end.
    fn next_group(&mut self) -> Option<Vec<Request>> {
        let mut group = Vec::new();
        let mut bytes = 0;
        if let Some(carried) = self.carried.take() {
            bytes += carried.bytes;
            group.push(carried);
        }
        while group.len() < LEDGER_GROUP_BATCHES_MAX {
            let message = match self.intake.try_recv() {
                Some(message) => message,
                None if !group.is_empty() => break,
                None if self.is_stopping => return None,
                None => match self.intake.recv_blocking(None) {
                    Received::Value(message) => message,
                    Received::Nothing => continue,
                    Received::Closed => return None,
                },
            };
            match message {
                Intake::Stop => self.is_stopping = true,
                Intake::Write(request)
                    if group.is_empty() || bytes + request.bytes <= LEDGER_GROUP_BYTES_MAX =>
                {
                    bytes += request.bytes;
                    group.push(request);
                }
                Intake::Write(request) => {
                    self.carried = Some(request);
                    break;
                }
            }
        }
        Some(group)
    }

    /// Commits the group; a group that does not fit is halved until what does not fit stands alone.
    fn commit(&mut self, mut group: Vec<Request>) {
        let batches = group.iter_mut().map(Request::try_now);
        match commit(&self.shared, self.counters, batches, &mut self.scratch) {
            Ok(committed) => {
                self.counters = committed.counters;
                committed.publish(&self.shared);
                for (request, result) in group.into_iter().zip(committed.outcomes) {
                    request.answer(result, &mut self.answers);
                }
            }
            Err(error) => self.recover(group, error),
        }
    }

    fn recover(&mut self, mut group: Vec<Request>, error: heed::Error) {
        if failure::kind(&error) == Kind::Fatal {
            self.shared
                .fail(format!("the database failed for good: {error}"));
            for request in group {
                request.answer(Err(failure::stopped(Retry::Unsafe)), &mut self.answers);
            }
            return;
        }
        if group.len() > 1 {
            let second = group.split_off(group.len() / 2);
            self.commit(group);
            match self.shared.failure() {
                None => self.commit(second),
                // The second half goes unanswered: dropping it says "may have happened".
                Some(_) => drop(second),
            }
            return;
        }
        // A disk error while LMDB wrote its head leaves open what is on disk: it then
        // refuses every further transaction, and this one may have happened.
        let after = self.shared.environment.env.write_txn().err();
        if let Some(after) = after.filter(|after| failure::kind(after) == Kind::Fatal) {
            return self.recover(group, after);
        }
        tracing::warn!(%error, "a write batch was refused by storage");
        self.shared.stats.refused();
        for request in group {
            request.answer(Err(failure::write_error(&error)), &mut self.answers);
        }
    }
}
