"""What is run, and the targets the figures are held against."""

from dataclasses import dataclass, replace

FRAMED = ("bare", "ours", "tokio", "monoio", "glommio", "compio")


@dataclass(frozen=True)
class Scenario:
    """One load, given to one or more servers."""

    name: str
    servers: tuple
    transport: str  # tcp, ws or grpc
    connections: int
    in_flight: int  # per connection
    op: str = "ping"  # ping, query or insert
    payload_bytes: int = 0  # padding in each request


SCENARIOS = (
    Scenario("tcp-64x16", FRAMED, "tcp", 64, 16),
    Scenario("tcp-64x1", FRAMED, "tcp", 64, 1),
    Scenario("tcp-1x1", FRAMED, "tcp", 1, 1),
    Scenario("tcp-64x16-4k", FRAMED, "tcp", 64, 16, payload_bytes=4096),
    Scenario("tcp-32x8", ("ours",), "tcp", 32, 8),
    Scenario("ws-64x16", ("ours",), "ws", 64, 16),
    Scenario("grpc-32x8", ("ours", "tonic"), "grpc", 32, 8),
    Scenario("grpc-32x8-4k", ("ours", "tonic"), "grpc", 32, 8, payload_bytes=4096),
    Scenario("query-64x16", ("ours",), "tcp", 64, 16, op="query"),
    Scenario("insert-16x16", ("ours",), "tcp", 16, 16, op="insert"),
)


@dataclass(frozen=True)
class Target:
    """A ratio of two figures of the same round: `over` divided by `under`."""

    text: str
    over: tuple  # scenario, server
    under: tuple
    figure: str  # cpu_ns or p99_us
    bound: float
    at_most: bool

    def met(self, ratio):
        return ratio <= self.bound if self.at_most else ratio >= self.bound

    def bound_text(self):
        return f"{'≤' if self.at_most else '≥'} {self.bound:g}x"


PING, GRPC = ("tcp-64x16", "ours"), ("grpc-32x8", "ours")

TARGETS = (
    Target("ping over TCP, 64 × 16: CPU per message, ours / bare io_uring", PING, ("tcp-64x16", "bare"), "cpu_ns", 1.25, True),
    Target("WebSocket / TCP, 64 × 16: CPU per message", ("ws-64x16", "ours"), PING, "cpu_ns", 1.3, True),
    Target("gRPC stream / TCP, 32 × 8: CPU per message", GRPC, ("tcp-32x8", "ours"), "cpu_ns", 2.0, True),
    Target("gRPC stream, 32 × 8: messages per CPU second, ours / tonic", ("grpc-32x8", "tonic"), GRPC, "cpu_ns", 2.0, False),
    Target("TCP, 1 × 1: p99, ours / bare io_uring", ("tcp-1x1", "ours"), ("tcp-1x1", "bare"), "p99_us", 1.15, True),
    Target("query by _id / ping, 64 × 16: CPU per message", ("query-64x16", "ours"), PING, "cpu_ns", 2.5, True),
)

# Whose CPU per message the other servers of a scenario are compared with.
BASES = ("bare", "tonic")


def chosen(prefix, servers):
    """The scenarios whose name starts with `prefix`, with only the named servers, if any."""
    wanted = set(filter(None, servers.split(",")))
    plan = []
    for scenario in SCENARIOS:
        kept = tuple(s for s in scenario.servers if not wanted or s in wanted)
        if scenario.name.startswith(prefix) and kept:
            plan.append(replace(scenario, servers=kept))
    return plan
