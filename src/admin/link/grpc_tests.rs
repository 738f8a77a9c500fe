use super::*;
use crate::admin::link::{Handler, Link, Outbound, Signal};
use crate::wire::envelope::Head;
use compio::net::TcpListener;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// Gives back every byte of the stream, then ends it with `status` once told to.
async fn echo(listener: TcpListener, status: &'static str) {
    let (stream, _) = listener.accept().await.unwrap();
    let duplex = Duplex::default();
    let _pumps = pumps(Socket::Tcp(stream), &duplex);
    let mut connection = h2::server::handshake(duplex).await.unwrap();
    let (request, mut respond) = connection.accept().await.unwrap().unwrap();
    assert_eq!(request.uri().path(), "/openiap.FlowService/SetupStream");
    assert_eq!(request.headers()["content-type"], "application/grpc");
    spawn(async move { while connection.accept().await.is_some() {} }).detach();
    let head = http::Response::builder().header("content-type", "application/grpc");
    let mut out = respond
        .send_response(head.body(()).unwrap(), false)
        .unwrap();
    let mut body = request.into_body();
    let mut left = 70_000;
    while left > 0 {
        let chunk = body.data().await.unwrap().unwrap();
        body.flow_control().release_capacity(chunk.len()).unwrap();
        left -= chunk.len().min(left);
        out.send_data(chunk, false).unwrap();
    }
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", status.parse().unwrap());
    trailers.insert("grpc-message", "enough".parse().unwrap());
    out.send_trailers(trailers).unwrap();
    compio::time::sleep(Duration::from_secs(5)).await;
}

#[derive(Default)]
struct Seen {
    ids: Vec<String>,
    ended: Option<String>,
    signal: Rc<Signal>,
}

impl Handler for Seen {
    fn frame(&mut self, frame: Bytes, _: &mut Outbound) -> Result<()> {
        self.ids.push(Head::scan(&frame)?.id.to_string());
        Ok(())
    }

    fn closed(&mut self, reason: &Error) {
        self.ended = Some(reason.to_string());
        self.signal.notify();
    }
}

#[test]
fn envelopes_travel_both_ways_and_the_status_is_told() {
    compio::runtime::Runtime::new().unwrap().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let _server = spawn(echo(listener, "16"));
        let seen = Rc::new(RefCell::new(Seen::default()));
        let signal = seen.borrow().signal.clone();
        let target = Target::Grpc { authority };
        let link = Link::open(&target, seen.clone()).await.unwrap();
        link.send(|out| {
            out.send("getelement", "small", "", "GetElementRequest", &[]);
            out.send("stream", "large", "", "Stream", &[1; 70_000]);
        });
        let waited = compio::time::timeout(Duration::from_secs(10), signal.wait()).await;
        assert!(waited.is_ok(), "the stream never ended");
        let seen = seen.borrow();
        assert_eq!(seen.ids, ["small", "large"]);
        let ended = seen.ended.as_deref().unwrap();
        assert!(ended.contains("16") && ended.contains("enough"), "{ended}");
    });
}

#[test]
fn a_server_that_hangs_up_is_noticed() {
    compio::runtime::Runtime::new().unwrap().block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let _server = spawn(async move { drop(listener.accept().await) });
        let seen = Rc::new(RefCell::new(Seen::default()));
        let signal = seen.borrow().signal.clone();
        let target = Target::Grpc { authority };
        // The hang-up may be seen while opening or later; it must be seen.
        if let Ok(_link) = Link::open(&target, seen.clone()).await {
            let waited = compio::time::timeout(Duration::from_secs(10), signal.wait()).await;
            assert!(waited.is_ok(), "the end was not told");
            assert!(seen.borrow().ended.is_some());
        }
    });
}
