"""python3 -m unittest discover perf: the parts of perf/compare that work without a server."""

import unittest

from comparing import bench, measure, report, scenarios


def run(round_number, scenario, server, cpu_ns):
    return {"round": round_number, "scenario": scenario, "server": server, "cpu_ns": cpu_ns,
            "messages_per_s": 1e6, "p50_us": 10.0, "p99_us": 20.0, "server_busy": 0.9}


MACHINE = {"at": "2000-01-01", "cpu": "x", "kernel": "y", "commit": "0" * 40, "changed": False,
           "rustc": "z", "cores": 2, "load_average": 0.0, "rounds": 2, "duration_s": 1}


class Figures(unittest.TestCase):
    def test_units_come_from_the_names(self):
        flat = bench.figures('{"messages": 10, "elapsed_s": 2.0, "latency_us": {"p50": 3, "p99": 7, "p99_9": 9}}', 5)
        self.assertEqual(flat, {"messages": 10, "elapsed_s": 2.0, "p50_us": 3, "p99_us": 7})
        self.assertEqual(bench.figures('{"replies": 4, "p99_ns": 1500}', 5)["p99_us"], 1.5)

    def test_errors_and_missing_counts_are_failures(self):
        for text in ('{"messages": 10, "errors": 1}', '{"p99_ns": 1}', '{"messages": 0}', "no json"):
            with self.assertRaises(ValueError):
                bench.figures(text, 5)


class Cpu(unittest.TestCase):
    def test_set_up_is_not_counted(self):
        samples = [(0.0, 0), (1.0, 500), (2.0, 600), (3.0, 700)]
        self.assertEqual(measure.at(samples, 1.0), 500)
        self.assertEqual(measure.at(samples, 1.5), 550)
        self.assertEqual(measure.at(samples, -1.0), 0)


class Tables(unittest.TestCase):
    def test_ratios_pair_runs_of_one_round(self):
        runs = [run(1, "tcp-64x16", "bare", 500), run(1, "tcp-64x16", "ours", 600),
                run(2, "tcp-64x16", "bare", 1000), run(2, "tcp-64x16", "ours", 1300)]
        table = report.table(MACHINE, scenarios.chosen("tcp-64x16", "bare,ours")[:1], runs)
        self.assertIn("| ≤ 1.25x | 1.25 [1.20 … 1.30]x | met |", table)
        self.assertIn("| ours | 950 [600 … 1,300] | 1.25 [1.20 … 1.30]x |", table)

    def test_a_failed_run_is_shown_with_its_reason(self):
        failed = {"round": 1, "scenario": "tcp-1x1", "server": "glommio", "failed": "no | memlock"}
        table = report.table(MACHINE, scenarios.chosen("tcp-1x1", "glommio"), [failed])
        self.assertIn("| glommio | failed: no / memlock |", table)

    def test_every_target_is_measured_by_some_scenario(self):
        measured = {(s.name, server) for s in scenarios.SCENARIOS for server in s.servers}
        for target in scenarios.TARGETS:
            self.assertLessEqual({target.over, target.under}, measured, target.text)


if __name__ == "__main__":
    unittest.main()
