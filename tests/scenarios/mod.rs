//! Scenarios as data: written once, played over every door.

mod documents;
mod identity;
mod refusals;

/// What must come back.
#[derive(Clone, Copy)]
pub enum Expect {
    /// A reply by this name, with these parts in its JSON and without those.
    Reply(
        &'static str,
        &'static [&'static str],
        &'static [&'static str],
    ),
    /// An error whose text has this part.
    Error(&'static str),
}

pub struct Step {
    pub command: &'static str,
    /// The request message as JSON; see `send` for what is replaced in it.
    pub message: &'static str,
    pub expect: Expect,
}

pub struct Scenario {
    pub name: &'static str,
    /// As root, before the first step.
    pub signed_in: bool,
    pub steps: &'static [Step],
}

/// A step that is answered.
pub const fn ok(
    command: &'static str,
    message: &'static str,
    reply: &'static str,
    has: &'static [&'static str],
    lacks: &'static [&'static str],
) -> Step {
    Step {
        command,
        message,
        expect: Expect::Reply(reply, has, lacks),
    }
}

/// A step that is refused.
pub const fn refused(command: &'static str, message: &'static str, text: &'static str) -> Step {
    Step {
        command,
        message,
        expect: Expect::Error(text),
    }
}

pub static SCENARIOS: std::sync::LazyLock<Vec<&'static Scenario>> =
    std::sync::LazyLock::new(|| {
        [
            identity::SCENARIOS,
            documents::SCENARIOS,
            refusals::SCENARIOS,
        ]
        .into_iter()
        .flatten()
        .collect()
    });
