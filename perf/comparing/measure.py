"""Running the plan: rounds × scenarios × servers, interleaved."""

import subprocess
import time

from . import bench
from .servers import Server

# Between two readings of the server's CPU clock while the load runs.
SAMPLE_INTERVAL_S = 0.02


def all_runs(plan, options):
    """Yields one record per run, failed ones with their reason under "failed"."""
    for round_number in range(1, options.rounds + 1):
        for scenario in plan:
            for name in turned(scenario.servers, round_number):
                record = {"round": round_number, "scenario": scenario.name, "server": name}
                try:
                    record.update(one_run(scenario, name, options))
                except (OSError, RuntimeError, ValueError, subprocess.TimeoutExpired) as reason:
                    record["failed"] = str(reason)
                yield record


def turned(servers, round_number):
    """The servers, starting with another one each round: nobody always follows the same one."""
    start = round_number % len(servers)
    return servers[start:] + servers[:start]


def one_run(scenario, name, options):
    """Starts the server, loads it, and sets its CPU time against the messages."""
    with Server(name, options.server_core) as server:
        tool = ["taskset", "-c", str(options.load_core)]
        line = bench.command(options.load_tool, scenario, name, server.port, options.duration)
        environment = bench.credentials(options.load_tool, server)
        samples, out = sampled([*tool, *line], environment, server, options.duration)
        figures = bench.figures(out, options.duration)
    ended_at, cpu_at_end = samples[-1]
    cpu_ns = cpu_at_end - at(samples, ended_at - figures["elapsed_s"])
    return {
        "command": " ".join(line),
        **figures,
        "messages_per_s": figures["messages"] / figures["elapsed_s"],
        "cpu_ns": cpu_ns / figures["messages"],
        "server_busy": cpu_ns / 1e9 / figures["elapsed_s"],
        "tool": out.strip().splitlines()[-1],
    }


def sampled(line, environment, server, duration):
    """Runs the load; returns readings (seconds, CPU ns) of the server and the load's output."""
    load = subprocess.Popen(line, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + duration + bench.EXTRA_TIMEOUT_S
    samples = []
    while load.poll() is None:
        samples.append((time.monotonic(), server.cpu_ns()))
        if time.monotonic() > deadline:
            load.kill()
            load.wait()
            raise RuntimeError("the load tool did not end in time")
        time.sleep(SAMPLE_INTERVAL_S)
    samples.append((time.monotonic(), server.cpu_ns()))
    out, complaint = load.communicate()
    if load.returncode != 0:
        raise RuntimeError(f"the load tool ended with {load.returncode}: {complaint.strip()[-2000:]}")
    return samples, out


def at(samples, moment):
    """The CPU reading at `moment`, between two samples by proportion.

    The load measures up to its end, so what lies before is its set-up (connecting, signing
    in, inserting what it queries) and is not counted.
    """
    before = samples[0]
    for after in samples:
        if after[0] >= moment:
            span = after[0] - before[0]
            share = max(0.0, (moment - before[0]) / span) if span else 1.0
            return before[1] + share * (after[1] - before[1])
        before = after
    return before[1]
