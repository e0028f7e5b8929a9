"""Benchmarks: the program against the limit of the same machine in the same run, printed as ratios. No tests."""
