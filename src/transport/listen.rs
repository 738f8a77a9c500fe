//! Listening sockets: TCP addresses and pipes.
//!
//! On Unix a pipe named N is the socket `/tmp/CoreFxPipe_N`, where .NET and the
//! published clients look for it (design, part 3).

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::rc::Rc;

use socket2::{Domain, Protocol, Socket, Type};

use super::Accepted;
use crate::error::{Code, Error, Origin, Result, Retry};
use crate::seam::Seam;

/// A socket that is bound and listens, not yet on any ring.
pub enum Listener {
    Tcp(std::net::TcpListener),
    Pipe(UnixListener, PathBuf),
}

/// Connections the kernel queues before they are accepted.
const BACKLOG: i32 = 4096;

impl Listener {
    /// Errors: the address is taken or not ours; the text names the remedy.
    pub fn tcp(address: SocketAddr) -> Result<Self> {
        let bind = || -> std::io::Result<std::net::TcpListener> {
            let socket = Socket::new(
                Domain::for_address(address),
                Type::STREAM,
                Some(Protocol::TCP),
            )?;
            socket.set_reuse_address(true)?;
            socket.bind(&address.into())?;
            socket.listen(BACKLOG)?;
            Ok(socket.into())
        };
        bind()
            .map(Self::Tcp)
            .map_err(|error| refused(&format!("{address}"), &error))
    }

    /// Errors: another server answers on the pipe, or its path cannot be bound.
    pub fn pipe(name: &str) -> Result<Self> {
        let path = PathBuf::from(pipe_path(name));
        // A stale socket file of a killed server is removed; one that answers is not ours to remove.
        if std::fs::symlink_metadata(&path).is_ok_and(|file| file.file_type().is_socket()) {
            if UnixStream::connect(&path).is_ok() {
                let taken = std::io::Error::from(std::io::ErrorKind::AddrInUse);
                return Err(refused(
                    &format!("pipe {name} ({})", path.display()),
                    &taken,
                ));
            }
            std::fs::remove_file(&path).ok();
        }
        let listener = UnixListener::bind(&path)
            .map_err(|error| refused(&format!("pipe {name} ({})", path.display()), &error))?;
        // Local clients of any account may connect, as on the TCP port; they still have to sign in.
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o666)).ok();
        Ok(Self::Pipe(listener, path))
    }

    /// The address for the banner: the port is the real one when 0 was asked for.
    pub fn address(&self) -> String {
        match self {
            Self::Tcp(listener) => listener
                .local_addr()
                .map_or_else(|_| "?".into(), |address| address.to_string()),
            Self::Pipe(_, path) => path.display().to_string(),
        }
    }

    /// Accepts until the ring ends, handing every connection to `deal`.
    pub async fn accept_all(
        self,
        seam: &dyn Seam,
        deal: Rc<dyn Fn(Accepted)>,
    ) -> std::io::Result<()> {
        match self {
            Self::Tcp(listener) => {
                let listener = compio::net::TcpListener::from_std(listener)?;
                loop {
                    match listener.accept().await {
                        Ok((stream, peer)) => match detach(&stream) {
                            Ok(fd) => deal(Accepted {
                                fd,
                                unix: false,
                                remote: peer.ip().to_canonical().to_string(),
                            }),
                            Err(error) => pause(seam, &error).await,
                        },
                        Err(error) => pause(seam, &error).await,
                    }
                }
            }
            Self::Pipe(listener, _) => {
                let listener = compio::net::UnixListener::from_std(listener)?;
                loop {
                    match listener.accept().await {
                        Ok((stream, _)) => match detach(&stream) {
                            Ok(fd) => deal(Accepted {
                                fd,
                                unix: true,
                                remote: "local".into(),
                            }),
                            Err(error) => pause(seam, &error).await,
                        },
                        Err(error) => pause(seam, &error).await,
                    }
                }
            }
        }
    }
}

/// A descriptor of its own for the connection: it moves to another shard's ring.
fn detach(stream: &impl std::os::fd::AsFd) -> std::io::Result<OwnedFd> {
    stream.as_fd().try_clone_to_owned()
}

/// Out of descriptors or memory: keep old connections, wait, accept again.
async fn pause(seam: &dyn Seam, error: &std::io::Error) {
    tracing::warn!(
        "accept failed, trying again: {error}; if descriptors ran out, raise `ulimit -n`"
    );
    seam.sleep(std::time::Duration::from_millis(50)).await;
}

/// The file of a pipe, where .NET and the published clients look for it.
pub fn pipe_path(name: &str) -> String {
    match cfg!(windows) {
        true => format!(r"\\.\pipe\{name}"),
        false => format!("/tmp/CoreFxPipe_{name}"),
    }
}

fn refused(what: &str, error: &std::io::Error) -> Error {
    let remedy = match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "another program listens there: stop it, or choose another with --listen or --pipe"
        }
        std::io::ErrorKind::PermissionDenied => {
            "not allowed: ports below 1024 need the capability CAP_NET_BIND_SERVICE (see tuning/), or choose a higher port with --listen"
        }
        std::io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address: choose one of its own with --listen"
        }
        _ => "choose another address with --listen or --pipe",
    };
    Error {
        code: Code::Unavailable,
        origin: Origin::Server,
        retry: Retry::Never,
        context: format!("cannot listen on {what}: {remedy}").into(),
        cause: Some(Box::new(std::io::Error::new(
            error.kind(),
            error.to_string(),
        ))),
    }
}
