//! Who is behind a token (contract 2.5, 5.2). One per shard.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bson::raw::{RawDocumentBuf, cstr};

use super::cache::TokenCache;
use super::directory::{Directory, FIELDS};
use super::gate::Gate;
use super::password::Cost;
use super::stamp::AclRules;
use super::token::{Issued, Presented, TokenKeys, presented};
use super::{Identity, wellknown};
use crate::config::Settings;
use crate::document::filter::Filter;
use crate::document::projection::Projection;
use crate::error::{Code, Error, Result};
use crate::limits;
use crate::seam::{Clock, SharedSeam};
use crate::store::{DocumentStore, Find, WatchedCollection};

/// Knows users, roles and tokens; borrows never cross an await.
pub struct Authority {
    pub(super) store: Rc<dyn DocumentStore>,
    pub(super) seam: SharedSeam,
    settings: Arc<Settings>,
    keys: TokenKeys,
    cost: Cost,
    directory: RefCell<Directory>,
    tokens: RefCell<TokenCache>,
    refreshing: Gate,
    guest: Rc<Identity>,
    installation: String,
}

/// The client a refusal speaks of.
#[derive(Clone, Copy, Debug)]
pub struct Client<'a> {
    /// Address without port.
    pub remote: &'a str,
    pub agent: &'a str,
    pub version: &'a str,
}

/// Why a credential does not identify anybody.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Altered, foreign, expired, or not readable at all.
    Token,
    UnknownUser(String),
    Password(String),
    Disabled(String),
    GuestDisabled,
    /// Not the credential's fault.
    Failed(Error),
}

/// An identity, and until when its credential holds, milliseconds since 1970.
pub(super) type Identified = (Rc<Identity>, i64);

impl Authority {
    /// `secret`: `aes_secret`, from [`super::bootstrap::secret`].
    pub fn new(
        store: Rc<dyn DocumentStore>,
        seam: SharedSeam,
        settings: Arc<Settings>,
        secret: &str,
    ) -> Self {
        let keys = TokenKeys::new(secret);
        Self {
            store,
            seam,
            settings,
            installation: keys.installation(),
            keys,
            cost: Cost::default(),
            directory: RefCell::default(),
            tokens: RefCell::default(),
            refreshing: Gate::default(),
            guest: Rc::new(Identity::guest(0)),
        }
    }

    /// Cheaper password hashes: for tests.
    pub fn with_password_cost(mut self, cost: Cost) -> Self {
        self.cost = cost;
        self
    }

    pub fn password_cost(&self) -> Cost {
        self.cost
    }

    /// An id of this installation, the same as long as its secret is.
    pub fn installation(&self) -> &str {
        &self.installation
    }

    /// Rules for `_acl` fields.
    pub fn acl_rules(&self) -> AclRules {
        let ace_count_max = usize::try_from(self.settings.max_ace_count).unwrap_or(0);
        AclRules {
            force_add_admins: self.settings.force_add_admins,
            ace_count_max: ace_count_max.min(limits::ACE_COUNT_MAX),
        }
    }

    /// The identity of a message without any token.
    ///
    /// Errors: `Unauthenticated` unless `enable_guest`.
    pub fn guest(&self) -> Result<Rc<Identity>> {
        match self.settings.enable_guest {
            true => Ok(self.guest.clone()),
            false => Err(Error::unauthenticated("Not signed in, and missing jwt")),
        }
    }

    /// The identity behind a token that was verified before; `None` when it has to be
    /// verified (again). Neither allocates nor waits.
    pub fn identify_cached(&self, token: &str) -> Option<Rc<Identity>> {
        let epoch = self.store.collection_epoch(WatchedCollection::Users);
        let unix_ms = self.clock().unix_ms();
        self.tokens.borrow().get(token, epoch, unix_ms).cloned()
    }

    /// The identity behind a token. An empty token is the guest.
    ///
    /// Errors: `Unauthenticated`; those of the store.
    pub async fn identify(&self, token: &str) -> Result<Rc<Identity>> {
        let nobody = Client {
            remote: "",
            agent: "",
            version: "",
        };
        self.identify_as(token, "message", nobody).await
    }

    /// As [`Authority::identify`], with the command and the client for the refusal's text.
    pub async fn identify_for(
        &self,
        token: &str,
        command: &str,
        remote: &str,
        agent: &str,
        version: &str,
    ) -> Result<Rc<Identity>> {
        self.identify_as(
            token,
            command,
            Client {
                remote,
                agent,
                version,
            },
        )
        .await
    }

    async fn identify_as(
        &self,
        token: &str,
        command: &str,
        client: Client<'_>,
    ) -> Result<Rc<Identity>> {
        if token.is_empty() {
            return self.guest();
        }
        match self.verify(token).await {
            Ok((identity, _)) => Ok(identity),
            Err(Refusal::UnknownUser(id)) => {
                Err(Error::unauthenticated(format!("User {id} not found")))
            }
            Err(Refusal::Token) => {
                let Client {
                    remote,
                    agent,
                    version,
                } = client;
                Err(Error::unauthenticated(format!(
                    "Discard {command} due to missing jwt, and respond with error, for client at {remote} {agent} {version}"
                )))
            }
            Err(refusal) => Err(refusal.into_error("jwtsignin")),
        }
    }

    /// Verifies a credential, by the cache when it can.
    pub(super) async fn verify(&self, token: &str) -> Result<Identified, Refusal> {
        self.refresh().await.map_err(Refusal::Failed)?;
        let epoch = self.store.collection_epoch(WatchedCollection::Users);
        let unix_ms = self.clock().unix_ms();
        {
            let tokens = self.tokens.borrow();
            if let Some(identity) = tokens.get(token, epoch, unix_ms).cloned() {
                return Ok((identity, tokens.expires_unix_ms(token).unwrap_or(unix_ms)));
            }
        }
        let (identity, expires) = match presented(token).ok_or(Refusal::Token)? {
            Presented::Jwt(jwt) => {
                let verified = self.keys.verify(jwt, unix_ms).ok_or(Refusal::Token)?;
                (self.user(&verified.user_id)?, verified.expires_unix_ms)
            }
            Presented::Basic { username, password } => {
                let identity = self.check_password(&username, &password).await?;
                // A changed password moves the epoch; a correct one need not be hashed again soon.
                let lifetime = self.settings.shorttoken_expires_in.as_millis() as i64;
                (identity, unix_ms.saturating_add(lifetime))
            }
        };
        self.tokens
            .borrow_mut()
            .insert(token, identity.clone(), expires, unix_ms);
        Ok((identity, expires))
    }

    /// An enabled user by id.
    pub(super) fn user(&self, id: &str) -> Result<Rc<Identity>, Refusal> {
        if id == wellknown::GUEST && !self.settings.enable_guest {
            return Err(Refusal::GuestDisabled);
        }
        let identity = self.directory.borrow_mut().identity(id);
        let identity = identity.ok_or_else(|| Refusal::UnknownUser(id.to_owned()))?;
        match identity.disabled {
            true => Err(Refusal::Disabled(identity.username.clone())),
            false => Ok(identity),
        }
    }

    /// The user of this id as it is now: for renewing a connection token (contract 2.8).
    ///
    /// Errors: `Unauthenticated` when it is gone or disabled.
    pub async fn user_now(&self, id: &str) -> Result<Rc<Identity>> {
        self.refresh().await?;
        self.user(id)
            .map_err(|refusal| refusal.into_error("jwtsignin"))
    }

    /// A new token for a user.
    pub fn issue(&self, user_id: &str, lifetime: Duration) -> Result<Issued> {
        self.keys.issue(user_id, self.clock().unix_ms(), lifetime)
    }

    /// Lifetime of a token that sign-in issues.
    pub fn lifetime(&self, long: bool) -> Duration {
        match long {
            true => self.settings.longtoken_expires_in,
            false => self.settings.shorttoken_expires_in,
        }
    }

    /// Whom `queryas` names: a user, role or customer (contract 4.2). `None`: nobody.
    pub async fn seen_as(&self, id: &str) -> Result<Option<Rc<Identity>>> {
        self.refresh().await?;
        Ok(self.directory.borrow_mut().seen_as(id))
    }

    /// Current name of a user or role. [`Authority::refresh`] first.
    pub fn name_of(&self, id: &str) -> Option<String> {
        self.directory.borrow().name_of(id)
    }

    /// Id of the user with this user name or mail address. [`Authority::refresh`] first.
    pub(super) fn find_user(&self, username_or_email: &str) -> Option<String> {
        self.directory.borrow().find_user(username_or_email)
    }

    pub(super) fn clock(&self) -> &dyn Clock {
        self.seam.clock()
    }

    /// Brings the directory up to every change of `users` that this process has seen.
    /// One comparison when there is none.
    pub async fn refresh(&self) -> Result<()> {
        loop {
            let epoch = self.store.collection_epoch(WatchedCollection::Users);
            if self.directory.borrow().is_current(epoch) {
                return Ok(());
            }
            let _inside = self.refreshing.enter().await;
            if self.directory.borrow().is_current(epoch) {
                continue;
            }
            self.advance(epoch).await?;
        }
    }

    async fn advance(&self, epoch: u64) -> Result<()> {
        let position = self.directory.borrow().position();
        if let Some(position) = position
            && epoch.saturating_sub(position) <= limits::DIRECTORY_CATCH_UP_CHANGES_MAX
        {
            match self.catch_up(position, epoch).await {
                Ok(()) => return Ok(()),
                Err(error) if error.code == Code::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        self.read_anew(epoch).await
    }

    async fn catch_up(&self, mut position: u64, epoch: u64) -> Result<()> {
        while position < epoch {
            let changes = self
                .store
                .changes(position, limits::FEED_READ_CHANGES_MAX)
                .await?;
            let Some(last) = changes.last() else { break };
            position = last.sequence;
            self.directory.borrow_mut().apply(&changes);
        }
        self.directory.borrow_mut().reached(epoch);
        Ok(())
    }

    /// `epoch` was read before the documents are: what changes meanwhile comes again by the feed.
    async fn read_anew(&self, epoch: u64) -> Result<()> {
        let mut fields = RawDocumentBuf::new();
        for field in FIELDS {
            let name = bson::raw::CString::try_from(*field);
            fields.append(
                name.map_err(|error| Error::internal("A field name").because(error))?,
                1,
            );
        }
        let mut find = Find::new("users", Rc::new(Filter::everything()));
        find.projection = Projection::parse(&fields)?.map(Rc::new);
        let documents = self.store.find(find).await?;
        let directory = Directory::read(documents.iter().map(|document| &**document), epoch);
        *self.directory.borrow_mut() = directory;
        Ok(())
    }

    /// The stored document of a user.
    pub(super) async fn user_document(&self, id: &str) -> Result<Option<RawDocumentBuf>> {
        let mut by_id = RawDocumentBuf::new();
        by_id.append(cstr!("_id"), id);
        let mut find = Find::new("users", Rc::new(Filter::parse(&by_id)?));
        find.limit = Some(1);
        Ok(self.store.find(find).await?.pop())
    }

    /// Remembers a token that was just issued, so that its first use is fast.
    pub(super) fn remember(&self, issued: &Issued, identity: &Rc<Identity>) {
        let now = self.clock().unix_ms();
        let expires = issued.expires_unix_ms;
        self.tokens
            .borrow_mut()
            .insert(&issued.token, identity.clone(), expires, now);
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }
}

impl Refusal {
    /// `provider`: `local` or `jwtsignin`, as contract 5.1 names them.
    pub(super) fn into_error(self, provider: &str) -> Error {
        let text = match self {
            Refusal::Failed(error) => return error,
            Refusal::Token => "The token is not valid, or no longer".to_owned(),
            Refusal::UnknownUser(id) => format!("User {id} not found"),
            Refusal::Password(username) => format!("{username} failed logging in using {provider}"),
            Refusal::Disabled(username) => {
                format!("Disabled user {username} failed logging in using {provider}")
            }
            Refusal::GuestDisabled => "Guest user is not enabled".to_owned(),
        };
        Error::unauthenticated(text)
    }
}

#[cfg(test)]
#[path = "authority_tests.rs"]
mod tests;
