//! A shard's worth of services on a real store in a folder of its own, and calls that
//! read like the messages they stand for.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::locks::KeyLocks;
use super::{Access, Request, Run, Services, find, unknown};
use crate::auth::{Authority, Cost, Identity, bootstrap, wellknown};
use crate::config::{Settings, Sources, load};
use crate::error::Result;
use crate::seam::SharedSeam;
use crate::seam::testing::{TestClock, TestSeam};
use crate::session::{Door, Session};
use crate::store::embedded::{EmbeddedStore, OpenOptions};
use crate::wire::json_body;

const CHEAP: Cost = Cost(4);
pub const ROOT_PASSWORD: &str = "correct horse";

pub struct World {
    pub seam: Rc<TestSeam>,
    pub services: Rc<Services>,
    store: EmbeddedStore,
    _folder: TempDir,
}

/// A connection.
pub struct Client<'a> {
    world: &'a World,
    pub session: Rc<Session>,
    /// Whose messages they are; `None` before sign-in.
    pub identity: Option<Rc<Identity>>,
}

pub fn settings(flags: &[(&str, &str)]) -> Arc<Settings> {
    let pair = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
    let flags: Vec<_> = flags.iter().map(pair).collect();
    let sources = Sources {
        file: None,
        environment: &BTreeMap::new(),
        flags: &flags,
        read: &|_| Err(std::io::ErrorKind::NotFound.into()),
    };
    Arc::new(load(&sources).expect("settings").settings)
}

impl World {
    pub fn new() -> Self {
        Self::with(&[])
    }

    pub fn with(flags: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let time = TestClock::new(7);
        let options = OpenOptions {
            map_bytes_max: 1 << 28,
            clock: time.clone(),
        };
        let store = EmbeddedStore::open(folder.path(), options).expect("the store opens");
        let seam = TestSeam::with_clock(time);
        let shared: SharedSeam = seam.clone();
        let handle = Rc::new(store.handle(shared.clone()));
        let root = ("root_password", ROOT_PASSWORD);
        let settings = settings(&[&[root], flags].concat());
        let prepared = bootstrap::prepare(&*handle, &*seam, &settings, CHEAP);
        assert_eq!(seam.block_on(prepared).expect("bootstrap"), None);
        let authority = Authority::new(
            handle.clone(),
            shared.clone(),
            settings.clone(),
            &"s".repeat(64),
        );
        let services = Services {
            settings,
            seam: shared,
            store: handle,
            authority: Rc::new(authority.with_password_cost(CHEAP)),
            locks: Arc::new(KeyLocks::default()),
        };
        Self {
            seam,
            services: Rc::new(services),
            store,
            _folder: folder,
        }
    }

    /// A new connection.
    pub fn connect(&self) -> Client<'_> {
        let clock = self.services.seam.clock();
        let session = Session::new(1, Door::Tcp, "10.0.0.1".into(), clock.now(), 1);
        Client {
            world: self,
            session,
            identity: None,
        }
    }

    /// A connection whose messages are those of the user with this id.
    pub fn by_id(&self, id: &str) -> Client<'_> {
        let user = self.seam.block_on(self.services.authority.user_now(id));
        Client {
            identity: Some(user.expect("the user exists")),
            ..self.connect()
        }
    }

    pub fn root(&self) -> Client<'_> {
        self.by_id(wellknown::ROOT)
    }

    /// A new user, with `password` as its password.
    pub fn user(&self, username: &str) -> Client<'_> {
        let item = json!({ "_type": "user", "name": username.to_uppercase(), "username": username, "newpassword": "password" });
        let inserted = self.root().ok(
            "insertone",
            json!({ "collectionname": "users", "item": item }),
        );
        self.by_id(inserted["result"]["_id"].as_str().expect("an id"))
    }

    /// A new role with one member.
    pub fn role(&self, name: &str, member: &str) -> String {
        let item =
            json!({ "_type": "role", "name": name, "members": [{ "_id": member, "name": "" }] });
        let inserted = self.root().ok(
            "insertone",
            json!({ "collectionname": "users", "item": item }),
        );
        inserted["result"]["_id"].as_str().expect("an id").into()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.store.close();
    }
}

impl Client<'_> {
    pub fn id(&self) -> &str {
        self.identity.as_ref().map_or("", |identity| &identity.id)
    }

    /// The request a call makes, for running several at once.
    pub fn request(&self, message: Value) -> Request {
        Request {
            services: self.world.services.clone(),
            session: self.session.clone(),
            identity: self.identity.clone(),
            token: None,
            body: text_fields(message).to_string().into_bytes().into(),
            priority: 0,
        }
    }

    /// Sends `message`, whose objects and arrays go as JSON text, and reads the reply the
    /// same way round.
    pub fn call(&self, command: &str, message: Value) -> Result<Value> {
        let row = find(command).ok_or_else(|| unknown(command))?;
        assert!(row.access == Access::Anyone || self.identity.is_some());
        let request = self.request(message);
        let reply = match &row.run {
            Run::Now(run) => run(&request.body),
            Run::Later(run) => self.world.seam.block_on(run(request)),
            Run::Silent | Run::Refused(_) => panic!("{command} has no reply"),
        }?;
        let text = json_body::from_protobuf(reply.message, &reply.body)?;
        let mut value: Value = serde_json::from_slice(&text).expect("JSON");
        for field in ["result", "results", "config"] {
            let parsed = value[field].as_str().map(serde_json::from_str::<Value>);
            if let Some(Ok(parsed)) = parsed {
                value[field] = parsed;
            }
        }
        Ok(value)
    }

    pub fn ok(&self, command: &str, message: Value) -> Value {
        let reply = self.call(command, message);
        reply.unwrap_or_else(|error| panic!("{command}: {error}"))
    }

    /// The text of a refusal.
    pub fn refused(&self, command: &str, message: Value) -> String {
        match self.call(command, message) {
            Ok(reply) => panic!("{command} answered {reply}"),
            Err(error) => error.context.into_owned(),
        }
    }

    pub fn insert(&self, collection: &str, item: Value) -> Value {
        let message = json!({ "collectionname": collection, "item": item });
        self.ok("insertone", message)["result"].clone()
    }

    pub fn query(&self, collection: &str, query: Value) -> Vec<Value> {
        let message = json!({ "collectionname": collection, "query": query });
        let results = self.ok("query", message)["results"].clone();
        results.as_array().expect("an array").clone()
    }
}

fn text_fields(mut message: Value) -> Value {
    for (name, value) in message.as_object_mut().into_iter().flatten() {
        if (value.is_object() || value.is_array()) && name != "ids" {
            *value = Value::String(value.to_string());
        }
    }
    message
}
