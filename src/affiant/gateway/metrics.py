"""A few counters for Prometheus. They hold no names of tenants, keys or people, because anyone who reaches the port may read them."""

from __future__ import annotations

from collections import Counter

from affiant.gateway.evidence import Ticket


class Metrics:
    """Counters of one worker."""

    def __init__(self) -> None:
        self._closed: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._tokens_in = self._tokens_out = 0

    def closed(self, outcome: str) -> None:
        """An opened exchange ended."""
        self._closed[outcome] += 1

    def refused(self, code: str) -> None:
        """A caller got an error."""
        self._refused[code] += 1

    def answered(self, ticket: Ticket) -> None:
        """An answer left."""
        self._tokens_in += ticket.tokens_in
        self._tokens_out += ticket.tokens_out

    def text(self, worker: str, open_now: int, epoch: int, ready: bool) -> bytes:
        """Prometheus text format, of this worker only."""
        label = f'worker="{worker}"'
        lines = [
            "# TYPE affiant_exchanges_closed_total counter",
            *(f'affiant_exchanges_closed_total{{{label},outcome="{name}"}} {n}' for name, n in sorted(self._closed.items())),
            "# TYPE affiant_errors_total counter",
            *(f'affiant_errors_total{{{label},code="{name}"}} {n}' for name, n in sorted(self._refused.items())),
            "# TYPE affiant_tokens_total counter",
            f'affiant_tokens_total{{{label},direction="in"}} {self._tokens_in}',
            f'affiant_tokens_total{{{label},direction="out"}} {self._tokens_out}',
            "# TYPE affiant_exchanges_open gauge",
            f"affiant_exchanges_open{{{label}}} {open_now}",
            "# TYPE affiant_snapshot_epoch gauge",
            f"affiant_snapshot_epoch{{{label}}} {epoch}",
            "# TYPE affiant_ready gauge",
            f"affiant_ready{{{label}}} {int(ready)}",
            "",
        ]
        return "\n".join(lines).encode()
