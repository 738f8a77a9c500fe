//! The gRPC echo on tonic, all of it on one thread of tokio, with the product's allocator.

use std::error::Error;
use std::pin::Pin;

use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Request, Response, Status, Streaming};
use tonic_echo::envelope::Envelope;
use tonic_echo::flow_service_server::{FlowService, FlowServiceServer};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct Echo;

#[tonic::async_trait]
impl FlowService for Echo {
    type SetupStreamStream = Pin<Box<dyn Stream<Item = Result<Envelope, Status>> + Send>>;

    async fn setup_stream(
        &self,
        request: Request<Streaming<Envelope>>,
    ) -> Result<Response<Self::SetupStreamStream>, Status> {
        let replies = request.into_inner().map(|envelope| {
            envelope.map(|mut envelope| {
                envelope.rid.clone_from(&envelope.id);
                envelope
            })
        });
        Ok(Response::new(Box::pin(replies)))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = peer::start();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(serve(options))
}

async fn serve(options: peer::Options) -> Result<(), Box<dyn Error>> {
    let listener = peer::listen(options)?;
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    peer::ready(listener.local_addr()?)?;
    let accepted = TcpListenerStream::new(listener).map(|stream| {
        let stream = stream?;
        stream.set_nodelay(true)?;
        Ok::<_, std::io::Error>(stream)
    });
    tonic::transport::Server::builder()
        .add_service(FlowServiceServer::new(Echo))
        .serve_with_incoming(accepted)
        .await?;
    Ok(())
}
