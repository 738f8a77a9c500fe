//! One request, one reply, over a link.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use prost::Message;

use super::{Handler, Link, Outbound, SharedHandler, Signal, Target, unavailable};
use crate::admin::cli::ServerArgs;
use crate::error::{Code, Error, Result, Retry};
use crate::wire::envelope::Head;
use crate::wire::names;
use crate::wire::proto::{ErrorResponse, PingResponse, SigninRequest, SigninResponse};

/// A reply, not yet decoded.
#[derive(Clone, Debug)]
pub struct Reply {
    pub command: String,
    pub body: Bytes,
}

/// What waits for replies; a later stage may take over what belongs to no call.
#[derive(Default)]
struct Mailbox {
    waiting: Option<String>,
    reply: Option<Result<Reply>>,
    ready: Rc<Signal>,
    /// Why the connection ended, once it has.
    ended: Option<String>,
    next: Option<SharedHandler>,
}

impl Handler for Mailbox {
    fn batch(&mut self) {
        if let Some(next) = &self.next {
            next.borrow_mut().batch();
        }
    }

    fn frame(&mut self, frame: Bytes, out: &mut Outbound) -> Result<()> {
        let head = Head::scan(&frame)?;
        if head.command == "ping" && head.rid.is_empty() {
            out.send(
                "pong",
                "pong",
                head.id,
                "PingResponse",
                &PingResponse {}.encode_to_vec(),
            );
            return Ok(());
        }
        if self.waiting.as_deref() == Some(head.rid) {
            let body = head
                .data
                .clone()
                .map_or(Bytes::new(), |range| frame.slice(range));
            let command = head.command.to_string();
            self.waiting = None;
            self.reply = Some(Ok(Reply { command, body }));
            self.ready.notify();
            return Ok(());
        }
        match &self.next {
            Some(next) => next.borrow_mut().frame(frame, out),
            None => Ok(()),
        }
    }

    fn closed(&mut self, reason: &Error) {
        self.ended = Some(reason.to_string());
        if self.waiting.take().is_some() {
            self.reply = Some(Err(unavailable(reason.to_string())));
        }
        self.ready.notify();
        if let Some(next) = &self.next {
            next.borrow_mut().closed(reason);
        }
    }
}

/// A connection that asks one thing at a time.
pub struct Client {
    link: Link,
    mailbox: Rc<RefCell<Mailbox>>,
    timeout: Duration,
    calls: u64,
}

impl Client {
    pub async fn connect(target: &Target, timeout: Duration) -> Result<Self> {
        let mailbox = Rc::new(RefCell::new(Mailbox::default()));
        let link = Link::open(target, mailbox.clone()).await?;
        Ok(Self {
            link,
            mailbox,
            timeout,
            calls: 0,
        })
    }

    /// Sends one command with `body` and waits for its reply. An `error` reply is an
    /// error with the server's words; `Deadline` after the timeout, `Unavailable`
    /// when the connection ends.
    pub async fn call(&mut self, command: &str, body: &[u8]) -> Result<Reply> {
        let messages = names::messages(command)
            .ok_or_else(|| Error::invalid(format!("Unknown command {command}")))?;
        if let Some(reason) = &self.mailbox.borrow().ended {
            return Err(unavailable(reason.clone()));
        }
        self.calls += 1;
        let id = format!("call-{}", self.calls);
        self.mailbox.borrow_mut().waiting = Some(id.clone());
        self.link
            .send(|out| out.send(command, &id, "", messages.request, body));
        let reply = compio::time::timeout(self.timeout, self.wait()).await;
        let reply = reply.unwrap_or_else(|_| {
            let waited = self.timeout.as_secs();
            Err(Error::backend(
                Code::Deadline,
                Retry::Unsafe,
                format!("{command}: no reply within {waited} s; it may have happened"),
            ))
        })?;
        refuse(reply)
    }

    async fn wait(&self) -> Result<Reply> {
        let ready = self.mailbox.borrow().ready.clone();
        loop {
            if let Some(reply) = self.mailbox.borrow_mut().reply.take() {
                return reply;
            }
            ready.wait().await;
        }
    }

    /// Signs in with what the arguments hold; nothing without credentials.
    pub async fn signin(
        &mut self,
        server: &ServerArgs,
        long: bool,
    ) -> Result<Option<SigninResponse>> {
        let Some(request) = identify(server, long)? else {
            return Ok(None);
        };
        let reply = self.call("signin", &request.encode_to_vec()).await?;
        let response = SigninResponse::decode(reply.body)
            .map_err(|cause| Error::protocol("signin's reply").because(cause))?;
        Ok(Some(response))
    }

    /// Hands every further message to `next`; calls still work.
    pub fn hand_over(self, next: SharedHandler) -> Link {
        let ended = self.mailbox.borrow().ended.clone();
        if let Some(reason) = ended {
            next.borrow_mut().closed(&unavailable(reason));
        }
        self.mailbox.borrow_mut().next = Some(next);
        self.link
    }
}

/// The signin request of these credentials; `Invalid` for half of a pair.
pub fn identify(server: &ServerArgs, long: bool) -> Result<Option<SigninRequest>> {
    let mut request = SigninRequest {
        ping: true,
        agent: "opencore".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        longtoken: long,
        ..SigninRequest::default()
    };
    match (&server.jwt, &server.username, &server.password) {
        (_, Some(username), Some(password)) => {
            request.username = username.clone();
            request.password = password.clone();
        }
        (Some(jwt), None, _) => request.jwt = jwt.clone(),
        (None, None, None) => return Ok(None),
        _ => {
            return Err(Error::invalid(
                "a username needs a password and the other way round: --username with \
                 OPENIAP_PASSWORD, or OPENIAP_JWT alone",
            ));
        }
    }
    Ok(Some(request))
}

fn refuse(reply: Reply) -> Result<Reply> {
    if reply.command != "error" {
        return Ok(reply);
    }
    let text = ErrorResponse::decode(reply.body).map(|error| error.message);
    Err(Error::invalid(
        text.unwrap_or_else(|_| "an error that cannot be read".into()),
    ))
}
