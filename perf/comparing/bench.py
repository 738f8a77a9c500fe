"""The load tool: the one place that knows its options, and the one that knows its JSON."""

import json
import os
import re
import subprocess

from . import servers

TOOL = "target/release/opencore"
# Beyond the run itself: connecting, signing in, inserting what is queried, reporting.
EXTRA_TIMEOUT_S = 120
UNITS_US = {"ns": 1e-3, "us": 1.0, "ms": 1e3, "s": 1e6}
COUNTS = ("messages", "replies", "requests", "answered", "count", "total")
TIMES = (("elapsed_s", 1), ("measured_s", 1), ("seconds", 1), ("duration_s", 1), ("elapsed_ms", 1e-3), ("elapsed_ns", 1e-9))


def command(tool, scenario, server, port, duration):
    """The load's command line."""
    path = "/ws/v2" if scenario.transport == "ws" else ""
    expect = "echo" if server in servers.PEERS else "reply"
    line = [tool, "bench", "--url", f"{scenario.transport}://127.0.0.1:{port}{path}", "--op", scenario.op]
    line += ["--connections", str(scenario.connections), "--in-flight", str(scenario.in_flight)]
    if scenario.payload_bytes:
        line += ["--payload", str(scenario.payload_bytes)]
    return [*line, "--duration", str(duration), "--expect", expect, "--json"]


def figures(text, duration):
    """What a run's comparison needs out of the tool's JSON: messages, elapsed_s, p50_us, p99_us.

    Raises ValueError when the tool counted errors or told no message count.
    """
    flat = dict(_flattened(json.loads(text.strip().splitlines()[-1])))
    errors = [f"{key} {value}" for key, value in flat.items() if "error" in key and isinstance(value, (int, float)) and value]
    if errors:
        raise ValueError(f"the load tool counted {', '.join(errors)}")
    messages = next((flat[key] for key in COUNTS if key in flat), None)
    if not messages:
        raise ValueError(f"no message count in {sorted(flat)}")
    elapsed_s = next((flat[key] * unit for key, unit in TIMES if key in flat), float(duration))
    return {
        "messages": messages,
        "elapsed_s": elapsed_s,
        "p50_us": _quantile_us(flat, "p50"),
        "p99_us": _quantile_us(flat, "p99"),
    }


def _flattened(value, name=""):
    if not isinstance(value, dict):
        yield name, value
        return
    for key, inner in value.items():
        yield from _flattened(inner, f"{name}_{key}" if name else key)


def _quantile_us(flat, quantile):
    """The quantile in microseconds, by the unit in its name: p99_ns, latency_us_p99."""
    for key, value in flat.items():
        parts = re.split(r"[_.]", key)
        unit = next((part for part in parts if part in UNITS_US), None)
        if quantile in parts and unit and isinstance(value, (int, float)):
            return value * UNITS_US[unit]
    return None


def credentials(tool, server):
    """Environment of the load: a token for our server, nothing for an echo.

    A token, not a password: 64 password hashes would be most of the CPU of a short run.
    """
    environment = dict(os.environ)
    if server.name != "ours":
        return environment
    signin = {"OPENIAP_USERNAME": "root", "OPENIAP_PASSWORD": servers.ROOT_PASSWORD}
    line = [tool, "token", "root", "--url", f"tcp://127.0.0.1:{server.port}"]
    made = subprocess.run(line, env={**environment, **signin}, capture_output=True, text=True, timeout=60)
    words = made.stdout.split()
    if made.returncode == 0 and words:
        return {**environment, "OPENIAP_JWT": words[-1]}
    return {**environment, **signin}
