//! Pages of the HTTP door: `/config`, health and `/varz`.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use crate::config::{self, Settings};
use crate::runtime::status::ServerStatus;
use crate::session::registry::Gauges;
use crate::session::{CloseReason, Door};
use crate::transport::{Page, Pages};

/// Pages made from live state at the moment they are asked for.
pub struct ServerPages {
    status: Arc<ServerStatus>,
    settings: Arc<Settings>,
}

impl ServerPages {
    pub fn make(status: Arc<ServerStatus>, settings: Arc<Settings>) -> Rc<dyn Pages> {
        Rc::new(Self { status, settings })
    }

    /// Driver, addresses, and per shard what is open, done, closed and why.
    fn varz(&self) -> Value {
        json!({
            "version": env!("CARGO_PKG_VERSION"),
            "driver": self.status.driver,
            "store": "embedded",
            "durability": "synced before OK",
            "addresses": self.status.addresses,
            "pipes": self.status.pipes,
            "ready": self.status.is_ready(),
            "shards": self.status.gauges.iter().map(|gauges| shard(gauges)).collect::<Vec<_>>(),
        })
    }
}

impl Pages for ServerPages {
    fn get(&self, path: &str) -> Option<Page> {
        let page = match path {
            "/config" => {
                ok(&config::config_json(&self.settings, env!("CARGO_PKG_VERSION"), None).into())
            }
            // Contract 12.1; the values are texts there, too.
            "/livenessprobe" => ok(
                &json!({ "success": "true", "hostname": hostname(), "dt": "", "traceId": "", "spanId": "" }),
            ),
            "/healthz" => ok(&json!({ "status": "ok" })),
            "/readyz" if self.status.is_ready() => ok(&json!({ "status": "ready" })),
            "/readyz" => Page {
                status: 503,
                ..ok(&json!({ "status": "draining" }))
            },
            "/varz" => ok(&self.varz()),
            _ => return None,
        };
        Some(page)
    }
}

fn ok(body: &Value) -> Page {
    Page {
        status: 200,
        content_type: "application/json",
        body: body.to_string().into_bytes(),
    }
}

fn hostname() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

fn shard(gauges: &Gauges) -> Value {
    let value = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let closed: serde_json::Map<String, Value> = CloseReason::ALL
        .iter()
        .filter(|reason| gauges.closed(**reason) > 0)
        .map(|reason| (reason.label().to_owned(), gauges.closed(*reason).into()))
        .collect();
    let opened: serde_json::Map<String, Value> = Door::ALL
        .iter()
        .map(|door| {
            (
                door.label().to_owned(),
                value(&gauges.opened[*door as usize]).into(),
            )
        })
        .collect();
    json!({
        "connections": value(&gauges.connections),
        "sessions": value(&gauges.sessions),
        "requests": value(&gauges.requests),
        "errors": value(&gauges.errors),
        "stalls": value(&gauges.stalls),
        "opened": opened,
        "closed": closed,
    })
}
