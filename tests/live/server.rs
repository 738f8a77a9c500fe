//! A server process with its own data folder, port and pipe; stopped by its pid.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

pub const ROOT_PASSWORD: &str = "correct horse battery staple";

/// Longest a server may take to start or stop; a bound against hanging, not a measure.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Server {
    child: Child,
    pub port: u16,
    pub pipe: String,
    pub data: PathBuf,
    /// Root's token, once a client has it.
    pub root_token: Arc<Mutex<Option<String>>>,
    log: Arc<Mutex<String>>,
    _folder: Option<tempfile::TempDir>,
}

/// How a server is started.
#[derive(Default, Clone)]
pub struct Options {
    /// Keeps its data here; a fresh folder otherwise.
    pub data: Option<PathBuf>,
    pub arguments: Vec<String>,
    pub environment: Vec<(String, String)>,
}

impl Options {
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.arguments
            .extend(["--set".into(), format!("{name}={value}")]);
        self
    }

    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.into());
        self
    }

    pub fn data(mut self, data: &Path) -> Self {
        self.data = Some(data.to_owned());
        self
    }

    pub fn start(self) -> Server {
        Server::spawn(self).expect("the server starts")
    }
}

/// The server under test: what cargo built, or what `OPENCORE_BIN` names.
pub fn binary() -> PathBuf {
    std::env::var_os("OPENCORE_BIN")
        .map_or_else(|| env!("CARGO_BIN_EXE_opencore").into(), PathBuf::from)
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .expect("a port")
        .local_addr()
        .expect("an address")
        .port()
}

impl Server {
    pub fn start() -> Server {
        Options::default().start()
    }

    /// Starts a server and waits until it is ready; what it printed when it does not become so.
    pub fn spawn(options: Options) -> Result<Server, String> {
        let folder = options
            .data
            .is_none()
            .then(|| tempfile::tempdir().expect("a folder"));
        let data = options
            .data
            .unwrap_or_else(|| folder.as_ref().expect("made above").path().join("data"));
        let port = free_port();
        let pipe = format!("octest{}x{port}", std::process::id());
        let mut child = Command::new(binary())
            .args([
                "serve",
                "--listen",
                &format!("127.0.0.1:{port}"),
                "--pipe",
                &pipe,
            ])
            .args(["--shards", "2", "--data"])
            .arg(&data)
            .args(&options.arguments)
            .env("OPENCORE_ROOT_PASSWORD", ROOT_PASSWORD)
            .envs(options.environment)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary runs");
        let log = Arc::new(Mutex::new(String::new()));
        collect(child.stdout.take().expect("piped"), log.clone());
        collect(child.stderr.take().expect("piped"), log.clone());
        let mut server = Server {
            child,
            port,
            pipe,
            data,
            root_token: Arc::default(),
            log,
            _folder: folder,
        };
        match server.wait_ready() {
            true => Ok(server),
            false => {
                std::thread::sleep(Duration::from_millis(100));
                Err(server.log())
            }
        }
    }

    fn wait_ready(&mut self) -> bool {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if self.exited().is_some() {
                return false;
            }
            if self.get("/readyz").is_some_and(|(status, _)| status == 200) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }

    /// The status and body of a page.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        http(
            self.port,
            &format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"),
        )
    }

    pub fn varz(&self) -> serde_json::Value {
        let (_, body) = self.get("/varz").expect("the monitoring page");
        serde_json::from_str(&body).expect("JSON")
    }

    /// Sum of a counter under `closed` over all shards.
    pub fn closed(&self, reason: &str) -> u64 {
        let varz = self.varz();
        let shards = varz["shards"].as_array().expect("shards");
        shards
            .iter()
            .filter_map(|shard| shard["closed"][reason].as_u64())
            .sum()
    }

    /// Waits until this many connections were closed for a reason: a close is counted when
    /// its client has let go, or a second later.
    pub fn wait_closed(&self, reason: &str, count: u64) {
        let started = Instant::now();
        while self.closed(reason) < count {
            assert!(
                started.elapsed() < PATIENCE,
                "{reason}: {} of {count}",
                self.closed(reason)
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn log(&self) -> String {
        self.log.lock().expect("log").clone()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory, bytes.
    pub fn resident_bytes(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("alive");
        let line = status
            .lines()
            .find(|line| line.starts_with("VmRSS:"))
            .expect("VmRSS");
        line.split_whitespace()
            .nth(1)
            .and_then(|kib| kib.parse::<u64>().ok())
            .expect("a number")
            * 1024
    }

    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .args([signal, &self.pid().to_string()])
            .status()
            .expect("kill runs");
        assert!(status.success());
    }

    pub fn exited(&mut self) -> Option<std::process::ExitStatus> {
        self.child.try_wait().expect("a child")
    }

    pub fn wait_exit(&mut self) -> std::process::ExitStatus {
        let started = Instant::now();
        loop {
            if let Some(status) = self.exited() {
                return status;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "the server does not stop: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// SIGKILL: no time to flush anything.
    pub fn kill(&mut self) {
        self.child.kill().expect("alive");
        self.child.wait().expect("a child");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        std::fs::remove_file(format!("/tmp/CoreFxPipe_{}", self.pipe)).ok();
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<_> = log.lines().rev().take(30).collect();
            eprintln!(
                "--- the server's last lines, newest first\n{}",
                tail.join("\n")
            );
        }
    }
}

/// One HTTP/1.1 exchange: status and body.
pub fn http(port: u16, request: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1)?.parse().ok()?;
    let (_, body) = answer.split_once("\r\n\r\n")?;
    Some((status, body.to_owned()))
}

fn collect(stream: impl Read + Send + 'static, log: Arc<Mutex<String>>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut log = log.lock().expect("log");
            log.push_str(&line);
            log.push('\n');
        }
    });
}
