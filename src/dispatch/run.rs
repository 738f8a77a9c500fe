//! A request that runs: authenticate, call, reply. It always ends with one reply,
//! also when its handler fails or panics, and gives its permit back.

use std::any::Any;
use std::cell::Cell;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::task::noop_waker_ref;
use prost::Message;

use crate::auth::Identity;
use crate::command::{self, Access, Command, Reply, Request, Run};
use crate::error::{Error, Result};
use crate::seam::Ticks;
use crate::session::Session;
use crate::wire::envelope::Head;
use crate::wire::proto::ErrorResponse;

use super::{Dispatcher, Job};

impl Dispatcher {
    /// Starts a request; what cannot finish at once goes on as a task of its own.
    pub(super) fn start(self: &Rc<Self>, job: Job, head: &Head<'_>) {
        let Some(command) = job.command else {
            let error = command::unknown(head.command);
            return self.finish(&job, head.command, head.id, Err(error));
        };
        let name = command.name;
        if let Run::Now(answer) = command.run {
            let result = catch(|| answer(head.body(&job.frame)));
            return self.finish(&job, name, head.id, result);
        }
        if let Run::Refused(text) = command.run {
            return self.finish(&job, name, head.id, Err(Error::denied(text)));
        }
        let mut task: Pin<Box<dyn Future<Output = ()>>> =
            Box::pin(self.clone().run_later(job, command));
        let mut context = Context::from_waker(noop_waker_ref());
        let (polled, now) = self
            .stalls
            .watch(name, self.now.get(), || task.as_mut().poll(&mut context));
        self.now.set(now);
        if polled == Poll::Pending {
            // The task polls again at once and then with a waker of its own.
            self.services.seam.spawn(name, task);
        }
    }

    /// Answers a request that needs nothing but its body, without making a job of it.
    pub(super) fn answer_at_once(
        &self,
        session: &Session,
        command: &'static Command,
        frame: &Bytes,
        head: &Head<'_>,
    ) -> bool {
        let Run::Now(answer) = command.run else {
            return false;
        };
        let result = catch(|| answer(head.body(frame)));
        self.reply(session, Some(command), command.name, head.id, result);
        true
    }

    async fn run_later(self: Rc<Self>, job: Job, command: &'static Command) {
        let ended = EndGuard {
            session: job.session.clone(),
            barrier: job.barrier,
            done: Cell::new(false),
        };
        let Ok(head) = Head::scan(&job.frame) else {
            return;
        };
        let result = futures_util::FutureExt::catch_unwind(AssertUnwindSafe(
            self.answer(&job, command, &head),
        ))
        .await
        .unwrap_or_else(|panic| Err(panicked(panic)));
        ended.done.set(true);
        self.finish(&job, command.name, head.id, result);
    }

    async fn answer(&self, job: &Job, command: &'static Command, head: &Head<'_>) -> Result<Reply> {
        let identity = match self.identity_at_once(job, command, head) {
            Some(identity) => identity,
            None => Some(self.authenticate(job, command, head).await?),
        };
        let request = self.request(job, head, identity);
        match command.run {
            Run::Later(answer) => answer(request).await,
            Run::Now(_) | Run::Silent | Run::Refused(_) => Err(Error::internal(format!(
                "{} takes no requests",
                command.name
            ))),
        }
    }

    /// The identity when no waiting is needed: none wanted, or a token verified before.
    fn identity_at_once(
        &self,
        job: &Job,
        command: &Command,
        head: &Head<'_>,
    ) -> Option<Option<Rc<Identity>>> {
        if command.access == Access::Anyone {
            return Some(None);
        }
        let token = effective_token(job, head)?;
        self.services.authority.identify_cached(token).map(Some)
    }

    /// Contract 2.5: Envelope.jwt, then the connection token, then guest.
    async fn authenticate(
        &self,
        job: &Job,
        command: &Command,
        head: &Head<'_>,
    ) -> Result<Rc<Identity>> {
        let authority = &self.services.authority;
        match effective_token(job, head) {
            Some(token) => {
                let session = &job.session;
                authority
                    .identify_for(
                        token,
                        command.name,
                        &session.remote,
                        &session.agent(),
                        &session.version(),
                    )
                    .await
            }
            None => {
                let guest = authority.guest()?;
                job.session.mark_guest_request();
                Ok(guest)
            }
        }
    }

    fn request(&self, job: &Job, head: &Head<'_>, identity: Option<Rc<Identity>>) -> Request {
        let body = head
            .data
            .clone()
            .map_or_else(Bytes::new, |range| job.frame.slice(range));
        let token = if head.jwt.is_empty() {
            job.token.clone()
        } else {
            Some(Rc::from(head.jwt))
        };
        Request {
            services: self.services.clone(),
            session: job.session.clone(),
            identity,
            token,
            body,
            priority: job.priority,
        }
    }

    /// Queues the reply and ends the request.
    fn finish(&self, job: &Job, command: &str, request_id: &str, result: Result<Reply>) {
        self.reply(&job.session, job.command, command, request_id, result);
        job.session.end(job.barrier);
    }

    fn reply(
        &self,
        session: &Session,
        row: Option<&Command>,
        command: &str,
        request_id: &str,
        result: Result<Reply>,
    ) {
        let now = self.now.get();
        self.count(result.is_err());
        match result {
            Ok(reply) => {
                let own = row.and_then(|row| row.reply_command);
                let (name, suffix) = own.map_or((command, true), |name| (name, false));
                session.send(now, name, suffix, request_id, reply.message, reply.body);
            }
            Err(error) => {
                log_failure(command, session, &error);
                send_error(session, now, request_id, &error);
            }
        }
    }
}

fn effective_token<'a>(job: &'a Job, head: &Head<'a>) -> Option<&'a str> {
    if head.jwt.is_empty() {
        job.token.as_deref()
    } else {
        Some(head.jwt)
    }
}

/// An `error` message (contract 2.4): code 0 and no stack, the text is for the user.
pub(super) fn send_error(session: &Session, now: Ticks, rid: &str, error: &Error) {
    let body = ErrorResponse {
        message: error.context.to_string(),
        code: 0,
        stack: String::new(),
    }
    .encode_to_vec();
    session.send(now, "error", false, rid, "ErrorResponse", body.into());
}

fn log_failure(command: &str, session: &Session, error: &Error) {
    use crate::error::Origin;
    match error.origin {
        Origin::Client => tracing::debug!(
            command,
            session = session.id,
            door = session.door.label(),
            "refused: {error}"
        ),
        Origin::Backend | Origin::Server => {
            tracing::error!(
                command,
                session = session.id,
                door = session.door.label(),
                "failed: {error}"
            )
        }
    }
}

fn catch(answer: impl FnOnce() -> Result<Reply>) -> Result<Reply> {
    catch_unwind(AssertUnwindSafe(answer)).unwrap_or_else(|panic| Err(panicked(panic)))
}

fn panicked(panic: Box<dyn Any + Send>) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default();
    Error::internal("The server failed while handling this request; it may have been carried out. Please report it.")
        .because(text)
}

/// Ends the request of a session when its task is dropped before it could reply.
struct EndGuard {
    session: Rc<Session>,
    barrier: bool,
    done: Cell<bool>,
}

impl Drop for EndGuard {
    fn drop(&mut self) {
        if !self.done.get() {
            self.session.end(self.barrier);
        }
    }
}
