"""Builds: from a network and options to an engine, with the verbose log that says how."""
