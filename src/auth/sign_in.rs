//! Sign-in by password or token (contract 5.1), and the `audit` record of each attempt.

use std::rc::Rc;
use std::time::Duration;

use bson::DateTime;
use bson::raw::{RawArrayBuf, RawDocumentBuf, cstr};

use super::ace::{Ace, FULL_CONTROL, to_array};
use super::authority::{Client, Refusal};
use super::token::Issued;
use super::{Authority, Identity, password, wellknown};
use crate::document::object_id;
use crate::document::raw::get_str;
use crate::error::{Error, Result};
use crate::store::{Write, WriteBatch};

/// How long a token of an unknown user is left without an answer (contract 5.1).
const UNKNOWN_USER_DELAY: Duration = Duration::from_secs(1);

/// A sign-in that succeeded.
#[derive(Clone, Debug)]
pub struct SignedIn {
    pub identity: Rc<Identity>,
    /// A new token.
    pub issued: Issued,
}

impl Authority {
    /// Signs in by user name or mail address and password. With `enable_guest`, `guest`
    /// needs none.
    ///
    /// Errors: `Unauthenticated`, with one text for a wrong user and a wrong password.
    pub async fn sign_in(
        &self,
        username: &str,
        password: &str,
        long: bool,
        client: Client<'_>,
    ) -> Result<SignedIn> {
        self.refresh().await?;
        let checked = match self.is_guest_name(username) {
            true => self.guest(),
            false => {
                let checked = self.check_password(username, password).await;
                checked.map_err(|refusal| refusal.into_error("local"))
            }
        };
        self.audit("local", username, checked.as_deref(), client)
            .await;
        self.admit(checked?, long)
    }

    /// Signs in by a token.
    ///
    /// Errors: `Unauthenticated`; an unknown user's after a delay.
    pub async fn sign_in_by_token(
        &self,
        token: &str,
        long: bool,
        client: Client<'_>,
    ) -> Result<SignedIn> {
        let checked = match self.verify(token).await {
            Ok((identity, _)) => Ok(identity),
            Err(refusal) => Err(self.explain(refusal, client).await),
        };
        self.audit("jwtsignin", "", checked.as_deref(), client)
            .await;
        self.admit(checked?, long)
    }

    /// Checks the token of a connection and issues no audit record.
    ///
    /// Errors: as [`Authority::sign_in_by_token`].
    pub async fn validate(&self, token: &str, long: bool, client: Client<'_>) -> Result<SignedIn> {
        match self.verify(token).await {
            Ok((identity, _)) => self.admit(identity, long),
            Err(refusal) => Err(self.explain(refusal, client).await),
        }
    }

    async fn explain(&self, refusal: Refusal, client: Client<'_>) -> Error {
        let Client {
            remote,
            agent,
            version,
        } = client;
        match refusal {
            Refusal::Token => Error::unauthenticated(format!(
                "Discard signin due to invalid or expired jwt for client at {remote} {agent} {version}"
            )),
            Refusal::UnknownUser(id) => {
                self.seam.sleep(UNKNOWN_USER_DELAY).await;
                Error::unauthenticated(format!(
                    "Failed resolving token, could not find user by {id}"
                ))
            }
            refusal => refusal.into_error("jwtsignin"),
        }
    }

    fn admit(&self, identity: Rc<Identity>, long: bool) -> Result<SignedIn> {
        let issued = self.issue(&identity.id, self.lifetime(long))?;
        self.remember(&issued, &identity);
        Ok(SignedIn { identity, issued })
    }

    fn is_guest_name(&self, username: &str) -> bool {
        self.settings().enable_guest && username.eq_ignore_ascii_case("guest")
    }

    /// The enabled user with this name and password. [`Authority::refresh`] first.
    pub(super) async fn check_password(
        &self,
        username: &str,
        password: &str,
    ) -> Result<Rc<Identity>, Refusal> {
        let refused = || Refusal::Password(username.to_owned());
        if self.is_guest_name(username) {
            return self.guest().map_err(Refusal::Failed);
        }
        let document = match self.find_user(username) {
            Some(id) => self.user_document(&id).await.map_err(Refusal::Failed)?,
            None => None,
        };
        let stored = document
            .as_deref()
            .and_then(|user| get_str(user, "passwordhash"));
        if !password::verify(&*self.seam, self.password_cost(), password, stored).await {
            return Err(refused());
        }
        let id = document.as_deref().and_then(|user| get_str(user, "_id"));
        self.user(id.ok_or_else(refused)?)
    }

    /// Writes the `audit` record of an attempt. That it cannot be written is logged and
    /// keeps nobody out.
    async fn audit(
        &self,
        provider: &str,
        username: &str,
        outcome: Result<&Identity, &Error>,
        client: Client<'_>,
    ) {
        let document = self.audit_record(provider, username, outcome, client);
        let writes = vec![Write::Insert {
            collection: "audit".into(),
            document,
        }];
        if let Err(error) = self
            .store
            .write(WriteBatch {
                writes,
                priority: 0,
            })
            .await
        {
            tracing::error!("a sign-in is missing from audit: {error}");
        }
    }

    fn audit_record(
        &self,
        provider: &str,
        username: &str,
        outcome: Result<&Identity, &Error>,
        client: Client<'_>,
    ) -> RawDocumentBuf {
        let now = DateTime::from_millis(self.clock().unix_ms());
        let user = outcome.ok();
        let (id, name) = user.map_or(("", username), |user| (&user.id, &user.name));
        let username = user.map_or(username, |user| &user.username);
        let mut record = RawDocumentBuf::new();
        record.append(cstr!("_id"), self.fresh_id());
        record.append(cstr!("_type"), "login");
        record.append(cstr!("name"), name);
        record.append(cstr!("type"), provider);
        record.append(cstr!("success"), user.is_some());
        record.append(cstr!("userid"), id);
        record.append(cstr!("username"), username);
        record.append(cstr!("ip"), client.remote);
        record.append(cstr!("clientagent"), client.agent);
        record.append(cstr!("clientversion"), client.version);
        if let Err(error) = outcome {
            record.append(cstr!("error"), &*error.context);
        }
        record.append(cstr!("_created"), now);
        record.append(cstr!("_createdby"), "root");
        record.append(cstr!("_createdbyid"), wellknown::ROOT);
        record.append(cstr!("_version"), 0);
        let acl: RawArrayBuf = to_array(&[Ace::allow(wellknown::ADMINS, "admins", FULL_CONTROL)]);
        record.append(cstr!("_acl"), acl);
        record
    }

    /// An `_id` that no other document has.
    pub fn fresh_id(&self) -> String {
        fresh_id(self.clock())
    }
}

/// An `_id` that no other document has: 4 bytes of time, 8 of chance.
pub fn fresh_id(clock: &dyn crate::seam::Clock) -> String {
    let seconds = u32::try_from(clock.unix_ms() / 1000).unwrap_or(u32::MAX);
    let random = clock.random_u64();
    object_id::fresh(seconds, random, (random >> 40) as u32)
}
