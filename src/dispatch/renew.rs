//! Renewing connection tokens (contract 2.8): a session whose token has less than a
//! minute left is sent a new one, and adopts it itself.

use std::rc::Rc;

use prost::Message;

use crate::command;
use crate::error::{Code, Result};
use crate::session::{CloseReason, Login, Session};
use crate::wire::proto::RefreshToken;

use super::Dispatcher;

impl Dispatcher {
    /// Renews in the background; a session whose user is gone or disabled is closed.
    pub fn renew(self: &Rc<Self>, session: &Rc<Session>) {
        let Some(login) = session.login() else { return };
        if session.renewing(true) {
            return;
        }
        let (dispatcher, session) = (self.clone(), session.clone());
        let renewing = async move {
            if let Err(error) = dispatcher.try_renew(&session, &login).await {
                tracing::info!(session = session.id, "the token cannot be renewed: {error}");
                // The user is gone or disabled; anything else is tried again by the next sweep.
                if error.code == Code::Unauthenticated {
                    session.close(CloseReason::TokenExpired);
                }
            }
            session.renewing(false);
        };
        self.services
            .seam
            .spawn("token renewal", Box::pin(renewing));
    }

    async fn try_renew(&self, session: &Session, login: &Login) -> Result<()> {
        let authority = &self.services.authority;
        let identity = authority.user_now(&login.identity.id).await?;
        let is_same = |token: std::rc::Rc<str>| Rc::ptr_eq(&token, &login.token);
        if !session.token().is_some_and(is_same) {
            // The client signed in anew meanwhile: that login stays.
            return Ok(());
        }
        let issued = authority.issue(&identity.id, authority.lifetime(false))?;
        let message = RefreshToken {
            username: identity.username.clone(),
            jwt: issued.token.clone(),
            user: Some(command::user_of(&identity)),
        };
        session.set_login(Login {
            token: issued.token.into(),
            identity,
            expires_unix_ms: issued.expires_unix_ms,
        });
        let now = self.services.seam.clock().now();
        session.send(
            now,
            "refreshtoken",
            false,
            "",
            "RefreshToken",
            message.encode_to_vec().into(),
        );
        Ok(())
    }
}
