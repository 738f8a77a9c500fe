//! One connection's share of the load: what it sends next and how it judges replies.

use std::collections::VecDeque;
use std::rc::Rc;

use bytes::Bytes;
use prost::Message;

use super::clock::now_ns;
use super::request::Requests;
use super::slots::{Match, Slots, Taken, id_of};
use super::tally::Tally;
use crate::admin::cli::Expect;
use crate::admin::link::{Handler, Outbound};
use crate::error::{Error, Result};
use crate::limits::LOAD_BACKLOG_MAX;
use crate::wire::envelope::Head;
use crate::wire::proto::ErrorResponse;

pub(super) struct Work {
    requests: Rc<Requests>,
    slots: Slots,
    expect: Expect,
    tally: Rc<Tally>,
    /// Times at which requests were due that found no room, nanoseconds.
    backlog: VecDeque<u64>,
    /// Requests given up because the backlog was full.
    dropped: u64,
    open_loop: bool,
    /// Time of the batch of replies at hand, nanoseconds.
    now_ns: u64,
}

impl Work {
    pub fn new(requests: Rc<Requests>, in_flight: usize, expect: Expect, tally: Rc<Tally>) -> Self {
        Self {
            requests,
            slots: Slots::new(in_flight.max(1)),
            expect,
            tally,
            backlog: VecDeque::new(),
            dropped: 0,
            open_loop: false,
            now_ns: 0,
        }
    }

    /// Closed loop: sends until every slot is taken.
    pub fn fill(&mut self, out: &mut Outbound) {
        let now = now_ns();
        while self.send(now, out) {}
    }

    /// Open loop: a request was due at `due_ns`. Sent now if there is room.
    pub fn due(&mut self, due_ns: u64, out: &mut Outbound) {
        self.open_loop = true;
        if self.backlog.is_empty() && self.send(due_ns, out) {
            return;
        }
        match self.backlog.len() < LOAD_BACKLOG_MAX {
            true => self.backlog.push_back(due_ns),
            false => self.dropped += 1,
        }
    }

    /// Requests sent and not answered.
    pub fn owed(&self) -> u64 {
        self.slots.busy()
    }

    /// Requests that were due and never sent.
    pub fn unsent(&self) -> u64 {
        self.backlog.len() as u64 + self.dropped
    }

    fn send(&mut self, start_ns: u64, out: &mut Outbound) -> bool {
        let requests = &self.requests;
        self.slots.open(start_ns, |number| {
            let id = id_of(number);
            // Base-36 digits are ASCII.
            let id = std::str::from_utf8(&id).unwrap_or_default();
            out.send(
                requests.command,
                id,
                "",
                requests.message,
                requests.body(number),
            )
        })
    }

    fn next(&mut self, out: &mut Outbound) {
        if !self.tally.is_running() {
            return;
        }
        match (self.open_loop, self.backlog.front().copied()) {
            (false, _) => {
                self.send(self.now_ns, out);
            }
            (true, Some(due)) if self.send(due, out) => {
                self.backlog.pop_front();
            }
            (true, _) => {}
        }
    }

    /// What is wrong with the answer to `taken`, if anything.
    fn judge(&self, head: &Head<'_>, frame: &Bytes, taken: Taken) -> Option<String> {
        let requests = &self.requests;
        let body = head.body(frame);
        if self.expect == Expect::Echo {
            // An echo may say what it answers (`rid`); the rest must be what was sent.
            let same = head.command == requests.command && body == requests.body(taken.number);
            return (!same).then(|| "the echo differs from what was sent".into());
        }
        if head.command == "error" {
            let text = ErrorResponse::decode(body).map(|error| error.message);
            return Some(text.unwrap_or_else(|_| "an error that cannot be read".into()));
        }
        if head.command != requests.reply {
            let (command, wanted) = (head.command, requests.reply);
            return Some(format!("the reply is `{command}`, not `{wanted}`"));
        }
        match requests.is_answer(taken.number, body) {
            true => None,
            false => Some("the reply does not hold the document asked for".into()),
        }
    }
}

impl Handler for Work {
    fn batch(&mut self) {
        self.now_ns = now_ns();
    }

    fn frame(&mut self, frame: Bytes, out: &mut Outbound) -> Result<()> {
        let head = Head::scan(&frame)?;
        let name = match self.expect {
            Expect::Echo => head.id,
            Expect::Reply => head.rid,
        };
        if name.is_empty() {
            // Events and refreshed tokens are nobody's reply.
            return Ok(());
        }
        match self.slots.close(name) {
            Match::Taken(taken) => {
                match self.judge(&head, &frame, taken) {
                    None => self.tally.reply(taken.start_ns, self.now_ns),
                    Some(text) => self.tally.error(|| text),
                }
                self.next(out);
            }
            Match::Duplicate => self.tally.duplicate(),
            Match::Unknown => self
                .tally
                .error(|| format!("a reply to `{name}`, which was never sent")),
        }
        Ok(())
    }

    fn closed(&mut self, reason: &Error) {
        self.tally.connection_ended();
        self.tally.error(|| reason.to_string());
    }
}

#[cfg(test)]
#[path = "work_tests.rs"]
mod tests;
