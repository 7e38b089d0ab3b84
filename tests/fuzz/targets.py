"""What is fuzzed: each parser of bytes that come from outside, with what must hold for whatever it accepts.

A target takes bytes and may raise only errors of the product's own trees; anything else is a finding. Leaves out: running (`__main__`).
"""

from __future__ import annotations

import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz import guards

from affiant.catalog import load
from affiant.kit.errors import AffiantError
from affiant.ledger.envelope import decode
from affiant.ledger.timestamps import read_response
from affiant.ledger.witness import parse_request
from affiant.proof import canonical, grammar
from affiant.proof.anchors import parse_anchor_file
from affiant.proof.check import verify_file
from affiant.proof.errors import ProofError
from affiant.proof.logkeys import parse_statement
from affiant.proof.note import Checkpoint, Note, VerifierKey
from affiant.proof.package import Manifest
from affiant.proof.pages import check_page
from affiant.proof.recompute import Definition
from affiant.proof.scan import check_envelope
from affiant.proof.shapes import Shapes
from affiant.proof.tiles import pack_bundle, unpack_bundle
from affiant.proof.tlogproof import TlogProof
from affiant.proof.trust import TrustPolicy
from affiant.proof.views import SqliteEvidence, Views

ASSETS = Path(__file__).parent.parent / "assets"
_VIEWS = load().views
_CONTROLS = load().controls


@dataclass(frozen=True)
class Target:
    """One parser under test.

    Args:
        run: takes bytes.
        seeds: where mutation begins.
        words: pieces worth inserting.
    """

    run: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...] = ()


def note(data: bytes) -> None:
    parsed = Note.parse(data)
    assert parsed.to_bytes() == data, "a note is written otherwise than it was read"


def checkpoint(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    assert Checkpoint.parse(text).text() == text, "a checkpoint is written otherwise than it was read"


def vkey(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    assert str(VerifierKey.parse(text)) == text, "a verifier key is written otherwise than it was read"


def trust(data: bytes) -> None:
    policy = TrustPolicy.parse(data.decode("utf-8", "replace"))
    policy.check(_NOTE)


def tlogproof(data: bytes) -> None:
    proof = TlogProof.parse(data)
    again = TlogProof.parse(proof.to_bytes())
    assert (again.index, again.path, again.checkpoint) == (proof.index, proof.path, proof.checkpoint)
    proof.verify(b"entry")


def bundle(data: bytes) -> None:
    assert pack_bundle(unpack_bundle(data)) == data, "a bundle is written otherwise than it was read"


def canonical_json(data: bytes) -> None:
    value = canonical.loads(data)
    assert canonical.dumps(value) == data, "canonical JSON is written otherwise than it was read"


def envelope(data: bytes) -> None:
    decode(data)


def entry(data: bytes) -> None:
    """What a learned shape accepts, the strict reader accepts with the same rows."""
    key = Shapes.key(data)
    met = _SHAPES.match(key, data)
    if met is None:
        return
    shape, values = met
    strict = canonical.loads(data)
    check_envelope(strict)
    cells = (7, *values, *shape.constants)
    quick = [(name, [str(cell) for cell in choose(cells)]) for name, choose in shape.rows]
    assert quick == [(name, [str(cell) for cell in row]) for name, row in _PARSED_VIEWS.rows(7, strict)], "rows differ"


def package(data: bytes) -> None:
    fd, path = tempfile.mkstemp(prefix="affiant-fuzz-")
    try:
        os.write(fd, data)
        os.close(fd)
        report = verify_file(path, _TRUST)
        assert report.exit_code in (0, 1, 2, 3) and report.verdict
    finally:
        os.unlink(path)


def manifest(data: bytes) -> None:
    Manifest.parse(data)


def query(data: bytes) -> None:
    """Whatever passes the text is stopped or run by the fences, and never reads another table."""
    checked = grammar.check(data.decode("utf-8", "replace"))
    names, rows = grammar.run(
        _TABLES.connection, checked, dict.fromkeys(checked.params, 1), _TABLES.views.by_name_and_computed(), 1_000_000
    )
    assert names and isinstance(rows, list)


def views(data: bytes) -> None:
    parsed = Views.parse(data)
    with SqliteEvidence(parsed, ":memory:") as evidence:
        evidence.flush()


def page(data: bytes) -> None:
    check_page("pages/x.html", data, {"A-1": "deviations noted"})


def definition(data: bytes) -> None:
    for _, text in Definition.parse(data).queries():
        grammar.check(text)


def anchors(data: bytes) -> None:
    parse_anchor_file(data)


def log_key(data: bytes) -> None:
    parse_statement(data)


def witness_request(data: bytes) -> None:
    parse_request(data)


def time_stamp(data: bytes) -> None:
    read_response(data, b"data", 1)


def _files(folder: str) -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for path in sorted((ASSETS / folder).iterdir()) if path.is_file())


def _entries() -> Iterator[bytes]:
    bodies = {
        "exchange.opened": {
            "surface": "c", "route": "r", "key": "k", "label": "l", "mode": "enforce", "stream": 0,
            "links": [{"provider": "p", "model": "m", "cap": 1}], "commit_received": "00",
            "decisions": [{"guard": "pii", "action": "redact", "found": 1}],
        },
        "exchange.closed": {"outcome": "answered", "status": 200, "attempts": [{"id": "q", "provider": "p", "status": 200}]},
        "service.hour": {"node": "n1", "hour": 1, "expected": 60, "served": 60},
    }  # fmt: skip
    for kind, body in bodies.items():
        yield canonical.dumps({
            "v": 1, "type": kind, "tv": 1, "producer": "n1/gateway/1", "seq": 5, "at": 1_790_000_000_000_000, "mono": 9, "tenant": "t",
            "ref": "x", "body": body,
        })  # fmt: skip


_TRUST = (ASSETS / "packages" / "trust.policy").read_text(encoding="utf-8")
_GOOD = (ASSETS / "packages" / "good.affidavit").read_bytes()
_ENTRIES = tuple(_entries())
_PAGE = b"<p><data value='A-1 deviations noted'>deviations noted</data></p>"
_PARSED_VIEWS = Views.parse(_VIEWS)
_SHAPES = Shapes(_PARSED_VIEWS.of_type)
for _one in _ENTRIES * 3:
    _SHAPES.learn(Shapes.key(_one), json.loads(_one))
_TABLES = SqliteEvidence(_PARSED_VIEWS, ":memory:")
_TABLES.flush()
_END = next(data for data in _files("notes") if data.startswith(b"example.com/log\n42\n"))
with zipfile.ZipFile(ASSETS / "packages" / "good.affidavit") as _archive:
    _MANIFEST = _archive.read("manifest.json")
_KEY = _TRUST.split()[1].encode()
_NOTE = Note(f"{_TRUST.split()[1].split('+')[0]}\n1\n" + "A" * 43 + "=\n", ())
_QUERIES = tuple(
    text.encode() for control in _CONTROLS.values() if control.population
    for text in (control.population.query, control.population.reconcile, control.procedure) if text
)  # fmt: skip
_SQL = (
    *sorted(word.encode() for word in grammar.KEYWORDS | grammar.FORBIDDEN | grammar.FUNCTIONS),
    b"sqlite_master", b"exchange_opened", b"idx", b"ord", b":from_us", b"--", b"/*", b"''", b"'", b"x''", b"||", b"1e9", b"0x1",
)  # fmt: skip
_JSON = (
    b'"body":', b'"type":', b"[", b"]", b"{", b"}", b"null", b"true", b"1e5", b"-0", b"9007199254740992", b"\\u0000", b"\\ud800", b'\\"',
)  # fmt: skip

TARGETS: dict[str, Target] = {
    "note": Target(note, _files("notes"), ("\u2014 ".encode(), b"\n\n")),
    "checkpoint": Target(checkpoint, tuple(data.partition(b"\n\n")[0] + b"\n" for data in _files("notes"))),
    "vkey": Target(vkey, (_KEY,)),
    "trust": Target(trust, (_TRUST.encode(), *_files("trust")), (b"group ", b"quorum ", b"any", b"all", b"none", _KEY)),
    "tlogproof": Target(tlogproof, (b"c2sp.org/tlog-proof@v1\nextra AAAA\nindex 3\n" + b"A" * 43 + b"=\n\n" + _END,)),
    "bundle": Target(bundle, (pack_bundle(_ENTRIES), *_files("bundles"))),
    "canonical": Target(canonical_json, _ENTRIES, _JSON),
    "envelope": Target(envelope, _ENTRIES, _JSON),
    "entry": Target(entry, _ENTRIES, _JSON),
    "package": Target(package, (_GOOD, *_files("packages")), (b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06")),
    "manifest": Target(manifest, (_MANIFEST,), _JSON),
    "grammar": Target(query, _QUERIES, _SQL),
    "views": Target(views, (_VIEWS,), _JSON),
    "page": Target(
        page,
        (b"<p><data value='A-1 deviations noted'>deviations noted</data></p>", b"<p><![--d->"),
        (b"<script", b"onload=", b"<!--", b"]]>"),
    ),
    "definition": Target(definition, tuple(control.canonical for control in _CONTROLS.values()), (*_JSON, *_SQL)),
    "anchors": Target(anchors, (canonical.dumps({"notes": [_END.decode()]}),), _JSON),
    "logkey": Target(log_key, _files("notes"), (b"affiant log key v1 ", b"hands-over-after ", b"revoked-after ", _KEY)),
    "witness": Target(witness_request, (b"old 0\n\n" + _END, b"old 3\n" + b"A" * 43 + b"=\n\n" + _END)),
    "places": Target(guards.body, guards.BODIES, guards.WORDS),
    "guided": Target(guards.guided, guards.GRAMMARS, guards.LARK_WORDS),
    "arguments": Target(guards.arguments, guards.ARGUMENTS, guards.WORDS),
    "events": Target(guards.events, guards.EVENTS, guards.WORDS),
    "restore": Target(guards.restored, guards.TEXTS, guards.FORMS),
    "timestamp": Target(time_stamp, (bytes.fromhex("30053003020100"),), (b"\x30\x80", b"\x02\x01")),
}
EXPECTED_ERRORS = (ProofError, AffiantError)


def attempt(target: Target, data: bytes) -> None:
    """Run a target once; only errors of the product's own trees are swallowed, since they are the answer."""
    try:
        target.run(data)
    except EXPECTED_ERRORS:
        return


def close() -> None:
    """Let go of what the targets hold."""
    _TABLES.close()
