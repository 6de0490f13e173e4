"""Tracing: every kernel that an engine launches, recorded by CUPTI in a process that does nothing else."""
