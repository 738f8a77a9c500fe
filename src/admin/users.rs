//! `opencore user add` and `opencore token`, through a running server.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use prost::Message;
use serde_json::{Value, json};

use super::cli::{ServerArgs, TokenArgs, UserAddArgs};
use super::link::{Client, Target};
use crate::error::{Error, Result};
use crate::limits::PASSWORD_BYTES_MAX;
use crate::wire::proto::{
    InsertOneRequest, InsertOneResponse, QueryRequest, QueryResponse, UpdateOneRequest,
};

const TIMEOUT: Duration = Duration::from_secs(30);

/// Adds a user and makes it a member of its roles. A password that was made is printed.
pub async fn add(args: &UserAddArgs) -> Result<bool> {
    let (password, made) = match &args.password_file {
        Some(path) => (read_password(path)?, false),
        None => (make_password()?, true),
    };
    let mut client = connect(&administrator(&args.server)).await?;
    let mut roles = Vec::new();
    for name in &args.role {
        roles.push(role(&mut client, name).await?);
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
        join(&mut client, role, &user["_id"], name).await?;
    }
    println!(
        "user {name} added, _id {}",
        user["_id"].as_str().unwrap_or_default()
    );
    if made {
        println!("password {password}");
    }
    Ok(true)
}

/// Prints a token of the user, whose password must be given.
pub async fn token(args: &TokenArgs) -> Result<bool> {
    let mut server = args.server.clone();
    server.username = Some(args.name.clone());
    if server.password.is_none() {
        return Err(Error::invalid(format!(
            "a token of {} needs its password: set OPENIAP_PASSWORD",
            args.name
        )));
    }
    let target = Target::parse(&server.url)?;
    let mut client = Client::connect(&target, TIMEOUT).await?;
    let signed = client.signin(&server, args.long).await?;
    println!(
        "{}",
        signed.map(|response| response.jwt).unwrap_or_default()
    );
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
    let target = Target::parse(&server.url)?;
    let mut client = Client::connect(&target, TIMEOUT).await?;
    match client.signin(server, false).await? {
        Some(_) => Ok(client),
        None => Err(Error::unauthenticated(
            "sign in as an administrator: set OPENCORE_ROOT_PASSWORD, or OPENIAP_USERNAME and \
             OPENIAP_PASSWORD, or OPENIAP_JWT",
        )),
    }
}

/// The role document of that name.
async fn role(client: &mut Client, name: &str) -> Result<Value> {
    let request = QueryRequest {
        collectionname: "users".into(),
        query: json!({ "_type": "role", "name": name }).to_string(),
        top: 1,
        ..QueryRequest::default()
    };
    let reply = client.call("query", &request.encode_to_vec()).await?;
    let reply = QueryResponse::decode(reply.body).map_err(unreadable)?;
    let rows: Vec<Value> = serde_json::from_str(&reply.results).map_err(unreadable)?;
    rows.into_iter()
        .next()
        .ok_or_else(|| Error::invalid(format!("there is no role `{name}`")))
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
