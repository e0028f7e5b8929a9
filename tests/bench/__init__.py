"""Benchmarks: ours against the limit of the same machine in the same run, printed as ratios. Nothing here is a test."""
