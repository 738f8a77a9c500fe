"""What is written down: the machine, one line per run, and the table people read."""

import datetime
import json
import os
import platform
import statistics
import subprocess

from . import scenarios


def json_line(value):
    return json.dumps(value, ensure_ascii=False) + "\n"


def output_of(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def machine(options):
    """What a reader needs to judge the figures; no names and no paths."""
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        models = [line.split(":", 1)[1].strip() for line in info if line.startswith("model name")]
    return {
        "at": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "commit": output_of("git", "rev-parse", "HEAD"),
        "changed": bool(output_of("git", "status", "--porcelain", "--untracked-files=no")),
        "kernel": platform.release(),
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "rustc": output_of("rustc", "--version"),
        "load_average": os.getloadavg()[0],
        "rounds": options.rounds,
        "duration_s": options.duration,
    }


def command_text(machine, command):
    lines = [command, ""]
    return "\n".join(lines + [f"{key}: {value}" for key, value in machine.items()]) + "\n"


def progress(run):
    start = f"round {run['round']}  {run['scenario']:<14} {run['server']:<8}"
    if "failed" in run:
        return f"{start} failed: {run['failed'].splitlines()[0]}"
    return f"{start} {run['messages_per_s']:>10,.0f} msg/s {run['cpu_ns']:>8,.0f} ns CPU/msg"


def table(machine, plan, runs):
    good = {(r["round"], r["scenario"], r["server"]): r for r in runs if "failed" not in r}
    text = [
        f"# {machine['at'][:10]}: {machine['cpu']}, kernel {machine['kernel']}",
        "",
        f"Commit {machine['commit'][:12]}{' with changes' if machine['changed'] else ''}, {machine['rustc']}, "
        f"{machine['cores']} cores, load average {machine['load_average']:.1f} at the start; "
        f"rounds: {machine['rounds']} of {machine['duration_s']} s, interleaved; server and load on a core each.",
        "Median [lowest … highest]. Ratios are of runs of the same round.",
        "",
        "## Targets",
        "",
        "| what | target | measured | |",
        "| --- | --- | --- | --- |",
        *(target_row(target, good) for target in scenarios.TARGETS),
        "",
        "Envelope scan against prost and durable inserts against LMDB are measured by `cargo bench`.",
    ]
    for scenario in plan:
        text += scenario_rows(scenario, good, runs)
    return "\n".join(text) + "\n"


def target_row(target, good):
    ratios = round_ratios(good, target.over, target.under, target.figure)
    if not ratios:
        return f"| {target.text} | {target.bound_text()} | not measured | |"
    verdict = "met" if target.met(statistics.median(ratios)) else "**missed**"
    return f"| {target.text} | {target.bound_text()} | {spread(ratios, '.2f')}x | {verdict} |"


def round_ratios(good, over, under, figure):
    """One ratio per round in which both were measured."""
    ratios = []
    for round_number in sorted({key[0] for key in good}):
        pair = [good.get((round_number, *who), {}).get(figure) for who in (over, under)]
        if all(pair):
            ratios.append(pair[0] / pair[1])
    return ratios


def scenario_rows(scenario, good, runs):
    base = next((server for server in scenario.servers if server in scenarios.BASES), None)
    load = f"{scenario.op} over {scenario.transport}, {scenario.connections} connections × {scenario.in_flight} in flight"
    padding = f", {scenario.payload_bytes} B of padding" if scenario.payload_bytes else ""
    rows = [
        "",
        f"## {scenario.name}: {load}{padding}",
        "",
        f"| server | CPU ns/message | against {base or '—'} | messages/s | p50 µs | p99 µs | core busy |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for server in scenario.servers:
        mine = [r for key, r in good.items() if key[1:] == (scenario.name, server)]
        if not mine:
            reason = next((r["failed"] for r in runs if (r["scenario"], r["server"]) == (scenario.name, server)), "not run")
            rows.append(f"| {server} | failed: {cell(reason)} | | | | | |")
            continue
        ratios = round_ratios(good, (scenario.name, server), (scenario.name, base), "cpu_ns") if base else []
        cells = [spread([r["cpu_ns"] for r in mine], ",.0f"), spread(ratios, ".2f") + "x" if ratios else ""]
        cells += [spread([r[name] for r in mine if r[name] is not None], form) for name, form in COLUMNS]
        rows.append(f"| {server} | {' | '.join(cells)} |")
    return rows


COLUMNS = (("messages_per_s", ",.0f"), ("p50_us", ",.1f"), ("p99_us", ",.1f"), ("server_busy", ".0%"))


def cell(text):
    return " ".join(text.split())[:120].replace("|", "/")


def spread(values, form):
    if not values:
        return ""
    median = format(statistics.median(values), form)
    if len(values) == 1:
        return median
    return f"{median} [{format(min(values), form)} … {format(max(values), form)}]"
