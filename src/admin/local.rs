//! Work on a data folder that no server holds: a server is started for it alone, on one
//! pipe of its own, and ended when the work is done. So users are made by the same code
//! that a running server uses, and the folder's lock keeps two servers apart.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use super::cli::{FolderArgs, ServeArgs, ServerArgs};
use super::link::{self, Client, Target};
use super::pages::ServerPages;
use super::serve;
use crate::auth::token::TokenKeys;
use crate::auth::{bootstrap, wellknown};
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::runtime::seam::SystemClock;
use crate::runtime::serve::{Outside, Started};
use crate::seam::Clock;
use crate::transport::listen::pipe_path;

/// How long the server may take to open the folder.
const START_TIMEOUT: Duration = Duration::from_secs(60);
const RETRY_INTERVAL: Duration = Duration::from_millis(20);
/// Life of the token the work itself uses.
const WORK_TOKEN_EXPIRES_IN: Duration = Duration::from_secs(300);

/// Root's connection, and the means to sign tokens.
pub struct Root {
    pub client: Client,
    keys: TokenKeys,
    clock: Arc<SystemClock>,
    settings: Arc<Settings>,
}

impl Root {
    /// A token of a user, short or long as the settings say.
    pub fn token(&self, user_id: &str, long: bool) -> Result<String> {
        let lifetime = match long {
            true => self.settings.longtoken_expires_in,
            false => self.settings.shorttoken_expires_in,
        };
        let issued = self.keys.issue(user_id, self.clock.unix_ms(), lifetime)?;
        Ok(issued.token)
    }
}

/// Runs `work` as root on the folder. `Unavailable` names the process that holds it.
pub fn run<T, F>(folder: &FolderArgs, work: impl FnOnce(Root) -> F + Send + 'static) -> Result<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T>>,
{
    let loaded = serve::load(&ServeArgs {
        data: folder.data.clone(),
        config: folder.config.clone(),
        ..ServeArgs::default()
    })?;
    let pipe = format!("opencore-admin-{}", std::process::id());
    let settings = Arc::new(Settings {
        listen: Vec::new(),
        pipes: vec![pipe.clone()],
        shards: Some(1),
        ..loaded.settings
    });
    let (sender, done) = channel();
    let theirs = settings.clone();
    thread::spawn(move || {
        let outcome = link::block_on(async move { work(open(&pipe, theirs).await?).await });
        // Nobody listens when the server could not start; then its error is told.
        let _ = sender.send(outcome);
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM);
    });
    let outside = Outside {
        pages: |status, settings| ServerPages::make(status, settings) as Rc<_>,
        banner: |_, started| tell_password(started),
    };
    crate::runtime::serve::run(settings, outside).map_err(or_by_url)?;
    done.recv()
        .map_err(|_| Error::internal("the work on the folder ended without a result"))?
}

/// The first start makes root's password; it must not be lost.
fn tell_password(started: &Started) {
    if let Some(password) = &started.root_password {
        eprintln!("first start: user root, password {password} (shown this once)");
    }
}

fn or_by_url(mut error: Error) -> Error {
    error.context = format!(
        "{} To go through a running server, give --url and OPENCORE_ROOT_PASSWORD, or for a \
         token the user's OPENIAP_PASSWORD.",
        error.context
    )
    .into();
    error
}

/// Connects once the server listens, and signs in as root.
async fn open(pipe: &str, settings: Arc<Settings>) -> Result<Root> {
    let path = pipe_path(pipe);
    let mut left = START_TIMEOUT.as_millis() / RETRY_INTERVAL.as_millis();
    while std::os::unix::net::UnixStream::connect(&path).is_err() && left > 0 {
        left -= 1;
        compio::time::sleep(RETRY_INTERVAL).await;
    }
    let mut client = Client::connect(&Target::Pipe { path }, START_TIMEOUT).await?;
    let clock = SystemClock::start();
    // The server has opened the folder, so the secret is there.
    let keys = TokenKeys::new(&bootstrap::secret(&settings.data, &settings, &*clock)?);
    let issued = keys.issue(wellknown::ROOT, clock.unix_ms(), WORK_TOKEN_EXPIRES_IN)?;
    let root = ServerArgs {
        url: None,
        username: None,
        password: None,
        jwt: Some(issued.token),
    };
    client.signin(&root, false).await?;
    Ok(Root {
        client,
        keys,
        clock,
        settings,
    })
}
