"""Rooms of perf/compare: what is run, how a server starts, how the load is called, the report."""
