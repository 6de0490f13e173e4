"""Many runs in one dataset: Parquet files that a manifest names, filled by Dask, asked by DuckDB.

A fleet is a folder, or a prefix of an object store. May import everything but the commands; duckdb, dask, distributed and
fsspec (the extra ``fleet``) only inside functions. Hands out `trtlens.fleet.fleet.open_fleet` and what the commands
``trtlens fleet`` do.
"""
