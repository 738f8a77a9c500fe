//! `signin` (contract 5.1). A barrier: messages after it see who signed in.

use std::rc::Rc;

use crate::auth::{Client, Identity, SignedIn};
use crate::error::{Error, Result};
use crate::session::{Door, Login};
use crate::wire::proto::{Role, SigninRequest, SigninResponse, User};

use super::{Reply, ReplyFuture, Request};

/// Names that agents gave themselves in the past, and their names now.
const AGENT_NAMES: [(&str, &str); 3] = [
    ("webapp", "browser"),
    ("aiotwebapp", "browser"),
    ("assistent", "assistant"),
];

pub fn signin(request: Request) -> ReplyFuture {
    Box::pin(async move {
        let message: SigninRequest = request.decode()?;
        let signed_in = authenticate(&request, &message).await?;
        check_quota(&message, &signed_in.identity)?;
        let reply = response(&request, &signed_in)?;
        if !message.validateonly {
            sign_in_session(&request, &message, signed_in);
        }
        Ok(Reply::of("SigninResponse", &reply))
    })
}

async fn authenticate(request: &Request, message: &SigninRequest) -> Result<SignedIn> {
    let authority = &request.services.authority;
    let agent = agent_name(&message.agent);
    let client = Client {
        remote: &request.session.remote,
        agent,
        version: &message.version,
    };
    let long = message.longtoken;
    if !message.jwt.is_empty() {
        return authority.sign_in_by_token(&message.jwt, long, client).await;
    }
    let nothing = message.username.is_empty() && message.password.is_empty();
    if nothing && message.validateonly {
        return match own_token(request) {
            Some(token) => authority.validate(&token, long, client).await,
            None => guest(request, long),
        };
    }
    if message.username.is_empty() {
        return Err(Error::invalid("Username cannot be null"));
    }
    let as_guest =
        request.services.settings.enable_guest && message.username.eq_ignore_ascii_case("guest");
    if message.password.is_empty() && !as_guest {
        return Err(Error::invalid("Password cannot be null"));
    }
    authority
        .sign_in(&message.username, &message.password, long, client)
        .await
}

/// The connection's token. One request by REST is a connection of its own, whose token is
/// that of the request.
fn own_token(request: &Request) -> Option<Rc<str>> {
    let of_request = || {
        request
            .token
            .clone()
            .filter(|_| request.session.door == Door::Rest)
    };
    request.session.token().or_else(of_request)
}

fn guest(request: &Request, long: bool) -> Result<SignedIn> {
    let authority = &request.services.authority;
    let identity = authority.guest()?;
    let issued = authority.issue(&identity.id, authority.lifetime(long))?;
    Ok(SignedIn { identity, issued })
}

/// Robots of a user over its quota are sent to their owner (contract 5.1).
fn check_quota(message: &SigninRequest, identity: &Identity) -> Result<()> {
    match message.agent == "openrpa" && identity.dblocked {
        true => Err(Error::denied(format!(
            "User {} is dblocked, please login to openflow and buy more storage and try again",
            identity.username
        ))),
        false => Ok(()),
    }
}

fn sign_in_session(request: &Request, message: &SigninRequest, signed_in: SignedIn) {
    let session = &request.session;
    session.introduce(agent_name(&message.agent), &message.version);
    session.set_pings(message.ping);
    session.set_login(Login {
        token: signed_in.issued.token.into(),
        identity: signed_in.identity,
        expires_unix_ms: signed_in.issued.expires_unix_ms,
    });
}

fn agent_name(agent: &str) -> &str {
    if agent.is_empty() {
        return "unknown";
    }
    let renamed = AGENT_NAMES.iter().find(|(old, _)| *old == agent);
    renamed.map_or(agent, |(_, new)| new)
}

fn response(request: &Request, signed_in: &SignedIn) -> Result<SigninResponse> {
    let services = &request.services;
    let installation = services.authority.installation();
    let version = env!("CARGO_PKG_VERSION");
    let config = crate::config::config_json(&services.settings, version, Some(installation));
    let config = serde_json::to_string(&config).map_err(|error| {
        Error::internal("The configuration could not be written").because(error)
    })?;
    let jwt = signed_in.issued.token.clone();
    Ok(SigninResponse {
        jwt,
        user: Some(user_of(&signed_in.identity)),
        config,
    })
}

/// A user as clients know it, for `signin` and `refreshtoken`.
pub fn user_of(identity: &Identity) -> User {
    let role = |role: &crate::auth::RoleName| Role {
        id: role.id.clone(),
        name: role.name.clone(),
    };
    User {
        id: identity.id.clone(),
        name: identity.name.clone(),
        username: identity.username.clone(),
        email: identity.email.clone(),
        roles: identity.roles.iter().map(role).collect(),
    }
}
