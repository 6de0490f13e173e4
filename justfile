# What CI runs: tests, then lint and types.
default: test lint types

test *args:
    .venv/bin/python -m pytest {{args}}

# Write fixtures/expected anew, and print what changed.
golden:
    .venv/bin/python -m pytest tests/golden --update-golden

lint:
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .
    .venv/bin/lint-imports

types:
    .venv/bin/mypy

# Are the types of everything public complete for who uses them?
types-public:
    .venv/bin/pip install -q pyright
    .venv/bin/pyright --verifytypes trtlens --ignoreexternal

# Measure, and print ratios to a named baseline.
bench:
    .venv/bin/python benchmarks/reading.py

# Which wrong answers would the tests notice? Takes an hour or more.
mutate *args:
    .venv/bin/python -m benchmarks.mutate {{args}}

# How long until trtlens answers someone who just installed it?
stranger *args:
    .venv/bin/python benchmarks/stranger.py {{args}}

# Feed every reader damaged files.
fuzz *args:
    .venv/bin/python benchmarks/fuzz.py {{args}}

# Write docs/tables.md, docs/findings.md and docs/charts from the declarations, and what commands print into README and docs.
docs:
    .venv/bin/python docs/make_tables.py
    .venv/bin/python docs/make_flags.py
    .venv/bin/python docs/make_findings.py
    .venv/bin/python docs/make_charts.py
    .venv/bin/python docs/transcripts.py

# Is this checkout a release? Builds it and tries wheel and sdist with each Python of the machine; takes some minutes.
release-check *args:
    .venv/bin/pip install -q -e '.[release]'
    PATH="$PWD/.venv/bin:$PATH" .venv/bin/python benchmarks/release.py {{args}}

# Build the site into ./site and say what is wrong with it.
site:
    .venv/bin/mkdocs build --strict --clean
