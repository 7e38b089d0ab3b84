"""Columns: the entries as day-partitioned Parquet under `HOME/derived/parquet`, one table a view, derived and rebuildable.

`store.ColumnStore` is the door. It is imported by name, since DuckDB must stay out of the processes that serve callers.
"""
