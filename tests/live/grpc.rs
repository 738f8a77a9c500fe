//! A gRPC client on h2, on a small runtime of its own.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use h2::client::SendRequest;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request};
use opencore::wire::proto::Envelope;
use prost::Message;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use super::doors::Stream;

pub const SETUP_STREAM: &str = "/openiap.FlowService/SetupStream";

pub struct GrpcStream {
    runtime: Runtime,
    pub send: SendStream<Bytes>,
    receive: RecvStream,
    buffer: BytesMut,
}

impl GrpcStream {
    pub fn connect(port: u16) -> Self {
        Self::call(port, SETUP_STREAM, &[]).expect("the stream opens")
    }

    /// Opens a call with extra headers. The error is the response's status, when it has no body.
    pub fn call(
        port: u16,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, HeaderMap> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let (send, response) = runtime.block_on(async {
            let mut client = connection(port).await;
            let mut request = Request::post(format!("http://127.0.0.1:{port}{path}"))
                .header("content-type", "application/grpc")
                .header("te", "trailers");
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let request = request.body(()).expect("a request");
            let (response, send) = client.send_request(request, false).expect("sent");
            (send, response.await.expect("a response"))
        });
        if response.headers().contains_key("grpc-status") {
            return Err(response.headers().clone());
        }
        Ok(Self {
            runtime,
            send,
            receive: response.into_body(),
            buffer: BytesMut::new(),
        })
    }

    pub fn send_bytes(&mut self, bytes: Bytes) -> io::Result<()> {
        self.send
            .send_data(bytes, false)
            .map_err(io::Error::other)?;
        // The connection's task sends what was queued.
        self.runtime.block_on(tokio::task::yield_now());
        Ok(())
    }

    /// Ends the client's side of the stream.
    pub fn finish(&mut self) {
        self.send.send_data(Bytes::new(), true).expect("open");
    }

    /// Reads to the end of the stream and returns its trailers.
    pub fn trailers(&mut self) -> HeaderMap {
        let receive = &mut self.receive;
        self.runtime.block_on(async {
            while let Some(data) = receive.data().await {
                let Ok(data) = data else { break };
                receive.flow_control().release_capacity(data.len()).ok();
            }
            receive.trailers().await.ok().flatten().unwrap_or_default()
        })
    }

    fn fill(&mut self) -> io::Result<()> {
        let receive = &mut self.receive;
        let data = self.runtime.block_on(receive.data());
        let data = data
            .ok_or(io::ErrorKind::UnexpectedEof)?
            .map_err(io::Error::other)?;
        receive
            .flow_control()
            .release_capacity(data.len())
            .map_err(io::Error::other)?;
        self.buffer.extend_from_slice(&data);
        Ok(())
    }
}

async fn connection(port: u16) -> SendRequest<Bytes> {
    let socket = TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("connects");
    socket.set_nodelay(true).expect("an option");
    let (client, connection) = h2::client::Builder::new()
        .initial_window_size(16 << 20)
        .initial_connection_window_size(32 << 20)
        .handshake(socket)
        .await
        .expect("HTTP/2");
    tokio::spawn(connection);
    client.ready().await.expect("ready")
}

pub fn message(body: &[u8]) -> Bytes {
    let mut bytes = vec![0];
    bytes.extend((body.len() as u32).to_be_bytes());
    bytes.extend(body);
    bytes.into()
}

impl Stream for GrpcStream {
    fn send(&mut self, envelope: &Envelope) -> io::Result<()> {
        self.send_bytes(message(&envelope.encode_to_vec()))
    }

    fn receive(&mut self) -> io::Result<Envelope> {
        loop {
            if self.buffer.len() >= 5 {
                assert_eq!(self.buffer[0], 0, "not compressed");
                let length = u32::from_be_bytes([
                    self.buffer[1],
                    self.buffer[2],
                    self.buffer[3],
                    self.buffer[4],
                ]);
                if self.buffer.len() >= 5 + length as usize {
                    self.buffer.advance(5);
                    let body = self.buffer.split_to(length as usize);
                    return Envelope::decode(&body[..]).map_err(io::Error::other);
                }
            }
            self.fill()?;
        }
    }
}
