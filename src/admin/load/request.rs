//! What is sent, encoded once.

use prost::Message;
use serde_json::{Value, json};

use crate::admin::cli::{BenchArgs, Expect, Operation};
use crate::admin::link::Client;
use crate::error::{Error, Result};
use crate::limits::LOAD_DOCUMENTS;
use crate::wire::proto::{
    GetElementRequest, InsertManyRequest, InsertManyResponse, InsertOneRequest, QueryRequest,
};

const COLLECTION: &str = "bench";

/// The bodies of one run, taken in turn.
pub(super) struct Requests {
    pub command: &'static str,
    pub message: &'static str,
    /// Command of a right reply.
    pub reply: &'static str,
    bodies: Vec<Vec<u8>>,
    /// What the reply to the body of the same place must contain; empty: nothing.
    marks: Vec<Vec<u8>>,
}

impl Requests {
    /// Encodes the bodies; for `query` inserts the documents it will ask for.
    pub async fn prepare(args: &BenchArgs, client: &mut Client) -> Result<Self> {
        let pad = "x".repeat(args.payload as usize);
        match args.op {
            Operation::Ping => Ok(Self::ping(pad)),
            Operation::Insert => Ok(insert(&pad)),
            Operation::Query if args.expect == Expect::Echo => Ok(query(vec!["id".into()])),
            Operation::Query => Ok(query(insert_documents(client, &pad).await?)),
        }
    }

    pub fn ping(xpath: String) -> Self {
        Self {
            command: "getelement",
            message: "GetElementRequest",
            reply: "getelement",
            bodies: vec![GetElementRequest { xpath }.encode_to_vec()],
            marks: Vec::new(),
        }
    }

    pub fn body(&self, number: u64) -> &[u8] {
        &self.bodies[number as usize % self.bodies.len()]
    }

    /// Whether `body` can be the reply to request `number`.
    pub fn is_answer(&self, number: u64, body: &[u8]) -> bool {
        let mark = match self.marks.len() {
            0 => return true,
            count => &self.marks[number as usize % count],
        };
        body.windows(mark.len()).any(|window| window == mark)
    }
}

fn document(number: usize, pad: &str) -> Value {
    json!({ "_type": "bench", "name": "bench", "number": number, "pad": pad })
}

fn insert(pad: &str) -> Requests {
    let body = |number| InsertOneRequest {
        collectionname: COLLECTION.into(),
        item: document(number, pad).to_string(),
        w: 1,
        j: true,
    };
    Requests {
        command: "insertone",
        message: "InsertOneRequest",
        reply: "insertonereply",
        bodies: (0..16).map(|number| body(number).encode_to_vec()).collect(),
        marks: Vec::new(),
    }
}

fn query(ids: Vec<String>) -> Requests {
    let body = |id: &String| QueryRequest {
        query: json!({ "_id": id }).to_string(),
        collectionname: COLLECTION.into(),
        top: 1,
        ..QueryRequest::default()
    };
    Requests {
        command: "query",
        message: "QueryRequest",
        reply: "queryreply",
        bodies: ids.iter().map(|id| body(id).encode_to_vec()).collect(),
        marks: ids.into_iter().map(String::into_bytes).collect(),
    }
}

/// Inserts the documents in one request and returns their ids.
async fn insert_documents(client: &mut Client, pad: &str) -> Result<Vec<String>> {
    let items: Vec<Value> = (0..LOAD_DOCUMENTS)
        .map(|number| document(number, pad))
        .collect();
    let request = InsertManyRequest {
        collectionname: COLLECTION.into(),
        items: Value::Array(items).to_string(),
        w: 1,
        j: true,
        skipresults: false,
    };
    let reply = client.call("insertmany", &request.encode_to_vec()).await?;
    let unreadable = || Error::protocol("insertmany's reply holds no documents with _id");
    let reply = InsertManyResponse::decode(reply.body).map_err(|_| unreadable())?;
    let documents: Vec<Value> = serde_json::from_str(&reply.results).map_err(|_| unreadable())?;
    let ids: Option<Vec<String>> = documents
        .iter()
        .map(|document| Some(document["_id"].as_str()?.to_string()))
        .collect();
    ids.filter(|ids| !ids.is_empty()).ok_or_else(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_reply_must_hold_the_document_asked_for() {
        let requests = query(vec!["aa".into(), "bb".into()]);
        let body = QueryRequest::decode(requests.body(3)).unwrap();
        assert_eq!(body.query, r#"{"_id":"bb"}"#);
        assert!(requests.is_answer(3, br#"[{"_id":"bb"}]"#));
        assert!(!requests.is_answer(2, br#"[{"_id":"bb"}]"#));
        assert!(!requests.is_answer(2, b""));
        assert!(Requests::ping(String::new()).is_answer(9, b""));
    }
}
