//! The published Rust client behind the runner's protocol: one JSON request per line on
//! standard input, one line `#= JSON` per answer. Calls only what the crate exports.

use openiap_client::{
    Client, CountRequest, DeleteManyRequest, DeleteOneRequest, EnvConfig, InsertManyRequest,
    InsertOneRequest, OpenIAPError, QueryRequest, SigninRequest, UpdateOneRequest,
};
use serde_json::{json, Value};
use std::io::{BufRead, Write};

/// A text as it is, anything else as JSON, nothing as the empty text: how this client takes both.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The JSON that a result field holds.
fn parsed(result: String) -> Result<Value, String> {
    serde_json::from_str(&result)
        .map_err(|error| format!("the reply is no JSON: {error}: {result}"))
}

/// What a caller of the client reads in its error.
fn said(error: OpenIAPError) -> String {
    error.to_string()
}

async fn call(client: &Client, request: &Value) -> Result<Value, String> {
    let of = |name: &str| text(&request[name]);
    let number = |name: &str| request[name].as_i64().unwrap_or(0) as i32;
    let collectionname = of("collection");
    let env = EnvConfig::new();
    match of("do").as_str() {
        "connect" => {
            client.connect_async(&of("url")).await.map_err(said)?;
            Ok(json!(true))
        }
        "signin" => {
            let request = SigninRequest::with_userpass(&of("username"), &of("password"));
            let reply = client.signin(request).await.map_err(said)?;
            Ok(json!({"token": reply.jwt, "username": reply.user.map(|user| user.username)}))
        }
        "insertone" => {
            let request = InsertOneRequest {
                collectionname,
                item: of("item"),
                ..Default::default()
            };
            parsed(client.insert_one(request, env).await.map_err(said)?.result)
        }
        "insertmany" => {
            let request = InsertManyRequest {
                collectionname,
                items: of("items"),
                ..Default::default()
            };
            parsed(
                client
                    .insert_many(request, env)
                    .await
                    .map_err(said)?
                    .results,
            )
        }
        "query" => {
            let request = QueryRequest {
                collectionname,
                query: of("query"),
                projection: of("projection"),
                orderby: of("orderby"),
                top: number("top"),
                skip: number("skip"),
                ..Default::default()
            };
            parsed(client.query(request, env).await.map_err(said)?.results)
        }
        "updateone" => {
            let request = UpdateOneRequest {
                collectionname,
                item: of("item"),
                ..Default::default()
            };
            parsed(client.update_one(request, env).await.map_err(said)?.result)
        }
        "count" => {
            let request = CountRequest {
                collectionname,
                query: of("query"),
                ..Default::default()
            };
            Ok(json!(
                client.count(request, env).await.map_err(said)?.result
            ))
        }
        "deleteone" => {
            let request = DeleteOneRequest {
                collectionname,
                id: of("id"),
                ..Default::default()
            };
            Ok(json!(client
                .delete_one(request, env)
                .await
                .map_err(said)?))
        }
        "deletemany" => {
            let request = DeleteManyRequest {
                collectionname,
                query: of("query"),
                ..Default::default()
            };
            Ok(json!(client
                .delete_many(request, env)
                .await
                .map_err(said)?))
        }
        other => Err(format!("this runner does not know `{other}`")),
    }
}

#[tokio::main]
async fn main() {
    let client = Client::new();
    for line in std::io::stdin().lock().lines() {
        let request: Value =
            serde_json::from_str(&line.expect("standard input")).expect("a request");
        let answer = match call(&client, &request).await {
            Ok(value) => json!({"ok": value}),
            Err(error) => json!({"error": error}),
        };
        println!("#= {answer}");
        std::io::stdout().flush().expect("standard output");
    }
    std::process::exit(0);
}
