//! Generates the service's server and client from its name: no .proto, no installed protoc.

fn main() {
    let setup_stream = tonic_build::manual::Method::builder()
        .name("setup_stream")
        .route_name("SetupStream")
        .input_type("crate::envelope::Envelope")
        .output_type("crate::envelope::Envelope")
        .codec_path("tonic_prost::ProstCodec")
        .client_streaming()
        .server_streaming()
        .build();
    let service = tonic_build::manual::Service::builder()
        .package("openiap")
        .name("FlowService")
        .method(setup_stream)
        .build();
    tonic_build::manual::Builder::new().compile(&[service]);
    println!("cargo::rerun-if-changed=build.rs");
}
