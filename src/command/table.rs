//! The rows. A command is one row, one function, one scenario.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{Access, Command, Family, Repeat, ReplyFuture, Request, Run};
use super::{collection, delete, identity, insert, read, transport, update, upsert};
use crate::error::{Code, Error};
use crate::wire::names;

type Later = fn(Request) -> ReplyFuture;

const fn row(
    name: &'static str,
    request: &'static str,
    family: Family,
    repeat: Repeat,
    run: Run,
) -> Command {
    Command {
        name,
        request,
        reply_command: None,
        family,
        access: Access::SignedIn,
        repeat,
        barrier: false,
        run,
    }
}

/// Consumed without an answer (contract 2.7).
const fn silent(name: &'static str, request: &'static str) -> Command {
    let row = row(name, request, Family::Transport, Repeat::Safe, Run::Silent);
    Command {
        access: Access::Anyone,
        ..row
    }
}

const fn refused(name: &'static str, request: &'static str) -> Command {
    let run = Run::Refused("Access denied");
    Command {
        access: Access::Anyone,
        ..row(name, request, Family::Transport, Repeat::Safe, run)
    }
}

const fn reads(name: &'static str, request: &'static str, run: Later) -> Command {
    row(name, request, Family::Read, Repeat::Safe, Run::Later(run))
}

const fn writes(name: &'static str, request: &'static str, repeat: Repeat, run: Later) -> Command {
    row(name, request, Family::Write, repeat, Run::Later(run))
}

/// Every command that this server carries out.
pub const COMMANDS: &[Command] = &[
    silent("ping", "PingRequest"),
    silent("pong", "PingResponse"),
    silent("noop", "Noop"),
    silent("error", "ErrorResponse"),
    silent("refreshtoken", "RefreshToken"),
    silent("queuemessagereply", "QueueMessageResponse"),
    silent("queueevent", "QueueEvent"),
    silent("watchevent", "WatchEvent"),
    silent("beginstream", "BeginStream"),
    silent("stream", "Stream"),
    silent("endstream", "EndStream"),
    refused("console", "Noop"),
    refused("clientconsole", "Noop"),
    Command {
        reply_command: Some("getelement"),
        access: Access::Anyone,
        ..row(
            "getelement",
            "GetElementRequest",
            Family::Transport,
            Repeat::Safe,
            Run::Now(transport::getelement),
        )
    },
    Command {
        access: Access::Anyone,
        barrier: true,
        ..row(
            "signin",
            "SigninRequest",
            Family::Identity,
            Repeat::Safe,
            Run::Later(identity::signin),
        )
    },
    row(
        "listcollections",
        "ListCollectionsRequest",
        Family::Collection,
        Repeat::Safe,
        Run::Later(collection::listcollections),
    ),
    reads("query", "QueryRequest", read::query),
    reads("count", "CountRequest", read::count),
    writes(
        "insertone",
        "InsertOneRequest",
        Repeat::Unsafe,
        insert::insertone,
    ),
    writes(
        "insertmany",
        "InsertManyRequest",
        Repeat::Unsafe,
        insert::insertmany,
    ),
    // Replacing by the same item twice changes nothing the second time.
    writes(
        "updateone",
        "UpdateOneRequest",
        Repeat::Safe,
        update::updateone,
    ),
    // Without a key that finds it again, an item would be inserted twice.
    writes(
        "insertorupdateone",
        "InsertOrUpdateOneRequest",
        Repeat::Unsafe,
        upsert::insertorupdateone,
    ),
    writes(
        "insertorupdatemany",
        "InsertOrUpdateManyRequest",
        Repeat::Unsafe,
        upsert::insertorupdatemany,
    ),
    writes(
        "deleteone",
        "DeleteOneRequest",
        Repeat::Safe,
        delete::deleteone,
    ),
    writes(
        "deletemany",
        "DeleteManyRequest",
        Repeat::Safe,
        delete::deletemany,
    ),
];

/// Commands of the contract (2.3) that this server does not carry out yet.
pub const NOT_YET: &[&str] = &[
    "upload",
    "download",
    "createcollection",
    "dropcollection",
    "createindex",
    "dropindex",
    "getindexes",
    "distinct",
    "aggregate",
    "getdocumentversion",
    "updatedocument",
    "watch",
    "unwatch",
    "registerqueue",
    "registerexchange",
    "queuemessage",
    "unregisterqueue",
    "pushworkitem",
    "pushworkitems",
    "popworkitem",
    "updateworkitem",
    "deleteworkitem",
    "addworkitemqueue",
    "updateworkitemqueue",
    "deleteworkitemqueue",
    "startagent",
    "stopagent",
    "getagentlog",
    "getagentpods",
    "deleteagentpod",
    "deleteagent",
    "deletepackage",
    "customcommand",
    "ensurecustomer",
    "createworkflowinstance",
    "invokeopenrpa",
];

static BY_NAME: LazyLock<HashMap<&'static str, &'static Command, foldhash::fast::RandomState>> =
    LazyLock::new(|| {
        COMMANDS
            .iter()
            .map(|command| (command.name, command))
            .collect()
    });

/// The row of a command, whatever its case.
pub fn find(name: &str) -> Option<&'static Command> {
    let known = BY_NAME.get(name).copied();
    // Every published client sends lower case, so this hardly ever runs.
    known.or_else(|| BY_NAME.get(&*names::lower(name)).copied())
}

/// The refusal of a command without a row: empty, known to the contract, or unknown.
pub fn unknown(name: &str) -> Error {
    let lower = names::lower(name);
    if lower.is_empty() {
        return Error::invalid("Invalid/empty command");
    }
    if NOT_YET.contains(&&*lower) {
        let text = format!("{lower} is not available on this server yet");
        return Error::client(Code::Unimplemented, text);
    }
    Error::client(Code::Unimplemented, format!("Unknown command {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_of_the_protocol_is_known() {
        for (command, messages) in names::commands() {
            let asks = messages.request.ends_with("Request");
            let known = find(command).is_some() || NOT_YET.contains(&command);
            assert!(
                known || !asks,
                "{command} ({}) has neither a row nor a place in NOT_YET",
                messages.request
            );
        }
    }

    #[test]
    fn rows_name_messages_that_exist_and_are_unique() {
        for (index, command) in COMMANDS.iter().enumerate() {
            assert!(
                !COMMANDS[..index]
                    .iter()
                    .any(|other| other.name == command.name),
                "{}",
                command.name
            );
            assert!(!NOT_YET.contains(&command.name), "{}", command.name);
            assert_eq!(command.name, command.name.to_lowercase());
            let messages = names::messages(command.name);
            let refused = matches!(command.run, Run::Refused(_));
            let own = messages.is_some_and(|messages| messages.request == command.request);
            assert!(own || refused, "{}: {messages:?}", command.name);
        }
    }

    #[test]
    fn case_makes_no_difference_and_refusals_are_plain() {
        assert_eq!(
            find("InsertOne").map(|command| command.name),
            Some("insertone")
        );
        assert!(find("enqueue").is_none());
        assert_eq!(&*unknown("enqueue").context, "Unknown command enqueue");
        assert_eq!(&*unknown("").context, "Invalid/empty command");
        assert_eq!(
            &*unknown("Watch").context,
            "watch is not available on this server yet"
        );
    }
}
