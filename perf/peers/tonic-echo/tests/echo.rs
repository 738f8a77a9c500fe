//! The gRPC peer does what the comparison takes for granted, judged by tonic's own client.

use check::program::Program;
use tokio_stream::StreamExt;
use tonic::transport::Endpoint;
use tonic_echo::envelope::Envelope;
use tonic_echo::flow_service_client::FlowServiceClient;

const MESSAGES: i32 = 300;

fn request(seq: i32, body_bytes: usize) -> Envelope {
    Envelope {
        command: "ping".into(),
        seq,
        id: format!("id{seq:07}"),
        data: Some(prost_types::Any {
            type_url: "type.googleapis.com/openiap.PingRequest".into(),
            value: vec![seq as u8; body_bytes],
        }),
        ..Envelope::default()
    }
}

#[test]
fn every_envelope_comes_back_with_rid_set() {
    let program = Program::start(env!("CARGO_BIN_EXE_tonic-echo"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let url = format!("http://{}", program.address());
        let channel = Endpoint::from_shared(url).unwrap().connect().await.unwrap();
        let mut client = FlowServiceClient::new(channel);
        for body_bytes in [120, 4096] {
            let requests = (0..MESSAGES).map(move |seq| request(seq, body_bytes));
            let stream = tokio_stream::iter(requests);
            let mut replies = client.setup_stream(stream).await.unwrap().into_inner();
            let mut seq = 0;
            while let Some(reply) = replies.next().await {
                let sent = request(seq, body_bytes);
                assert_eq!(
                    reply.unwrap(),
                    Envelope {
                        rid: sent.id.clone(),
                        ..sent
                    }
                );
                seq += 1;
            }
            assert_eq!(seq, MESSAGES);
        }
    });
    program.end_by_sigterm();
}
