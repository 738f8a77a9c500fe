//! The house rules, executable. Each failure names the rule and the remedy.
//!
//! Reads the sources as text: comments, strings and characters are blanked first, so that
//! words inside them count only where a rule is about them.

#[path = "support/source.rs"]
mod source;

use source::{Source, is_test_file};
use std::path::Path;
use std::process::Command;

const FILE_LINES_MAX: usize = 500;
const FILE_LINES_MEDIAN_MAX: usize = 160;
const FUNCTION_LINES_MAX: usize = 70;

/// The rooms of each layer; a layer uses only those before it (`src/lib.rs` has the map).
const LAYERS: &[&[&str]] = &[
    &["limits", "error", "seam", "lanes"],
    &["config", "wire", "document"],
    &["store", "broker", "bridge"],
    &["auth"],
    &["session"],
    &["command"],
    &["dispatch"],
    &["transport"],
    &["runtime"],
    &["admin", "main"],
];

/// Rooms that may use a neighbour of their own layer, and why.
const NEIGHBOURS: &[(&str, &str, &str)] = &[
    ("error", "limits", "limits are plain numbers"),
    ("seam", "limits", "limits are plain numbers"),
    ("lanes", "limits", "limits are plain numbers"),
    (
        "store",
        "bridge",
        "foreign drivers are reached over the bridge",
    ),
    (
        "broker",
        "bridge",
        "foreign drivers are reached over the bridge",
    ),
    (
        "broker",
        "store",
        "messages and documents commit in one transaction",
    ),
    ("main", "admin", "the command line lives in admin"),
];

/// Every Rust file below `folder`.
fn sources(folder: &str) -> Vec<Source> {
    let files = files_of_the_project();
    let mut found: Vec<Source> = files
        .iter()
        .filter(|path| path.starts_with(&format!("{folder}/")) && path.ends_with(".rs"))
        .filter_map(|path| Some(Source::new(path, &read(path)?)))
        .collect();
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "no source found below {folder}/");
    found
}

/// Tracked files and new ones that are not ignored, relative to the root.
fn files_of_the_project() -> Vec<String> {
    let output = Command::new("git")
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "-z",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("git lists the files of the project");
    assert!(
        output.status.success(),
        "git ls-files failed: the rules are held in a git work tree"
    );
    let list = String::from_utf8(output.stdout).expect("file names are UTF-8");
    list.split('\0')
        .filter(|path| !path.is_empty())
        .map(str::to_owned)
        .collect()
}

/// The text of a file; nothing when it is gone or no text.
fn read(path: &str) -> Option<String> {
    let bytes = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).ok()?;
    String::from_utf8(bytes).ok()
}

/// Fails with all findings of a rule at once.
fn hold(rule: &str, findings: Vec<String>) {
    assert!(
        findings.is_empty(),
        "\nrule: {rule}\n  {}\n",
        findings.join("\n  ")
    );
}

#[test]
fn files_are_small() {
    let sources = sources("src");
    let mut lines: Vec<usize> = sources.iter().map(|source| source.lines).collect();
    lines.sort_unstable();
    let median = lines[lines.len() / 2];
    println!(
        "{} files, median {median} lines, longest {}",
        lines.len(),
        lines[lines.len() - 1]
    );
    let mut findings: Vec<String> = sources
        .iter()
        .filter(|source| source.lines > FILE_LINES_MAX)
        .map(|source| {
            format!(
                "{} has {} lines (limit {FILE_LINES_MAX})",
                source.path, source.lines
            )
        })
        .collect();
    if median > FILE_LINES_MEDIAN_MAX {
        findings.push(format!(
            "the median file has {median} lines (limit {FILE_LINES_MEDIAN_MAX})"
        ));
    }
    hold(
        "a file fits a reader's head: make it a folder of the same name and move a part out",
        findings,
    );
}

#[test]
fn functions_are_short() {
    let mut functions: Vec<(usize, String)> = Vec::new();
    for source in sources("src") {
        for function in source.functions() {
            let name = format!("`{}` in {}:{}", function.name, source.path, function.line);
            functions.push((function.lines, name));
        }
    }
    functions.sort_by(|a, b| b.cmp(a));
    for (lines, name) in functions.iter().take(3) {
        println!("{name} is {lines} lines");
    }
    let findings = functions
        .iter()
        .filter(|(lines, _)| *lines > FUNCTION_LINES_MAX)
        .map(|(lines, name)| format!("{name} is {lines} lines (limit {FUNCTION_LINES_MAX})"));
    hold(
        "a function does one thing: give a part of it a name and a function of its own",
        findings.collect(),
    );
}

fn layer_of(room: &str) -> Option<usize> {
    LAYERS.iter().position(|rooms| rooms.contains(&room))
}

/// Why `user` may not use `used`, or nothing.
fn layer_fault(user: &str, used: &str) -> Option<String> {
    let (from, to) = (layer_of(user)?, layer_of(used)?);
    let neighbour = NEIGHBOURS.iter().any(|(a, b, _)| *a == user && *b == used);
    (user != used && to >= from && !neighbour)
        .then(|| format!("`{user}` (layer {from}) uses `{used}` (layer {to})"))
}

#[test]
fn layers_use_only_those_above() {
    let mut findings = Vec::new();
    for source in sources("src")
        .iter()
        .filter(|source| !is_test_file(&source.path))
    {
        let Some(user) = source.room() else { continue };
        if layer_of(user).is_none() {
            findings.push(format!(
                "{}: room `{user}` has no layer; add it to LAYERS in tests/tidy.rs",
                source.path
            ));
        }
        for (line, used) in source.rooms_used() {
            if let Some(fault) = layer_fault(user, &used) {
                findings.push(format!("{}:{line}: {fault}", source.path));
            }
        }
    }
    hold(
        "each layer uses only those above it: declare a trait in the lower room and implement it in the \
         upper one, or move the code",
        findings,
    );
}

#[test]
fn unsafe_stays_in_its_rooms() {
    let map = read("src/lib.rs").expect("src/lib.rs");
    let rooms = source::unsafe_rooms(&map).expect("src/lib.rs says where `unsafe` is allowed");
    let mut findings = Vec::new();
    for source in sources("src") {
        let path = source
            .path
            .trim_start_matches("src/")
            .trim_end_matches(".rs");
        let path = path.trim_end_matches("/mod");
        if rooms
            .iter()
            .any(|room| path == room || path.starts_with(&format!("{room}/")))
        {
            continue;
        }
        findings.extend(
            source
                .words("unsafe")
                .map(|line| format!("{}:{line}", source.path)),
        );
    }
    hold(
        "`unsafe` only in the rooms named at the top of src/lib.rs: use a kept crate, or move it there",
        findings,
    );
}

#[test]
fn nothing_is_left_half_done() {
    let mut findings = Vec::new();
    for folder in ["src", "tests"] {
        for source in sources(folder) {
            for name in ["todo", "unimplemented", "dbg"] {
                findings.extend(
                    source
                        .macro_calls(name)
                        .map(|line| format!("{}:{line}: {name}!", source.path)),
                );
            }
        }
    }
    hold(
        "no stubs and no debugging left behind: finish it, or return an error that says what is not there",
        findings,
    );
}

#[test]
fn every_open_end_has_an_issue() {
    let mut findings = Vec::new();
    for path in files_of_the_project() {
        if path == "tests/tidy.rs" || !is_ours(&path) {
            continue;
        }
        let Some(text) = read(&path) else { continue };
        for (index, line) in text.lines().enumerate() {
            if source::open_end_without_issue(line) {
                findings.push(format!("{path}:{}: {}", index + 1, line.trim()));
            }
        }
    }
    hold(
        "an open end names its issue, `TODO(#12)`: file one, or do it now",
        findings,
    );
}

#[test]
fn no_machine_paths() {
    // Spelt in two halves, so that this file keeps its own rule.
    let paths = [
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
    ];
    let mut findings = Vec::new();
    for path in files_of_the_project() {
        let Some(text) = read(&path) else { continue };
        for (index, line) in text.lines().enumerate() {
            if let Some(found) = paths
                .iter()
                .find(|machine| source::has_absolute(line, machine))
            {
                findings.push(format!("{path}:{}: {found}", index + 1));
            }
        }
    }
    hold(
        "the project runs on any machine: use a path relative to the root, $HOME or an argument",
        findings,
    );
}

/// Text we write ourselves, as against lock files and published messages.
fn is_ours(path: &str) -> bool {
    let end = path.rsplit('.').next().unwrap_or_default();
    matches!(end, "rs" | "md" | "toml" | "py" | "js" | "sh" | "json") || path.ends_with("/run")
}

#[test]
fn the_rules_find_planted_faults() {
    assert!(layer_fault("wire", "transport").is_some());
    assert!(layer_fault("wire", "document").is_some());
    assert!(layer_fault("transport", "wire").is_none());
    assert!(layer_fault("broker", "store").is_none());
    let long = format!(
        "fn long(a: [u8; 2]) -> bool {{\n{}}}\nfn next();\n",
        "    work();\n".repeat(80)
    );
    let source = Source::new(
        "src/wire/frame.rs",
        &format!("//! fn in_comment() {{\n{long}"),
    );
    let functions = source.functions();
    assert_eq!(functions.len(), 1);
    assert_eq!(
        (
            functions[0].name.as_str(),
            functions[0].line,
            functions[0].lines
        ),
        ("long", 2, 82)
    );
}
