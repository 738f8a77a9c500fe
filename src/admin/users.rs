//! `opencore user add` and `opencore token`.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prost::Message;
use serde_json::{Value, json};

use super::cli::{ServerArgs, TokenArgs, UserAddArgs};
use super::link::{self, Client, Target};
use super::local;
use crate::error::{Error, Result};
use crate::limits::PASSWORD_BYTES_MAX;
use crate::wire::proto::{
    InsertOneRequest, InsertOneResponse, QueryRequest, QueryResponse, UpdateOneRequest,
};

const TIMEOUT: Duration = Duration::from_secs(30);

/// Adds a user and makes it a member of its roles. A password that was made is printed.
pub fn add(args: &UserAddArgs) -> Result<bool> {
    let server = administrator(&args.server);
    let add = args.clone();
    if args.server.url.is_some() || server.username.is_some() || server.jwt.is_some() {
        link::block_on(async move {
            let mut client = connect(&server).await?;
            add_with(&mut client, &add).await
        })?;
    } else {
        let work =
            move |mut root: local::Root| async move { add_with(&mut root.client, &add).await };
        local::run(&args.folder, work)?;
    }
    Ok(true)
}

async fn add_with(client: &mut Client, args: &UserAddArgs) -> Result<()> {
    let (password, made) = match &args.password_file {
        Some(path) => (read_password(path)?, false),
        None => (make_password()?, true),
    };
    let mut roles = Vec::new();
    for name in &args.role {
        roles.push(find(client, "role", name).await?);
    }
    let name = &args.name;
    let user = json!({
        "_type": "user", "name": name, "username": name, "newpassword": password,
    });
    let request = InsertOneRequest {
        collectionname: "users".into(),
        item: user.to_string(),
        w: 1,
        j: true,
    };
    let reply = client.call("insertone", &request.encode_to_vec()).await?;
    let reply = InsertOneResponse::decode(reply.body).map_err(unreadable)?;
    let user: Value = serde_json::from_str(&reply.result).map_err(unreadable)?;
    for role in roles {
        join(client, role, &user["_id"], name).await?;
    }
    let id = user["_id"].as_str().unwrap_or_default();
    println!("user {name} added, _id {id}");
    if made {
        println!("password {password}");
    }
    Ok(())
}

/// Prints a token of the user: of the data folder by its secret, else with the
/// user's own password.
pub fn token(args: &TokenArgs) -> Result<bool> {
    let mut server = args.server.clone();
    let own = server
        .username
        .as_ref()
        .is_none_or(|name| *name == args.name);
    let (name, long) = (args.name.clone(), args.long);
    let token = match (own && server.password.is_some(), server.url.is_some()) {
        (true, _) => {
            server.username = Some(name);
            link::block_on(async move {
                let target = Target::parse(server.url())?;
                let mut client = Client::connect(&target, TIMEOUT).await?;
                let signed = client.signin(&server, long).await?;
                Ok(signed.map(|response| response.jwt).unwrap_or_default())
            })?
        }
        (false, true) => {
            return Err(Error::invalid(format!(
                "through a server, a token of {name} needs {name}'s own password: \
                 OPENIAP_USERNAME={name} and OPENIAP_PASSWORD"
            )));
        }
        (false, false) => local::run(&args.folder, move |mut root| async move {
            let user = find(&mut root.client, "user", &name).await?;
            root.token(user["_id"].as_str().unwrap_or_default(), long)
        })?,
    };
    println!("{token}");
    Ok(true)
}

/// Given credentials, else root with the password the server was started with.
fn administrator(server: &ServerArgs) -> ServerArgs {
    let mut server = server.clone();
    if server.username.is_none() && server.jwt.is_none() {
        let password = server
            .password
            .or_else(|| std::env::var("OPENCORE_ROOT_PASSWORD").ok());
        if password.is_some() {
            server.username = Some("root".into());
        }
        server.password = password;
    }
    server
}

async fn connect(server: &ServerArgs) -> Result<Client> {
    let target = Target::parse(server.url())?;
    let mut client = Client::connect(&target, TIMEOUT).await?;
    match client.signin(server, false).await? {
        Some(_) => Ok(client),
        None => Err(Error::unauthenticated(
            "sign in as an administrator: set OPENCORE_ROOT_PASSWORD, or OPENIAP_USERNAME and \
             OPENIAP_PASSWORD, or OPENIAP_JWT",
        )),
    }
}

/// The user or role of that name.
async fn find(client: &mut Client, kind: &str, name: &str) -> Result<Value> {
    let by_name = match kind {
        "user" => json!({ "_type": kind, "username": name }),
        _ => json!({ "_type": kind, "name": name }),
    };
    let request = QueryRequest {
        collectionname: "users".into(),
        query: by_name.to_string(),
        top: 1,
        ..QueryRequest::default()
    };
    let reply = client.call("query", &request.encode_to_vec()).await?;
    let reply = QueryResponse::decode(reply.body).map_err(unreadable)?;
    let rows: Vec<Value> = serde_json::from_str(&reply.results).map_err(unreadable)?;
    rows.into_iter()
        .next()
        .ok_or_else(|| Error::invalid(format!("there is no {kind} `{name}`")))
}

/// Writes the role back with the member added; the server refuses it if the role
/// was changed meanwhile and keeps versions.
async fn join(client: &mut Client, mut role: Value, id: &Value, name: &str) -> Result<()> {
    let member = json!({ "_id": id, "name": name });
    match role["members"].as_array_mut() {
        Some(members) => members.push(member),
        None => role["members"] = json!([member]),
    }
    let request = UpdateOneRequest {
        collectionname: "users".into(),
        item: role.to_string(),
        w: 1,
        j: true,
    };
    client.call("updateone", &request.encode_to_vec()).await?;
    Ok(())
}

fn read_password(path: &std::path::Path) -> Result<String> {
    let text = std::fs::read_to_string(path).map_err(|cause| {
        Error::invalid(format!("password file {} cannot be read", path.display())).because(cause)
    })?;
    let password = text.lines().next().unwrap_or_default();
    match (1..=PASSWORD_BYTES_MAX).contains(&password.len()) {
        true => Ok(password.to_string()),
        false => Err(Error::invalid(
            "the password file's first line is empty or too long",
        )),
    }
}

/// 24 characters that need no quoting, 144 bits.
#[expect(
    clippy::disallowed_methods,
    reason = "a command of its own; no server runs"
)]
fn make_password() -> Result<String> {
    let mut random = [0; 18];
    getrandom::fill(&mut random)
        .map_err(|cause| Error::internal(format!("no randomness: {cause}")))?;
    Ok(URL_SAFE_NO_PAD.encode(random))
}

fn unreadable(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::protocol("the server's reply cannot be read").because(cause)
}
