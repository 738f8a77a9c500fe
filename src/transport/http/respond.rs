//! Answers of the HTTP/1.1 door.

use std::fmt::Write;
use std::io;

use bytes::Bytes;

use crate::error::{Code, Error};
use crate::limits;

use super::super::Page;
use super::super::socket::Socket;
use super::head::RequestHead;

/// On every response (contract 12.1).
const COMMON_HEADERS: &str = "Access-Control-Allow-Origin: *\r\n\
Access-Control-Allow-Methods: GET, POST, OPTIONS, PUT, PATCH, DELETE\r\n\
Access-Control-Allow-Headers: Origin, X-Requested-With, Content-Type, Accept, Access-Control-Allow-Headers, Authorization, x-jwt-token\r\n\
Access-Control-Allow-Credentials: true\r\n\
Cache-Control: private, no-cache, no-store, must-revalidate\r\n";

pub async fn page(
    socket: &Socket,
    page: Page,
    keep_alive: bool,
    head_only: bool,
) -> io::Result<()> {
    let mut text = String::with_capacity(640);
    let connection = if keep_alive { "keep-alive" } else { "close" };
    write!(
        text,
        "HTTP/1.1 {} {}\r\n{COMMON_HEADERS}Connection: {connection}\r\n",
        page.status,
        phrase(page.status)
    )
    .ok();
    if page.status != 204 {
        write!(
            text,
            "Content-Type: {}\r\nContent-Length: {}\r\n",
            page.content_type,
            page.body.len()
        )
        .ok();
    }
    text.push_str("\r\n");
    let mut head = text.into_bytes();
    if head_only {
        return socket.write_all(Bytes::from(head)).await;
    }
    if page.body.len() < limits::GATHER_BYTES_MIN {
        head.extend_from_slice(&page.body);
        return socket.write_all(Bytes::from(head)).await;
    }
    socket.write_all(Bytes::from(head)).await?;
    socket.write_all(Bytes::from(page.body)).await
}

/// A request that could not be read: answered and closed.
pub async fn error(socket: &Socket, error: &Error, keep_alive: bool) -> io::Result<()> {
    page(
        socket,
        plain(error.http_status(), &error.context),
        keep_alive,
        false,
    )
    .await
}

pub async fn go_on(socket: &Socket) -> io::Result<()> {
    socket
        .write_all(Bytes::from_static(b"HTTP/1.1 100 Continue\r\n\r\n"))
        .await
}

pub fn plain(status: u16, text: &str) -> Page {
    Page {
        status,
        content_type: "text/plain; charset=utf-8",
        body: format!("{text}\n").into_bytes(),
    }
}

/// Why a request whose body nobody takes is refused before its body is read.
pub fn refusal(head: &RequestHead) -> Error {
    Error::client(
        Code::NotFound,
        format!(
            "Nothing here takes a {} of {} with a body.",
            head.method, head.path
        ),
    )
}

pub fn not_found(head: &RequestHead) -> Page {
    let text = format!(
        "There is no {} {}. Here are: POST /api/v2, GET /config, /livenessprobe, /healthz, /readyz, /varz, and WebSocket on /ws/v2.",
        head.method, head.path
    );
    plain(404, &text)
}

fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        503 => "Service Unavailable",
        _ => "Error",
    }
}
