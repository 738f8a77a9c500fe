//! A WebSocket client on a library's codec; checks the two frames per message
//! (contract 1.3).

use std::net::TcpStream;
use std::time::Duration;

use opencore::wire::proto::Envelope;
use prost::Message as _;
use tungstenite::{Message, WebSocket};

use super::doors::Stream;

pub struct WebSocketStream {
    pub socket: WebSocket<TcpStream>,
}

impl WebSocketStream {
    pub fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("connects");
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .expect("a timeout");
        let url = format!("ws://127.0.0.1:{port}/ws/v2");
        let (socket, _) = tungstenite::client(url, stream).expect("upgrades");
        Self { socket }
    }

    fn binary(&mut self) -> std::io::Result<Vec<u8>> {
        loop {
            match self.socket.read().map_err(std::io::Error::other)? {
                Message::Binary(bytes) => return Ok(bytes.into()),
                Message::Close(frame) => {
                    return Err(std::io::Error::other(format!("closed: {frame:?}")));
                }
                _ => {}
            }
        }
    }
}

impl Stream for WebSocketStream {
    fn send(&mut self, envelope: &Envelope) -> std::io::Result<()> {
        let body = envelope.encode_to_vec();
        let length = (body.len() as u32).to_le_bytes().to_vec();
        // In two messages, as most published clients do.
        self.socket
            .send(Message::Binary(length.into()))
            .map_err(std::io::Error::other)?;
        self.socket
            .send(Message::Binary(body.into()))
            .map_err(std::io::Error::other)
    }

    fn receive(&mut self) -> std::io::Result<Envelope> {
        let length: [u8; 4] = self
            .binary()?
            .try_into()
            .expect("the first frame is exactly the length");
        let wanted = u32::from_le_bytes(length) as usize;
        let mut body = Vec::new();
        while body.len() < wanted {
            body.extend(self.binary()?);
        }
        assert_eq!(body.len(), wanted, "frames end where the message ends");
        Envelope::decode(&body[..]).map_err(std::io::Error::other)
    }
}
