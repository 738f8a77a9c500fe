//! `openiap.FlowService/SetupStream` as a client: HTTP/2 without a runtime of its own.

use std::future::poll_fn;

use bytes::Bytes;
use compio::runtime::{JoinHandle, spawn};
use h2::client::ResponseFuture;
use h2::{RecvStream, SendStream};

use super::codec::Inbound;
use super::duplex::Duplex;
use super::socket::Socket;
use super::{Ends, Target, unavailable};
use crate::error::{Error, Result};
use crate::limits::{CLIENT_READ_BYTES, H2_CONNECTION_WINDOW_BYTES, H2_STREAM_WINDOW_BYTES};

/// Opens the stream and starts its tasks.
pub(super) async fn start(
    socket: Socket,
    authority: &str,
    ends: &Ends,
) -> Result<Vec<JoinHandle<()>>> {
    let duplex = Duplex::default();
    let mut tasks = pumps(socket, &duplex);
    let (sender, connection) = h2::client::Builder::new()
        .initial_window_size(H2_STREAM_WINDOW_BYTES)
        .initial_connection_window_size(H2_CONNECTION_WINDOW_BYTES)
        .handshake::<_, Bytes>(duplex)
        .await
        .map_err(failed)?;
    tasks.push(spawn(async move {
        // Its error reaches the stream as well, and is told there.
        let _ = connection.await;
    }));
    let mut sender = sender.ready().await.map_err(failed)?;
    let request = http::Request::post(format!(
        "http://{authority}/openiap.FlowService/SetupStream"
    ))
    .header("content-type", "application/grpc")
    .header("te", "trailers")
    .body(())
    .map_err(|cause| Error::invalid("the address").because(cause))?;
    let (response, stream) = sender.send_request(request, false).map_err(failed)?;
    let (reading, writing) = (ends.clone(), ends.clone());
    let target = Target::Grpc {
        authority: authority.to_string(),
    };
    tasks.push(spawn(async move {
        let ended = receive(response, Inbound::new(&target, &[]), &reading).await;
        reading.closed(ended);
    }));
    tasks.push(spawn(async move {
        // The sender keeps the connection open as long as requests may come.
        let _sender = sender;
        if let Err(error) = send(stream, &writing).await {
            writing.closed(Err(error));
        }
    }));
    Ok(tasks)
}

/// The tasks between socket and duplex.
fn pumps(socket: Socket, duplex: &Duplex) -> Vec<JoinHandle<()>> {
    let (reading, inward, outward) = (socket.clone(), duplex.clone(), duplex.clone());
    let read = spawn(async move {
        let mut buffer = Vec::with_capacity(CLIENT_READ_BYTES);
        while let Ok(filled) = reading.read(buffer).await {
            inward.feed(&filled);
            buffer = filled;
        }
        inward.close();
    });
    let write = spawn(async move {
        let mut spare = Vec::new();
        loop {
            outward.ready.wait().await;
            let full = outward.take(spare);
            spare = match full.is_empty() {
                true => full,
                false => match socket.write(full).await {
                    Ok(spare) => spare,
                    Err(_) => return outward.close(),
                },
            };
        }
    });
    vec![read, write]
}

async fn receive(response: ResponseFuture, mut inbound: Inbound, ends: &Ends) -> Result<()> {
    let response = response.await.map_err(failed)?;
    if response.status() != 200 {
        return Err(unavailable(format!("gRPC: HTTP {}", response.status())));
    }
    refuse_status(response.headers())?;
    let mut body: RecvStream = response.into_body();
    while let Some(chunk) = body.data().await {
        let chunk = chunk.map_err(failed)?;
        body.flow_control()
            .release_capacity(chunk.len())
            .map_err(failed)?;
        inbound.feed(&chunk);
        ends.deliver(&mut inbound)?;
    }
    match body.trailers().await.map_err(failed)? {
        Some(trailers) => refuse_status(&trailers),
        None => Ok(()),
    }
}

/// An error when the headers carry a gRPC status other than 0.
fn refuse_status(headers: &http::HeaderMap) -> Result<()> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match text("grpc-status") {
        None | Some("0") => Ok(()),
        Some(status) => {
            let message = text("grpc-message").unwrap_or_default();
            Err(unavailable(format!("gRPC status {status}: {message}")))
        }
    }
}

async fn send(mut stream: SendStream<Bytes>, ends: &Ends) -> Result<()> {
    loop {
        ends.signal.wait().await;
        let mut rest = Bytes::from(ends.outbound.borrow_mut().take(Vec::new()));
        while !rest.is_empty() {
            stream.reserve_capacity(rest.len());
            let granted = match poll_fn(|context| stream.poll_capacity(context)).await {
                Some(granted) => granted.map_err(failed)?,
                None => return Err(super::closed_by_server()),
            };
            let part = rest.split_to(granted.min(rest.len()));
            stream.send_data(part, false).map_err(failed)?;
        }
    }
}

fn failed(cause: h2::Error) -> Error {
    unavailable(format!("gRPC: {cause}"))
}

#[cfg(test)]
#[path = "grpc_tests.rs"]
mod tests;
