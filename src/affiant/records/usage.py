"""A provider's own count, imported: the independent source that exchanges are reconciled with.

CSV with header `provider,account,day,requests[,tokens][,held]`, or JSON: a list of such objects (or {"rows": [...]}).
`day` is yyyymmdd or yyyy-mm-dd (UTC); `held` says whether the gateway holds that provider key (1 by default).
A bad row stops the whole file, with every bad row named. Leaves out: fetching from a provider's usage API.
"""

from __future__ import annotations

import csv
import datetime
import hashlib
import io
import json
from dataclasses import dataclass
from typing import Any

from affiant.ledger import Draft
from affiant.records.faults import Faults
from affiant.records.fields import as_count, id_fault
from affiant.records.model import UsageResult
from affiant.records.unit import Unit, actor_of

MAX_BYTES = 50_000_000
_NEEDED = ("provider", "account", "day", "requests")
_KNOWN = (*_NEEDED, "tokens", "held")
_HELD = {"": 1, "1": 1, "true": 1, "yes": 1, "0": 0, "false": 0, "no": 0}


@dataclass(frozen=True, slots=True)
class UsageRow:
    """One count: requests (and tokens, 0 if not given) of an account on a UTC day (yyyymmdd)."""

    provider: str
    account: str
    day: int
    requests: int
    tokens: int
    held: int


@dataclass(frozen=True, slots=True)
class UsageFile:
    """A read file: its SHA-256 (hex) and rows."""

    sha: str
    rows: tuple[UsageRow, ...]


def read_usage(data: bytes, name: str) -> UsageFile:
    """Read a file whole.

    Raises:
        FaultyInput: every bad row.
    """
    faults = Faults(name)
    entries = _entries(data, faults)
    faults.stop()
    rows: list[UsageRow] = []
    seen: dict[tuple[str, str, int], str] = {}
    for where, entry in entries:
        row = _row(where, entry, faults)
        if row is None:
            continue
        first = seen.setdefault((row.provider, row.account, row.day), where)
        if first != where:
            faults.add(where, f"counts {row.provider}, {row.account}, {row.day} again; it stands at {first}.")
        rows.append(row)
    if not rows and not faults.items:
        faults.add("file", "holds no rows.")
    faults.stop()
    return UsageFile(hashlib.sha256(data).hexdigest(), tuple(rows))


def _entries(data: bytes, faults: Faults) -> list[tuple[str, dict[str, Any]]]:
    if len(data) > MAX_BYTES:
        faults.add("file", f"has more than {MAX_BYTES} bytes; split it.")
        return []
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        faults.add("file", "is not UTF-8 text.")
        return []
    if text.lstrip()[:1] in ("[", "{"):
        return _json_entries(text, faults)
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip() for name in reader.fieldnames or ()]
        missing = [name for name in _NEEDED if name not in header]
        unknown = [name for name in header if name not in _KNOWN]
        if missing or unknown or len(set(header)) != len(header):
            faults.add("line 1", f"must be the header {','.join(_NEEDED)}[,tokens][,held].")
            return []
        reader.fieldnames = header
        return [(f"line {reader.line_num}", entry) for entry in reader]
    except csv.Error as error:
        faults.add(f"line {reader.line_num}", f"is no CSV: {error}.")
        return []


def _json_entries(text: str, faults: Faults) -> list[tuple[str, dict[str, Any]]]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        faults.add("file", f"is no JSON: {error}.")
        return []
    rows = value.get("rows") if isinstance(value, dict) else value
    if not isinstance(rows, list):
        faults.add("file", "must be a list of rows, or an object with `rows`.")
        return []
    out = []
    for number, entry in enumerate(rows):
        if isinstance(entry, dict):
            out.append((f"rows[{number}]", entry))
        else:
            faults.add(f"rows[{number}]", "must be an object.")
    return out


def _row(where: str, entry: dict[str, Any], faults: Faults) -> UsageRow | None:
    before = len(faults.items)
    for name in entry:
        if name not in _KNOWN:
            faults.add(where, "has more fields than the header." if name is None else f"`{name}` is not a known field.")
    texts = {name: str(entry[name]).strip() for name in _KNOWN if entry.get(name) is not None}
    for name in _NEEDED:
        if not texts.get(name):
            faults.add(where, f"{name} is missing.")
    for name in ("provider", "account"):
        problem = id_fault(texts.get(name) or "x")
        if problem:
            faults.add(where, f"{name}: {problem}")
    day = _day(texts.get("day", ""))
    if texts.get("day") and not day:
        faults.add(where, f"day `{texts['day']}` is no date (yyyymmdd or yyyy-mm-dd).")
    counts = {name: as_count(texts.get(name) or "0") for name in ("requests", "tokens")}
    for name, count in counts.items():
        if count is None:
            faults.add(where, f"{name} `{texts[name]}` is no whole number.")
    held = _HELD.get(texts.get("held", "").lower())
    if held is None:
        faults.add(where, f"held `{texts['held']}` must be 0 or 1.")
    if len(faults.items) > before:
        return None
    return UsageRow(texts["provider"], texts["account"], day, counts["requests"] or 0, counts["tokens"] or 0, held or 0)


def _day(text: str) -> int:
    """A date as yyyymmdd, or 0."""
    try:
        digits = datetime.date.fromisoformat(text).strftime("%Y%m%d") if text else "0"
    except ValueError:
        return 0
    return int(digits)


def import_usage(unit: Unit, file: UsageFile, by: str, faults: Faults) -> UsageResult:
    """Record the rows that are new or corrected; the same file again, or the same counts in another file, record nothing.

    Raises:
        FaultyInput: a provider that is not registered, or a day that has not begun; nothing was recorded.
    """
    known = unit.store.usage_file(file.sha)
    if known is not None:
        return UsageResult(file.sha, 0, known)
    providers = {record.id for record in unit.store.all_governed("provider")}
    today = int(datetime.datetime.fromtimestamp(unit.now_us / 1_000_000, datetime.UTC).strftime("%Y%m%d"))
    for row in file.rows:
        if row.provider not in providers:
            faults.add(f"{row.provider}/{row.account}/{row.day}", "the provider is not registered.")
        if row.day > today:
            faults.add(f"{row.provider}/{row.account}/{row.day}", "the day has not begun (UTC).")
    faults.stop()
    unit.store.put_usage_file(file.sha, unit.now_us, by, len(file.rows))
    recorded = 0
    for row in file.rows:
        if unit.store.usage_row(row.provider, row.account, row.day) == (row.requests, row.tokens, row.held):
            continue
        unit.store.put_usage_row(row.provider, row.account, row.day, row.requests, row.tokens, row.held, file.sha)
        body: dict[str, Any] = {
            "account": row.account, "day": row.day, "requests": row.requests, "held": row.held, "source": file.sha,
        }  # fmt: skip
        if row.tokens:
            body["tokens"] = row.tokens
        unit.emit(Draft("provider.usage", body, ref=row.provider, actor=actor_of(by)))
        recorded += 1
    return UsageResult(file.sha, recorded, len(file.rows) - recorded)
