//! `getelement`, the smallest request that has a reply (contract 2.10).

use super::{Reply, Request};
use crate::error::Result;
use crate::wire::proto::{GetElementRequest, GetElementResponse};

pub fn getelement(request: &Request) -> Result<Reply> {
    let message: GetElementRequest = request.decode()?;
    let xpath = format!("Did you say {} ?", message.xpath);
    Ok(Reply::of(
        "GetElementResponse",
        &GetElementResponse { xpath },
    ))
}
