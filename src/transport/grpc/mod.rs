//! gRPC: `openiap.FlowService/SetupStream` over HTTP/2 with our own thin framing.
//!
//! One connection carries many streams; each `SetupStream` is a session. The other
//! methods of the service answer UNIMPLEMENTED (contract 1.2): every client uses the stream.

use std::pin::pin;
use std::rc::Rc;

use bytes::Bytes;
use futures_util::future::{Either, select};
use h2::server::{self, SendResponse};
use http::{Request, Response};

use crate::limits;
use crate::session::CloseReason;

use super::DoorContext;
use super::socket::{ReadBuffer, Socket};

mod adapter;
mod status;
mod stream;

use adapter::H2Socket;
use status::Status;

const SETUP_STREAM: &str = "/openiap.FlowService/SetupStream";

/// Serves one HTTP/2 connection to its end.
pub async fn serve(
    context: &Rc<DoorContext>,
    socket: Socket,
    buffer: ReadBuffer,
    remote: String,
) -> Option<CloseReason> {
    let handshake = server::Builder::new()
        .initial_window_size(limits::H2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(limits::H2_CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(limits::H2_STREAMS_MAX)
        .max_header_list_size(limits::HTTP_HEAD_BYTES_MAX as u32)
        .handshake::<_, Bytes>(H2Socket::new(socket.clone(), buffer));
    let handshake = pin!(handshake);
    let mut connection =
        match select(handshake, context.seam.sleep(limits::HTTP_REQUEST_TIMEOUT)).await {
            Either::Left((Ok(connection), _)) => connection,
            Either::Left((Err(error), _)) => {
                tracing::warn!(remote, "HTTP/2 handshake failed: {error}");
                return Some(CloseReason::ProtocolViolation);
            }
            Either::Right(_) => {
                socket.cut();
                return Some(CloseReason::SniffTimeout);
            }
        };
    let pings = connection.ping_pong();
    let accepting = accept_all(context, &mut connection, &remote);
    // One task: when the connection ends, nothing of it stays behind.
    match (pings, pin!(accepting)) {
        (Some(pings), accepting) => match select(accepting, pin!(keep_alive(context, pings))).await
        {
            Either::Left((reason, _)) => Some(reason),
            Either::Right(_) => {
                socket.cut();
                Some(CloseReason::HeartbeatTimeout)
            }
        },
        (None, accepting) => Some(accepting.await),
    }
}

async fn accept_all(
    context: &Rc<DoorContext>,
    connection: &mut server::Connection<H2Socket, Bytes>,
    remote: &str,
) -> CloseReason {
    while let Some(request) = connection.accept().await {
        match request {
            Ok((request, respond)) => {
                let serving = route(context.clone(), request, respond, remote.to_owned());
                context.seam.spawn("grpc stream", Box::pin(serving));
            }
            Err(error) => {
                tracing::debug!(remote, "HTTP/2 connection ended: {error}");
                return CloseReason::Network;
            }
        }
        if context.dispatcher.is_draining() {
            connection.graceful_shutdown();
        }
    }
    CloseReason::ClientClosed
}

async fn route(
    context: Rc<DoorContext>,
    request: Request<h2::RecvStream>,
    mut respond: SendResponse<Bytes>,
    remote: String,
) {
    let path = request.uri().path();
    let refusal = if request.method() != http::Method::POST || !is_grpc(&request) {
        Err(415)
    } else if path == SETUP_STREAM {
        return stream::serve(&context, request, respond, remote).await;
    } else if path.starts_with("/openiap.FlowService/") {
        Ok(Status::unimplemented(format!(
            "{path} is not served as a unary call. Send the command as an Envelope on {SETUP_STREAM}."
        )))
    } else {
        Ok(Status::unimplemented(format!("There is no method {path}.")))
    };
    let response = match refusal {
        Ok(status) => status.alone(),
        Err(code) => Response::builder()
            .status(code)
            .body(())
            .unwrap_or_default(),
    };
    respond.send_response(response, true).ok();
}

fn is_grpc(request: &Request<h2::RecvStream>) -> bool {
    let content_type = request.headers().get(http::header::CONTENT_TYPE);
    content_type
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.starts_with("application/grpc"))
}

/// Pings the peer; resolves when it does not answer within an interval.
async fn keep_alive(context: &DoorContext, mut pings: h2::PingPong) {
    loop {
        context.seam.sleep(limits::H2_KEEPALIVE_INTERVAL).await;
        let answer = pin!(pings.ping(h2::Ping::opaque()));
        match select(answer, context.seam.sleep(limits::H2_KEEPALIVE_INTERVAL)).await {
            Either::Left((Ok(_), _)) => {}
            // The connection has ended: `accept_all` says how.
            Either::Left((Err(_), _)) => std::future::pending().await,
            Either::Right(_) => return,
        }
    }
}
