"""Runs: files become tables, in memory or as a folder on disk.

Holds the reading of logs and JSON files into the declared tables, run folders, exports, and what is to be said of how
lines were read. May import `tuning`, `tables` and the parsers. Hands out `open_run` and `Run`, which is data alone.
"""
