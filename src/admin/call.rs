//! `opencore call`: one command, its reply as JSON.

use std::io::Read;
use std::time::Duration;

use super::cli::CallArgs;
use super::link::{Client, Reply, Target};
use super::rest;
use crate::error::{Error, Result};
use crate::wire::{json_body, names};

/// Sends, waits, prints. An `error` reply is an error with the server's words.
pub async fn run(args: &CallArgs) -> Result<bool> {
    let target = Target::parse(args.server.url())?;
    let command = args.command.to_ascii_lowercase();
    let messages = names::messages(&command)
        .ok_or_else(|| Error::invalid(format!("Unknown command {command}")))?;
    let json = match args.json.as_deref() {
        None => "{}".to_string(),
        Some("-") => standard_input()?,
        Some(text) => text.to_string(),
    };
    let timeout = Duration::from_secs(args.timeout.max(1));
    let reply = match &target {
        Target::Rest { authority } => {
            let body = json_body::to_protobuf(messages.request, json.as_bytes())?;
            rest::call(
                authority,
                &args.server,
                &command,
                messages.request,
                &body,
                timeout,
            )?
        }
        _ => {
            let body = json_body::to_protobuf(messages.request, json.as_bytes())?;
            let mut client = Client::connect(&target, timeout).await?;
            if command != "signin" {
                client.signin(&args.server, false).await?;
            }
            client.call(&command, &body).await?
        }
    };
    println!("{}", shown(&command, &reply)?);
    Ok(true)
}

fn standard_input() -> Result<String> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|cause| Error::invalid("standard input is not text").because(cause))?;
    Ok(text)
}

/// The reply message as JSON.
fn shown(command: &str, reply: &Reply) -> Result<String> {
    let of_command = names::messages(command).map_or("", |messages| messages.reply);
    let message = match (of_command, names::messages(&reply.command)) {
        ("", Some(messages)) => messages.request,
        ("", None) => return Err(Error::protocol(format!("the reply is `{}`", reply.command))),
        (message, _) => message,
    };
    let json = json_body::from_protobuf(message, &reply.body)?;
    String::from_utf8(json).map_err(|cause| Error::internal("JSON").because(cause))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::proto::{GetElementResponse, QueryResponse};
    use prost::Message;

    #[test]
    fn replies_are_shown_by_the_requests_response() {
        let reply = |command: &str, body: Vec<u8>| Reply {
            command: command.into(),
            body: body.into(),
        };
        let query = QueryResponse {
            results: "[]".into(),
        }
        .encode_to_vec();
        assert_eq!(
            shown("query", &reply("queryreply", query)).unwrap(),
            r#"{"results":"[]"}"#
        );
        let element = GetElementResponse { xpath: "hi".into() }.encode_to_vec();
        assert_eq!(
            shown("getelement", &reply("getelement", element)).unwrap(),
            r#"{"xpath":"hi"}"#
        );
    }
}
