//! Which messages belong to a command (contract 2.2, 2.3), read from the descriptors.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::LazyLock;

use prost::Message;
use prost_types::FileDescriptorSet;

use crate::wire::proto::DESCRIPTOR_SET;

/// What stands before the method name in the path of a gRPC call.
pub const SERVICE_PATH: &str = "/openiap.FlowService/";

/// The messages of one command, without package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Messages {
    /// The message that `data` of the command holds.
    pub request: &'static str,
    /// The message of its reply; empty for a command that has none.
    pub reply: &'static str,
}

struct Names {
    commands: BTreeMap<String, Messages>,
    /// Command by gRPC method.
    methods: BTreeMap<&'static str, &'static str>,
}

static NAMES: LazyLock<Names> = LazyLock::new(Names::from_descriptors);

/// The command as the server looks it up: lower case, without allocating if it is already.
pub fn lower(command: &str) -> Cow<'_, str> {
    match command.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(command.to_ascii_lowercase()),
        false => Cow::Borrowed(command),
    }
}

/// The messages of a lower-case command: `query` → `QueryRequest` and `QueryResponse`,
/// `queryreply` → `QueryResponse`, `beginstream` → `BeginStream`. `None` if no message
/// belongs to it.
pub fn messages(command: &str) -> Option<Messages> {
    NAMES.commands.get(command).copied()
}

/// The command of a unary gRPC call, by its path: `/openiap.FlowService/Query` → `query`.
/// `None` for a method the service lacks, and for `SetupStream`, which is no command.
pub fn command_of_path(path: &str) -> Option<&'static str> {
    let method = path.strip_prefix(SERVICE_PATH)?;
    NAMES.methods.get(method).copied()
}

/// Every command to which messages belong, replies and events included, in order.
pub fn commands() -> impl Iterator<Item = (&'static str, Messages)> {
    NAMES
        .commands
        .iter()
        .map(|(command, messages)| (command.as_str(), *messages))
}

impl Names {
    fn from_descriptors() -> Self {
        // Descriptors are ours, built with the program; should they not decode, nothing is known.
        let set = FileDescriptorSet::decode(DESCRIPTOR_SET).unwrap_or_default();
        let files: Vec<_> = set
            .file
            .into_iter()
            .filter(|file| file.package() == "openiap")
            .collect();
        let names: Vec<&'static str> = files
            .iter()
            .flat_map(|file| &file.message_type)
            // Once per process: names live as long as the table itself.
            .map(|message| &*Box::leak(message.name().to_owned().into_boxed_str()))
            .collect();
        let mut commands = BTreeMap::new();
        for name in &names {
            add(&mut commands, &names, name);
        }
        let mut methods = BTreeMap::new();
        for method in files.iter().flat_map(|file| &file.service) {
            for method in method.method.iter().filter(|one| !one.client_streaming()) {
                let name: &'static str = Box::leak(method.name().to_owned().into_boxed_str());
                let command = Box::leak(name.to_ascii_lowercase().into_boxed_str());
                methods.insert(name, &*command);
            }
        }
        Self { commands, methods }
    }
}

fn add(commands: &mut BTreeMap<String, Messages>, names: &[&'static str], name: &'static str) {
    let plain = |name| Messages {
        request: name,
        reply: "",
    };
    if let Some(stem) = name.strip_suffix("Request") {
        let response = format!("{stem}Response");
        let reply = names.iter().find(|name| **name == response);
        let messages = Messages {
            request: name,
            reply: reply.copied().unwrap_or_default(),
        };
        commands.insert(stem.to_ascii_lowercase(), messages);
    } else if let Some(stem) = name.strip_suffix("Response") {
        let stem = stem.to_ascii_lowercase();
        match stem.as_str() {
            "error" => commands.insert(stem, plain(name)),
            "ping" => commands.insert("pong".to_owned(), plain(name)),
            _ => commands.insert(format!("{stem}reply"), plain(name)),
        };
    } else {
        commands.insert(name.to_ascii_lowercase(), plain(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_messages(command: &str, request: &str, reply: &str) {
        let messages = messages(command).unwrap_or_else(|| panic!("{command} is unknown"));
        assert_eq!((messages.request, messages.reply), (request, reply));
    }

    #[test]
    fn commands_name_their_messages() {
        assert_messages("query", "QueryRequest", "QueryResponse");
        assert_messages(
            "unregisterqueue",
            "UnRegisterQueueRequest",
            "UnRegisterQueueResponse",
        );
        assert_messages(
            "invokeopenrpa",
            "InvokeOpenRPARequest",
            "InvokeOpenRPAResponse",
        );
        assert_messages("queryreply", "QueryResponse", "");
        assert_messages("error", "ErrorResponse", "");
        assert_messages("pong", "PingResponse", "");
        for (command, message) in [
            ("beginstream", "BeginStream"),
            ("stream", "Stream"),
            ("endstream", "EndStream"),
            ("queueevent", "QueueEvent"),
            ("watchevent", "WatchEvent"),
            ("refreshtoken", "RefreshToken"),
            ("noop", "Noop"),
        ] {
            assert_messages(command, message, "");
        }
        assert_eq!(messages("enqueue"), None);
        assert_eq!(messages("Query"), None);
    }

    #[test]
    fn every_request_has_a_response() {
        let requests = commands().filter(|(_, one)| one.request.ends_with("Request"));
        let without: Vec<_> = requests.filter(|(_, one)| one.reply.is_empty()).collect();
        assert_eq!(without, []);
        assert_eq!(
            commands().filter(|(_, one)| !one.reply.is_empty()).count(),
            49
        );
    }

    #[test]
    fn unary_methods_are_commands() {
        assert_eq!(command_of_path("/openiap.FlowService/Query"), Some("query"));
        let name = "/openiap.FlowService/UnRegisterQueue";
        assert_eq!(command_of_path(name), Some("unregisterqueue"));
        assert_eq!(command_of_path("/openiap.FlowService/SetupStream"), None);
        assert_eq!(command_of_path("/other/Query"), None);
        assert_eq!(NAMES.methods.len(), 45);
        for command in NAMES.methods.values() {
            assert!(messages(command).is_some(), "{command}");
        }
    }

    #[test]
    fn lower_case_is_borrowed() {
        assert!(matches!(lower("query"), Cow::Borrowed("query")));
        assert_eq!(lower("InsertOne"), "insertone");
    }
}
