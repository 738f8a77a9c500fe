//! Where a URL of ours leads.

use std::fmt;

use crate::error::{Error, Result};
use crate::transport::listen::pipe_path;

/// A door of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Tcp {
        authority: String,
    },
    WebSocket {
        authority: String,
        path: String,
    },
    Grpc {
        authority: String,
    },
    /// A Unix socket, by its file.
    Pipe {
        path: String,
    },
    /// Envelope REST; only for single calls.
    Rest {
        authority: String,
    },
}

impl Target {
    /// tcp://HOST:PORT, ws://HOST:PORT[/PATH], grpc://HOST:PORT, pipe://NAME,
    /// http://HOST:PORT. `Invalid` names the forms.
    pub fn parse(url: &str) -> Result<Self> {
        let forms = || {
            Error::invalid(format!(
                "url `{url}`: must be tcp://, ws://, grpc:// or http:// HOST:PORT, or pipe://NAME \
                 (TLS is not spoken here: put the address behind it)"
            ))
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(forms)?;
        let (authority, path) = match rest.find('/') {
            Some(at) => (&rest[..at], &rest[at..]),
            None => (rest, ""),
        };
        let named = !authority.is_empty() && !authority.contains(char::is_whitespace);
        let with_port = |port: u16| match authority.rsplit_once(':') {
            Some((_, digits)) if digits.parse::<u16>().is_ok() => authority.to_string(),
            _ => format!("{authority}:{port}"),
        };
        match scheme {
            "pipe" => {
                // Clients write pipe://localhost/NAME as well (contract 1.9).
                let name = match path.trim_start_matches('/') {
                    "" => authority,
                    name => name,
                };
                Ok(Self::Pipe {
                    path: pipe_path(name),
                })
            }
            _ if !named => Err(forms()),
            "tcp" | "socket" => Ok(Self::Tcp {
                authority: with_port(8080),
            }),
            "grpc" => Ok(Self::Grpc {
                authority: with_port(50051),
            }),
            "http" => Ok(Self::Rest {
                authority: with_port(3000),
            }),
            "ws" => Ok(Self::WebSocket {
                authority: with_port(3000),
                path: if path.len() > 1 { path } else { "/ws/v2" }.to_string(),
            }),
            _ => Err(forms()),
        }
    }

    /// HOST:PORT, where there is one.
    pub fn authority(&self) -> Option<&str> {
        match self {
            Self::Tcp { authority }
            | Self::WebSocket { authority, .. }
            | Self::Grpc { authority }
            | Self::Rest { authority } => Some(authority),
            Self::Pipe { .. } => None,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { authority } => write!(out, "tcp://{authority}"),
            Self::WebSocket { authority, path } => write!(out, "ws://{authority}{path}"),
            Self::Grpc { authority } => write!(out, "grpc://{authority}"),
            Self::Rest { authority } => write!(out, "http://{authority}"),
            Self::Pipe { path } => write!(out, "pipe {path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form() {
        for (url, shown) in [
            ("tcp://127.0.0.1:9", "tcp://127.0.0.1:9"),
            ("ws://h:1/ws/v2", "ws://h:1/ws/v2"),
            ("ws://h:1/", "ws://h:1/ws/v2"),
            ("grpc://[::1]", "grpc://[::1]:50051"),
            ("http://h:1/api/v2", "http://h:1"),
        ] {
            assert_eq!(Target::parse(url).unwrap().to_string(), shown);
        }
        let pipe = Target::parse("pipe://localhost/testpipe").unwrap();
        assert_eq!(pipe, Target::parse("pipe://testpipe").unwrap());
        for wrong in ["", "h:1", "wss://h", "tcp://", "ftp://h:1", "tcp://a b:1"] {
            assert!(Target::parse(wrong).is_err(), "{wrong}");
        }
    }
}
