"""Reads fields out of untrusted mappings (YAML, JSON), noting each fault with its path and never stopping at the first.

Leaves out: which fields a kind has (`content`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from affiant.records.faults import Faults
from affiant.records.model import NO_TENANT

RECORD_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")
PERSON_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
RESERVED_PEOPLE = frozenset({"local", "anonymous", "system"})
MAX_COUNT = 10**15
_WINDOW = re.compile(r"(\d{1,9})\s*(s|m|h|d)?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, None: 1}
_PPM = 1_000_000
_YES, _NO = (True, "true", "1"), (False, "false", "0")


def id_fault(value: object, person: bool = False) -> str:
    """What is wrong with an id, or ""."""
    if not isinstance(value, str) or not value:
        return "an id is text and not empty."
    if "@" in value:
        return "an id must not be an e-mail address: ids appear in the ledger, which cannot forget. Use a handle, such as `ann`."
    if person and value in RESERVED_PEOPLE:
        return f"`{value}` is reserved; choose another handle."
    if not (PERSON_ID if person else RECORD_ID).fullmatch(value):
        return "use letters, digits and . _ -" + ("" if person else " : /") + ", starting with a letter or digit."
    return ""


class Fields:
    """One mapping under inspection. Call `done` last: it notes the fields that nobody asked for.

    Args:
        raw: the mapping, or anything else (noted as a fault).
        path: where it stands.
        faults: where faults go.
        recorded: whether fields may also stand as records keep them (`threshold_ppm` for `threshold`).
    """

    def __init__(self, raw: object, path: str, faults: Faults, recorded: bool = False) -> None:
        self.path, self.faults, self.recorded = path, faults, recorded
        self._asked: set[str] = set()
        if isinstance(raw, Mapping):
            self.raw: Mapping[Any, Any] = raw
        else:
            self.raw = {}
            faults.add(path, "must be a mapping of fields.")

    def fault(self, name: str, text: str) -> None:
        """Note a fault of one field."""
        self.faults.add(f"{self.path}.{name}" if name else self.path, text)

    def _get(self, name: str) -> Any:
        self._asked.add(name)
        return self.raw.get(name)

    def text(self, name: str, default: str | None = None, max_chars: int = 500) -> str:
        """A text; required where there is no default."""
        value = self._get(name)
        if value is None:
            if default is None:
                self.fault(name, "is required.")
            return default or ""
        if not isinstance(value, str) or (default is None and not value.strip()):
            self.fault(name, "must be text (quote it).")
            return default or ""
        if len(value) > max_chars:
            self.fault(name, f"is longer than {max_chars} characters.")
        if any(ord(each) < 32 or 0xD800 <= ord(each) < 0xE000 for each in value if each != "\n"):
            self.fault(name, "holds control characters.")
            return default or ""
        return value.strip()

    def id(self, name: str, person: bool = False, default: str | None = None) -> str:
        """An id; see `id_fault`."""
        value = self._get(name)
        if value in (None, "") and default is not None:
            return default
        if value is None:
            self.fault(name, "is required.")
            return ""
        problem = id_fault(value, person)
        if problem:
            self.fault(name, problem)
            return ""
        return str(value)

    def tenant(self, name: str, default: str) -> str:
        """A tenant id; `-` stands for none."""
        return NO_TENANT if self.raw.get(name) == NO_TENANT and self._get(name) else self.id(name, default=default)

    def choice(self, name: str, allowed: Sequence[str], default: str | None = None) -> str:
        """One of a few words."""
        value = self._get(name)
        if value in (None, "") and default is not None:
            return default
        if value not in allowed:
            self.fault(name, f"must be one of: {', '.join(allowed)}.")
            return default or allowed[0]
        return str(value)

    def texts(self, name: str, allowed: Sequence[str] | None = None, default: Sequence[str] | None = None, ids: bool = False) -> list[str]:
        """A list of distinct texts, in the order given."""
        value = self._get(name)
        if value is None and default is not None:
            return list(default)
        if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
            self.fault(name, "must be a list of texts.")
            return []
        out: list[str] = []
        for number, each in enumerate(value):
            problem = id_fault(each) if ids and each != "*" else ""
            if problem:
                self.fault(f"{name}[{number}]", problem)
            elif allowed is not None and each not in allowed:
                self.fault(f"{name}[{number}]", f"`{each}` is unknown; one of: {', '.join(allowed)}.")
            elif each in out:
                self.fault(f"{name}[{number}]", f"`{each}` stands twice.")
            else:
                out.append(each)
        return out

    def count(self, name: str, least: int = 0, default: int | None = None) -> int:
        """A whole number."""
        value = self._get(name)
        if value is None and default is not None:
            return default
        number = as_count(value)
        if number is None or number < least:
            self.fault(name, f"must be a whole number of at least {least}.")
            return least
        return number

    def seconds(self, name: str) -> int:
        """A length of time: seconds, or a number with s, m, h or d."""
        value = self._get(name)
        match = _WINDOW.fullmatch(str(value)) if isinstance(value, int | str) and not isinstance(value, bool) else None
        seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
        if not 1 <= seconds <= 366 * 86_400:
            self.fault(name, "must be a length of time from 1s to 366d, such as 60s, 1m, 1h or 1d.")
            return 1
        return seconds

    def ppm(self, name: str, default: int | None, percent: bool = False) -> int | None:
        """A share as parts per million: 0 to 1, or with `percent` also above 1 to 100, and `99.9 %`."""
        value = self._get(name)
        if value is None:
            return default
        try:
            text = str(value).strip() if isinstance(value, int | float | str) and not isinstance(value, bool) else ""
            share = Decimal(text.removesuffix("%").strip())
            if percent and (text.endswith("%") or share > 1):
                share /= 100
            scaled = share * _PPM
        except InvalidOperation:
            scaled = Decimal(-1)
        if not scaled.is_finite() or not 0 <= scaled <= _PPM or scaled != int(scaled):
            self.fault(name, "must be a share such as 0.999" + (" or 99.9 %" if percent else "") + ", with at most six decimals.")
            return default
        return int(scaled)

    def flag(self, name: str, default: int) -> int:
        """Yes or no, as 1 or 0: `true`, `false`, or as it is recorded."""
        value = self._get(name)
        if value is None:
            return default
        if value not in (*_YES, *_NO):
            self.fault(name, "must be true or false.")
            return default
        return int(value in _YES)

    def exact(self, name: str, default: str | None = None, max_chars: int = 500) -> str:
        """A text whose blanks count, such as a pattern."""
        value = self.text(name, default, max_chars)
        if isinstance(self.raw.get(name), str) and value != self.raw[name]:
            self.fault(name, "begins or ends with a blank; write it as `[ ]`, so that it is seen to be meant.")
        return value

    def sequence(self, name: str, most: int) -> list[Any]:
        """A list of anything, at most so long; [] if absent."""
        value = self._get(name)
        if value is None:
            return []
        if not isinstance(value, list) or len(value) > most:
            self.fault(name, f"must be a list of at most {most}.")
            return []
        return value

    def has_recorded(self, name: str) -> bool:
        """Whether a field stands as records keep it, where that is allowed."""
        return self.recorded and name in self.raw

    def mapping(self, name: str) -> dict[str, Any]:
        """A mapping with text keys; {} if absent."""
        value = self._get(name)
        if value is None:
            return {}
        if not isinstance(value, Mapping) or not all(isinstance(each, str) for each in value):
            self.fault(name, "must be a mapping.")
            return {}
        return dict(value)

    def done(self) -> None:
        """Note every field that is not part of the schema."""
        for name in self.raw:
            if name not in self._asked:
                self.fault(str(name), f"is not a known field; known: {', '.join(sorted(self._asked))}.")


def as_count(value: object) -> int | None:
    """A whole number from 0 to 10^15 given as int or digits; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value) if len(value) < 17 else -1
    return value if isinstance(value, int) and 0 <= value <= MAX_COUNT else None
