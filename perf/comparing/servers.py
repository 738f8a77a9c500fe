"""Starting a server on its core, reading its CPU clock, ending it."""

import os
import socket
import subprocess
import tempfile
import time

START_TIMEOUT_S = 30
END_TIMEOUT_S = 15
# Of a server that lives for one run, on a data folder that is thrown away.
ROOT_PASSWORD = "for-this-run-only"

PEERS = {
    "bare": "bare",
    "tokio": "tokio-echo",
    "monoio": "monoio-echo",
    "glommio": "glommio-echo",
    "compio": "compio-echo",
    "tonic": "tonic-echo",
}
OURS = "target/release/opencore"


def command(name, port, core, data):
    """The server's command line, relative to the root of the repository."""
    if name in PEERS:
        return [f"perf/peers/target/release/{PEERS[name]}", "--port", str(port), "--core", str(core)]
    ours = [OURS, "serve", "--listen", f"127.0.0.1:{port}", "--data", data, "--shards", "1"]
    return [*ours, "--driver", "io_uring", "--pipe", f"compare-{port}", "--set", "log=warn"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """One server process on one core, with a data folder of its own; a context manager."""

    def __init__(self, name, core):
        self.name, self.core, self.port = name, core, free_port()
        self.data = tempfile.TemporaryDirectory(prefix="compare-")
        self.log = tempfile.TemporaryFile(mode="w+")
        self.process = None

    def __enter__(self):
        line = ["taskset", "-c", str(self.core), *command(self.name, self.port, self.core, self.data.name)]
        environment = {**os.environ, "OPENCORE_ROOT_PASSWORD": ROOT_PASSWORD}
        self.process = subprocess.Popen(line, stdout=self.log, stderr=self.log, env=environment)
        try:
            self._wait_until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _wait_until_ready(self):
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended at its start: {self._said()}")
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise RuntimeError(f"{self.name} did not listen within {START_TIMEOUT_S} s: {self._said()}")

    def _said(self):
        self.log.seek(0)
        return self.log.read()[-2000:].strip()

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.data.cleanup()
        self.log.close()

    def cpu_ns(self):
        """CPU time of all its threads, user and system, in nanoseconds.

        The process's CPU clock counts what utime + stime of /proc/PID/stat count, without
        their grain of 10 ms. The clock's number is Linux's: the inverted id, kind "sched".
        """
        return time.clock_gettime_ns((~self.process.pid << 3) | 2)
