//! Timers of a session (contract 2.8), looked at once a second by its shard.
//!
//! One sweep over the shard's sessions instead of three timers per session: an idle
//! connection costs no timer memory.

use std::time::Duration;

use crate::seam::Ticks;

use super::{CloseReason, Door, Session};

/// The settings that decide (contract 13).
#[derive(Clone, Copy, Debug)]
pub struct Timers {
    /// `ping_clients_interval`.
    pub ping_interval: Duration,
    /// `client_heartbeat_timeout`.
    pub heartbeat_timeout: Duration,
    /// `client_signin_timeout`.
    pub signin_timeout: Duration,
    /// `slow_consumer_timeout`: replies unread, or a write without progress.
    pub slow_consumer_timeout: Duration,
    /// How long before its end a token is renewed: a minute (contract 2.8), or half its life.
    pub renew_before: Duration,
}

/// What is due for a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    Nothing,
    Ping,
    /// The connection token has less than a minute left.
    Renew,
    Close(CloseReason),
}

pub fn due(session: &Session, timers: &Timers, now: Ticks, unix_ms: i64) -> Due {
    let past = |since: Ticks, limit: Duration| now.since(since) >= limit;
    if session
        .outbox
        .over_since()
        .is_some_and(|since| past(since, timers.slow_consumer_timeout))
    {
        return Due::Close(CloseReason::OutboxFull);
    }
    if session
        .outbox
        .waiting_since()
        .is_some_and(|since| past(since, timers.slow_consumer_timeout))
    {
        return Due::Close(CloseReason::WriteDeadline);
    }
    if session
        .frame_deadline()
        .is_some_and(|deadline| now >= deadline)
    {
        return Due::Close(CloseReason::FrameDeadline);
    }
    if session.door == Door::Rest {
        return Due::Nothing;
    }
    let login = session.login();
    if login.is_none()
        && !session.made_guest_requests()
        && past(session.opened, timers.signin_timeout)
    {
        return Due::Close(CloseReason::SigninTimeout);
    }
    // A frame that is arriving has a deadline of its own: a slow upload is not silence.
    if session.pings()
        && session.frame_deadline().is_none()
        && session.in_flight() == 0
        && past(session.last_message(), timers.heartbeat_timeout)
    {
        return Due::Close(CloseReason::HeartbeatTimeout);
    }
    if login.is_some_and(|login| {
        login.expires_unix_ms - unix_ms < timers.renew_before.as_millis() as i64
    }) {
        return Due::Renew;
    }
    if session.pings() && past(session.last_ping(), timers.ping_interval) {
        return Due::Ping;
    }
    Due::Nothing
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMERS: Timers = Timers {
        ping_interval: Duration::from_secs(10),
        heartbeat_timeout: Duration::from_secs(60),
        signin_timeout: Duration::from_secs(120),
        slow_consumer_timeout: Duration::from_secs(30),
        renew_before: Duration::from_secs(60),
    };

    fn at(seconds: u64) -> Ticks {
        Ticks(seconds * 1_000_000_000)
    }

    #[test]
    fn a_silent_session_is_pinged_then_closed_by_its_heartbeat() {
        let session = Session::new(1, Door::Tcp, "local".into(), at(0), 1);
        assert_eq!(due(&session, &TIMERS, at(9), 0), Due::Nothing);
        assert_eq!(due(&session, &TIMERS, at(10), 0), Due::Ping);
        assert_eq!(
            due(&session, &TIMERS, at(60), 0),
            Due::Close(CloseReason::HeartbeatTimeout)
        );
    }

    #[test]
    fn messages_without_a_signin_do_not_keep_a_session() {
        let session = Session::new(1, Door::Tcp, "local".into(), at(0), 1);
        session.touch(at(119));
        assert_eq!(
            due(&session, &TIMERS, at(120), 0),
            Due::Close(CloseReason::SigninTimeout)
        );
        session.mark_guest_request();
        assert_ne!(
            due(&session, &TIMERS, at(120), 0),
            Due::Close(CloseReason::SigninTimeout)
        );
    }

    #[test]
    fn a_client_that_wants_no_pings_is_never_timed_out_by_its_heartbeat() {
        let session = Session::new(1, Door::Tcp, "local".into(), at(0), 1);
        session.mark_guest_request();
        session.set_pings(false);
        assert_eq!(due(&session, &TIMERS, at(10_000), 0), Due::Nothing);
    }
}
