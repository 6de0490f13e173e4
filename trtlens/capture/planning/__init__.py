"""Runs models for `trtlens plan`: emulates types, measures what they cost in accuracy, writes the typed model, proves it."""
