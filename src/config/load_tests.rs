use super::*;
use std::time::Duration;

fn no_file(_: &Path) -> std::io::Result<String> {
    Err(std::io::ErrorKind::NotFound.into())
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(name, value)| (name.to_string(), value.to_string()))
        .collect()
}

fn run(file: Option<&str>, env: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Loaded> {
    load(&Sources {
        file: file.map(|text| ("opencore.toml", text)),
        environment: &pairs(env).into_iter().collect(),
        flags: &pairs(flags),
        read: &no_file,
    })
}

fn refused(file: Option<&str>, env: &[(&str, &str)], flags: &[(&str, &str)]) -> String {
    run(file, env, flags).unwrap_err().to_string()
}

#[test]
fn defaults_are_within_their_own_bounds() {
    let settings = run(None, &[], &[]).unwrap().settings;
    let ports: Vec<u16> = settings.listen.iter().map(|a| a.port()).collect();
    assert_eq!(ports, [3000, 50051, 8080]);
    assert!(settings.listen.iter().all(|a| a.ip().is_loopback()));
    assert_eq!(settings.pipes, ["OpenCore", "testpipe"]);
    assert_eq!(settings.shorttoken_expires_in, Duration::from_secs(300));
    assert_eq!(settings.ping_clients_interval, Duration::from_secs(10));
    assert_eq!(settings.client_heartbeat_timeout, Duration::from_secs(60));
    assert!(!settings.enable_guest && settings.force_add_admins);
}

#[test]
fn flag_beats_environment_beats_file() {
    let file = Some("max_ace_count = 10\nshards = 2\ndata = \"f\"");
    let env = [("max_ace_count", "20"), ("OPENCORE_SHARDS", "3")];
    let settings = run(file, &env, &[("max_ace_count", "30")])
        .unwrap()
        .settings;
    assert_eq!(settings.max_ace_count, 30);
    assert_eq!(settings.shards, Some(3));
    assert_eq!(settings.data, Path::new("f"));
}

#[test]
fn contract_names_are_exact_and_ours_carry_the_prefix() {
    let env = [
        ("ENABLE_GUEST", "true"),
        ("shards", "9"),
        ("OPENCORE_ENABLE_GUEST", "true"),
    ];
    let settings = run(None, &env, &[]).unwrap().settings;
    assert!(!settings.enable_guest);
    assert_eq!(settings.shards, None);
}

#[test]
fn a_wrong_value_says_source_and_bound() {
    let text = refused(None, &[("max_ace_count", "4000")], &[]);
    assert!(
        text.contains("environment max_ace_count") && text.contains("from 2 to 128"),
        "{text}"
    );
    let text = refused(Some("client_heartbeat_timeout = \"soon\""), &[], &[]);
    assert!(
        text.contains("file opencore.toml") && text.contains("from 1s to 1d"),
        "{text}"
    );
    let text = refused(None, &[], &[("listen", "127.0.0.1:1,nowhere")]);
    assert!(text.contains("`nowhere` must be ADDRESS:PORT"), "{text}");
}

#[test]
fn a_wrong_secret_is_not_repeated() {
    let text = refused(None, &[("aes_secret", "tooshort")], &[]);
    assert!(
        !text.contains("tooshort") && text.contains("at least 32"),
        "{text}"
    );
}

#[test]
fn an_unknown_key_names_the_nearest() {
    let text = refused(Some("enable_gest = true"), &[], &[]);
    assert!(text.contains("did you mean `enable_guest`?"), "{text}");
    let text = refused(None, &[], &[("zzzzzzzzz", "1")]);
    assert!(
        text.contains("unknown setting `zzzzzzzzz` (flag)"),
        "{text}"
    );
}

#[test]
fn keys_without_effect_warn_and_do_not_refuse() {
    let loaded = run(Some("amqp_url = \"x\""), &[("mongodb_url", "y")], &[]).unwrap();
    assert_eq!(loaded.warnings.len(), 2, "{:?}", loaded.warnings);
}

#[test]
fn variables_of_kubernetes_do_not_stop_the_server() {
    let env = [
        ("OPENCORE_PORT", "tcp://10.0.0.1:3000"),
        ("OPENCORE_SERVICE_HOST", "10.0.0.1"),
        ("OPENCORE_SHARD", "2"),
    ];
    let loaded = run(None, &env, &[]).unwrap();
    assert_eq!(loaded.settings.port, None);
    assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
    assert!(loaded.warnings[0].contains("OPENCORE_SHARDS"));
}

#[test]
fn port_moves_the_first_default_address_only() {
    let settings = run(None, &[("port", "4000")], &[]).unwrap().settings;
    let ports: Vec<u16> = settings.listen.iter().map(|a| a.port()).collect();
    assert_eq!(ports, [4000, 50051, 8080]);
    let loaded = run(None, &[("port", "4000")], &[("listen", "[::1]:9")]).unwrap();
    assert_eq!(loaded.settings.listen[0].port(), 9);
    assert_eq!(loaded.warnings.len(), 1);
}

#[test]
fn toml_arrays_and_tables_are_read() {
    let file = "listen = [\"127.0.0.1:1\", \"127.0.0.1:2\"]\npipes = []\n\
                agent_images = [{ name = \"a\", image = \"b\", port = 3 }]";
    let settings = run(Some(file), &[], &[]).unwrap().settings;
    assert_eq!(settings.listen.len(), 2);
    assert!(settings.pipes.is_empty());
    assert_eq!(settings.agent_images[0]["port"], 3);
    assert!(refused(Some("listen = []\npipes = []"), &[], &[]).contains("nobody could reach"));
    assert!(refused(Some("listen = "), &[], &[]).contains("opencore.toml"));
}

#[test]
fn the_password_comes_from_the_files_first_line() {
    let read = |path: &Path| match path.to_str() {
        Some("pw") => Ok("correct horse\nignored".to_string()),
        Some("short") => Ok("x\n".to_string()),
        _ => no_file(path),
    };
    let with = |flags: &[(&str, &str)]| {
        load(&Sources {
            file: None,
            environment: &BTreeMap::new(),
            flags: &pairs(flags),
            read: &read,
        })
    };
    let settings = with(&[("root_password_file", "pw")]).unwrap().settings;
    assert_eq!(settings.root_password.as_deref(), Some("correct horse"));
    assert!(with(&[("root_password_file", "short")]).is_err());
    assert!(with(&[("root_password_file", "none")]).is_err());
    assert!(
        with(&[
            ("root_password_file", "pw"),
            ("root_password", "another one")
        ])
        .is_err()
    );
}

#[test]
fn shown_masks_secrets() {
    let flags = [("aes_secret", "0123456789abcdef0123456789abcdef")];
    let shown = run(None, &[], &flags).unwrap().settings.shown();
    let value = |name| &shown.iter().find(|(n, _)| *n == name).unwrap().1;
    assert_eq!(value("aes_secret"), "(set)");
    assert_eq!(value("root_password"), "");
    assert_eq!(value("longtoken_expires_in"), "365d");
}
