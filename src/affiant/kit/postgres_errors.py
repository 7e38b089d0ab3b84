"""Which errors of asyncpg mean what, for whoever speaks to PostgreSQL: records, the ledger on servers, and tests of controls.

Leaves out: the words for a person, which say what was not done.
"""

from __future__ import annotations

import asyncpg

LOST = (
    asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.QueryCanceledError, OSError, TimeoutError,
)  # fmt: skip
"""The connection is gone, hangs, or no longer knows what it waits for, as asyncpg's are now and then while their server dies."""
PASSING = ("08", "25", "28", "40", "53", "55", "57", "58")
"""Classes of SQLSTATE that a later try may not meet."""
