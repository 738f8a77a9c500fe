//! The `/config` document of contract 12.2. Types are strict: one wrong type and
//! the Rust client ignores the whole document.

use serde_json::{Map, Value, json};

use super::table::Settings;

/// The document for `GET /config`. With `signin` it also holds the keys that only
/// `SigninResponse.config` carries. `version` is the server's, `installation` its
/// unique id.
pub fn config_json(settings: &Settings, version: &str, signin: Option<&str>) -> Map<String, Value> {
    let mut keys = constants();
    keys.extend(from_settings(settings, version));
    for (key, url) in [
        ("otel_trace_url", &settings.otel_trace_url),
        ("otel_metric_url", &settings.otel_metric_url),
        ("otel_log_url", &settings.otel_log_url),
    ] {
        if !url.is_empty() {
            keys.insert(key.into(), json!(url));
        }
    }
    if let Some(installation) = signin {
        keys.insert("openflow_uniqueid".into(), json!(installation));
        keys.insert(
            "otel_trace_interval".into(),
            json!(settings.otel_trace_interval),
        );
        keys.insert(
            "otel_metric_interval".into(),
            json!(settings.otel_metric_interval),
        );
    }
    keys
}

/// Keys whose value says what this server is; no setting changes them.
fn constants() -> Map<String, Value> {
    let mut keys = Map::new();
    for key in ["validate_user_form", "stripe_api_key"] {
        keys.insert(key.into(), json!(""));
    }
    for key in [
        "auto_create_users",
        "auto_create_personal_nodered_group",
        "auto_create_personal_noderedapi_group",
        "validate_emails",
        "forgot_pass_emails",
        "enable_entity_restriction",
        "enable_gitserver",
        "validlicense",
        "enable_serverless",
    ] {
        keys.insert(key.into(), json!(false));
    }
    for key in [
        "collections_with_text_index",
        "timeseries_collections",
        "forceddomains",
        "loginproviders",
    ] {
        keys.insert(key.into(), json!([]));
    }
    keys.insert("supports_watch".into(), json!(true));
    keys.insert("websocket_package_size".into(), json!(25_000));
    keys
}

fn from_settings(settings: &Settings, version: &str) -> Map<String, Value> {
    let domain = &settings.domain;
    let wshost = websocket_host(settings);
    let schema = match settings.agent_domain_schema.as_str() {
        "" => format!("$slug$.{domain}"),
        schema => schema.to_string(),
    };
    let keys = json!({
        "wshost": wshost,
        "wsurl": wshost,
        "domain": domain,
        "version": version,
        "namespace": settings.namespace,
        "grafana_url": settings.grafana_url,
        "getting_started_url": settings.getting_started_url,
        "llmchat_queue": settings.llmchat_queue,
        "agent_domain_schema": schema,
        "agent_images": settings.agent_images,
        "multi_tenant": settings.multi_tenant,
        "workspace_enabled": settings.workspace_enabled,
        "amqp_enabled_exchange": settings.amqp_enabled_exchange,
        "enable_web_tours": settings.enable_web_tours,
        "enable_nodered_tours": settings.enable_nodered_tours,
        "enable_analytics": settings.enable_analytics,
        "enable_guest": settings.enable_guest,
        "web_hide_general_info": settings.web_hide_general_info,
        "ping_clients_interval": settings.ping_clients_interval.as_millis() as i64,
    });
    match keys {
        Value::Object(keys) => keys,
        _ => Map::new(),
    }
}

/// `ws(s)://DOMAIN/` or the override; always ends with a slash.
fn websocket_host(settings: &Settings) -> String {
    let host = match (&settings.api_ws_url, settings.protocol.as_str()) {
        (Some(url), _) => url.clone(),
        (None, "https") => format!("wss://{}", settings.domain),
        (None, _) => format!("ws://{}", settings.domain),
    };
    match host.ends_with('/') {
        true => host,
        false => host + "/",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Sources, load};
    use std::collections::BTreeMap;

    fn settings(flags: &[(&str, &str)]) -> Settings {
        let pair = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
        let flags: Vec<_> = flags.iter().map(pair).collect();
        let sources = Sources {
            file: None,
            environment: &BTreeMap::new(),
            flags: &flags,
            read: &|_| Err(std::io::ErrorKind::NotFound.into()),
        };
        load(&sources).unwrap().settings
    }

    #[test]
    fn types_are_those_of_the_contract() {
        let keys = config_json(&settings(&[]), "1.2.3", None);
        for (key, value) in &keys {
            let right = match key.as_str() {
                "websocket_package_size" | "ping_clients_interval" => value.is_i64(),
                "agent_images"
                | "loginproviders"
                | "forceddomains"
                | "collections_with_text_index"
                | "timeseries_collections" => value.is_array(),
                "wshost"
                | "wsurl"
                | "domain"
                | "version"
                | "namespace"
                | "grafana_url"
                | "getting_started_url"
                | "validate_user_form"
                | "stripe_api_key"
                | "llmchat_queue"
                | "agent_domain_schema" => value.is_string(),
                _ => value.is_boolean(),
            };
            assert!(right, "{key}: {value}");
        }
        assert_eq!(keys["wsurl"], "ws://localhost.openiap.io/");
        assert_eq!(keys["agent_domain_schema"], "$slug$.localhost.openiap.io");
        assert_eq!(keys["enable_analytics"], false);
        assert_eq!(keys["supports_watch"], true);
        assert!(!keys.contains_key("otel_trace_url") && !keys.contains_key("openflow_uniqueid"));
    }

    #[test]
    fn settings_show_through() {
        let settings = settings(&[
            ("protocol", "https"),
            ("domain", "example.com"),
            ("otel_trace_url", "http://t"),
            ("ping_clients_interval", "5s"),
        ]);
        let keys = config_json(&settings, "1", Some("id"));
        assert_eq!(keys["wshost"], "wss://example.com/");
        assert_eq!(keys["ping_clients_interval"], 5000);
        assert_eq!(keys["otel_trace_url"], "http://t");
        assert_eq!(keys["openflow_uniqueid"], "id");
        assert_eq!(keys["otel_metric_interval"], 5000);
    }
}
