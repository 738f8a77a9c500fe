//! The message every openiap stream carries, with the published field numbers.

/// One request, reply or event.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Envelope {
    #[prost(string, tag = "1")]
    pub command: String,
    #[prost(int32, tag = "2")]
    pub priority: i32,
    #[prost(int32, tag = "3")]
    pub seq: i32,
    #[prost(string, tag = "4")]
    pub id: String,
    /// In a reply, the request's `id`.
    #[prost(string, tag = "5")]
    pub rid: String,
    #[prost(message, optional, tag = "6")]
    pub data: Option<prost_types::Any>,
    #[prost(string, tag = "7")]
    pub jwt: String,
    #[prost(string, tag = "8")]
    pub traceid: String,
    #[prost(string, tag = "9")]
    pub spanid: String,
}
