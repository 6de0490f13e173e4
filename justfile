# What CI runs: tests, then lint and types.
default: test lint types

test *args:
    .venv/bin/python -m pytest {{args}}

lint:
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .

types:
    .venv/bin/mypy

# Measure, and print ratios to a named baseline.
bench:
    .venv/bin/python benchmarks/reading.py

# Write docs/tables.md and docs/charts from the declarations.
docs:
    .venv/bin/python docs/make_tables.py
    .venv/bin/python docs/make_charts.py
