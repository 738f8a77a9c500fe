//! `getelement`, the smallest request that has a reply (contract 2.10).

use super::Reply;
use crate::error::Result;
use crate::wire::json_body;
use crate::wire::proto::{GetElementRequest, GetElementResponse};

pub fn getelement(body: &[u8]) -> Result<Reply> {
    let asked: GetElementRequest = json_body::decode("getelement", body)?;
    let xpath = ["Did you say ", &asked.xpath, " ?"].concat();
    Ok(Reply::of(
        "GetElementResponse",
        &GetElementResponse { xpath },
    ))
}
