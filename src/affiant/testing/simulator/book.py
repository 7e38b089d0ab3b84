"""What the simulator saw: every opaque request id, and requests and tokens per provider, account and day.

An account is the label of a Bearer key: given at start, else `acct-` and eight hex digits of the key's SHA-256.
Leaves out: limits and billing; a real provider's own count is what it stands for.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

USAGE_COLUMNS = ("provider", "account", "day", "requests", "tokens", "held")


@dataclass(slots=True)
class Seen:
    """One request as the simulator saw it.

    Args:
        id: the caller's `x-affiant-request`, "" if none.
        provider: first path segment of the URL, `sim` without one.
        account: whose key.
        model: upstream model name asked for.
        status: HTTP status answered, 0 while none was.
        completed: whether the last byte of a 200 answer was handed to the socket.
        tokens_in: counted in the request.
        tokens_out: counted in the answer.
    """

    id: str
    provider: str
    account: str
    model: str
    status: int = 0
    completed: bool = False
    tokens_in: int = 0
    tokens_out: int = 0

    def row(self) -> list[str | int]:
        """As `/sim/seen` gives it: id, provider, account, model, status, completed 0/1, tokens in, tokens out."""
        return [self.id, self.provider, self.account, self.model, self.status, int(self.completed), self.tokens_in, self.tokens_out]


class Book:
    """Counts in memory, optionally kept in a JSON file. Ids are in memory only and at most `max_ids`.

    Args:
        accounts: key secret -> account label.
        path: where counts are kept between starts.
        max_ids: requests remembered one by one; later ones are only counted.
    """

    def __init__(self, accounts: Mapping[str, str] | None = None, path: Path | None = None, max_ids: int = 1_000_000) -> None:
        self._labels = dict(accounts or {})
        self._path = path
        self._max_ids = max_ids
        self._counts: dict[tuple[str, str, int], list[int]] = {}
        self._dirty = False
        self.requests: list[Seen] = []
        if path is not None and path.exists():
            self._load(path)

    def account_of(self, secret: str) -> str:
        """The label of a key's account."""
        label = self._labels.get(secret)
        if label is None:
            label = self._labels[secret] = "acct-" + hashlib.sha256(secret.encode()).hexdigest()[:8]
        return label

    def begin(self, seen: Seen, now_us: int) -> None:
        """Count a request on arrival: a provider bills what it received, whatever became of it."""
        if len(self.requests) < self._max_ids:
            self.requests.append(seen)
        slot = self._slot(seen, now_us)
        slot[0] += 1
        slot[1] += seen.tokens_in
        self._dirty = True

    def finish(self, seen: Seen, now_us: int) -> None:
        """Count the tokens of an answer whose last byte was handed over."""
        seen.completed = True
        self._slot(seen, now_us)[1] += seen.tokens_out
        self._dirty = True

    def forget(self) -> None:
        """Drop the ids seen so far; counts stay."""
        self.requests.clear()

    def usage_csv(self, days: Iterable[int] | None, provider: str, held: frozenset[str] | None) -> str:
        """Usage as `affiant usage import` reads it: one line per provider, account and day.

        Args:
            days: yyyymmdd to give, or None for all.
            provider: only this one, or "" for all.
            held: account labels that the asking gateway holds; None marks all as held.
        """
        wanted = None if days is None else set(days)
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(USAGE_COLUMNS)
        for (name, account, day), (requests, tokens) in sorted(self._counts.items()):
            if (wanted is None or day in wanted) and provider in ("", name):
                writer.writerow((name, account, day, requests, tokens, int(held is None or account in held)))
        return out.getvalue()

    def save(self) -> None:
        """Write the counts if they changed and a file was given."""
        if self._path is None or not self._dirty:
            return
        data = {"v": 1, "counts": [[*key, *value] for key, value in sorted(self._counts.items())]}
        temporary = self._path.with_suffix(".tmp")
        temporary.write_text(json.dumps(data), encoding="utf-8")
        os.replace(temporary, self._path)
        self._dirty = False

    def _load(self, path: Path) -> None:
        for provider, account, day, requests, tokens in json.loads(path.read_text(encoding="utf-8"))["counts"]:
            self._counts[(provider, account, day)] = [requests, tokens]

    def _slot(self, seen: Seen, now_us: int) -> list[int]:
        moment = datetime.fromtimestamp(now_us / 1e6, UTC)
        key = (seen.provider, seen.account, moment.year * 10_000 + moment.month * 100 + moment.day)
        return self._counts.setdefault(key, [0, 0])
