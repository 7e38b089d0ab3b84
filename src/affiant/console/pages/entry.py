"""One entry with its proof: the decoded envelope, the bytes as stored, and the path from its leaf to a signed root."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from markupsafe import Markup
from starlette.responses import Response

from affiant.console import words
from affiant.console.model import Fact, Link
from affiant.console.proofs import EntryProof, cosignature_facts, diagram, proof_facts, prove, signers
from affiant.console.visit import Visit
from affiant.kit.errors import BadInput, NotFound
from affiant.ledger import REGISTRY, Event, decode


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a body: its value in lines, the exact value, and what the registry says it means."""

    name: str
    lines: tuple[str, ...]
    mono: bool
    title: str
    meaning: str


@dataclass(frozen=True, slots=True)
class EntryPage:
    """`entry.html`."""

    index: int
    sentence: str
    crumbs: tuple[Link, ...]
    before: str
    after: str
    envelope: tuple[Fact, ...]
    envelope_sub: str
    body: tuple[Field, ...]
    body_sub: str
    raw: str
    raw_sub: str
    raw_links: tuple[Link, ...]
    tree: Markup | None
    proof: tuple[Fact, ...]
    proof_sub: str
    path: str
    path_words: str
    checkpoint: str
    checkpoint_sub: str
    cosignatures: tuple[Fact, ...]
    cosignatures_none: str
    verify: str


_LONG_HEX = re.compile(r"[0-9a-f]{32,}")


def index_of(text: str) -> int:
    """The entry named in an address.

    Raises:
        NotFound: it is no index.
    """
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise NotFound(f"`{text[:40]}` is no entry.", "Entries are numbered from 0.")
    return int(text)


def value_text(name: str, value: Any) -> tuple[str, bool]:
    """A body value for reading, and whether it is set in mono."""
    if isinstance(value, str):
        return (words.groups(value), True) if _LONG_HEX.fullmatch(value) else (value or "(empty)", False)
    if isinstance(value, int):
        if (
            name in ("at", "from", "to", "due", "expires", "requested", "effective", "hour", "origin_at", "checkpoint_at")
            and value > 10**14
        ):
            return words.when_seconds(value), False
        return words.number(value), False
    if isinstance(value, dict):
        return " · ".join(f"{key} {value_text(key, inner)[0]}" for key, inner in value.items()), False
    if isinstance(value, list):
        return ", ".join(value_text("", inner)[0] for inner in value) or "none", False
    return str(value), True


def body_fields(event: Event) -> tuple[Field, ...]:
    """Fields of the body, with what the registry says they mean."""
    known = REGISTRY.get(event.type)
    meanings = {name.rstrip("?"): text for name, text in known.fields.items()} if known else {}
    out = []
    for name, value in event.body.items():
        if isinstance(value, list) and any(isinstance(inner, dict) for inner in value):
            lines, mono = tuple(value_text(name, inner)[0] for inner in value), False
        else:
            text, mono = value_text(name, value)
            lines = (text,)
        meaning = meanings.get(name, "not in this version's registry" if known else "")
        out.append(Field(name, lines, mono, str(value) if isinstance(value, str | int) else "", meaning.split(" of {", 1)[0]))
    return tuple(out)


def ref_href(type_: str, ref: str) -> str:
    """The page of what an event is about, where there is one."""
    noun = type_.split(".", 1)[0]
    if not ref:
        return ""
    if noun == "exchange" and type_ not in ("exchange.refused_many", "exchange.unrecorded"):
        return f"/exchanges/{quote(ref, safe='')}"
    if noun == "change":
        return f"/changes/{quote(ref, safe='')}"
    if noun == "population":
        return f"/populations/{quote(ref, safe='')}"
    if noun == "control":
        return f"/controls/{quote(ref, safe='')}"
    return f"/ledger?ref={quote(ref, safe='')}"


def envelope_facts(event: Event) -> tuple[Fact, ...]:
    """The envelope, decoded."""
    facts = [
        Fact("Event", f"{event.type}, version {event.version}", f"/ledger?type={quote(event.type)}"),
        Fact("When", words.when_seconds(event.at_us), title=words.exact(event.at_us)),
        Fact("Actor", event.actor or "none", mono=bool(event.actor)),
    ]
    if event.ref:
        facts.append(Fact("About", event.ref, ref_href(event.type, event.ref), True))
    if event.tenant:
        facts.append(Fact("Tenant", event.tenant))
    if event.policy:
        facts.append(Fact("Policy", words.groups(event.policy), mono=True, title=event.policy))
    facts.append(Fact("Producer", f"{event.producer}, number {words.number(event.seq)}", mono=True))
    return tuple(facts)


def show(visit: Visit) -> Response:
    """The page."""
    context, index = visit.context, index_of(visit.request.path_params["index"])
    data = context.reader.entry(index)
    proof = prove(context, index, data)
    size = context.reader.size
    event: Event | None
    try:
        event, sentence = decode(data), ""
    except BadInput as error:
        event, sentence = None, str(error)
    if event is not None:
        known = REGISTRY.get(event.type)
        sentence = f"{event.type}: {known.meaning}" if known else f"{event.type}: a type that this version does not know; kept and shown."
    hashes = "\n".join(f"{number:>2}  {hash_.hex()}" for number, hash_ in enumerate(proof.path, 1))
    page = EntryPage(
        index=index,
        sentence=sentence,
        crumbs=(Link("Ledger", "/ledger"), Link("entry")),
        before=f"/entries/{index - 1}" if index else "",
        after=f"/entries/{index + 1}" if index + 1 < size else "",
        envelope=envelope_facts(event) if event else (),
        envelope_sub="Envelope version 1, decoded" if event else "Cannot be decoded by this version",
        body=body_fields(event) if event else (),
        body_sub="Fields of the event, with what the registry says they mean",
        raw=data.decode("utf-8", "backslashreplace"),
        raw_sub=f"{words.size(len(data))}, hashed exactly as they stand",
        raw_links=(Link("Raw", f"/entries/{index}/raw"),),
        tree=diagram(proof),
        proof=proof_facts(proof),
        proof_sub=_proof_sub(proof),
        path=hashes,
        path_words=words.sentence(words.count(len(proof.path), "hash", "hashes") + " of the path"),
        checkpoint=proof.note.decode("utf-8", "replace") if proof.signed else "not signed yet",
        checkpoint_sub=f"Over {words.count(proof.size, 'entry', 'entries')}, signed by {signers(proof.note)}" if proof.signed else "",
        cosignatures=cosignature_facts(proof),
        cosignatures_none="No witness has cosigned a head that covers this entry: until then only the company's own signature does.",
        verify=f"affiant ledger prove {index} --home {context.home_words}\nsha256 of 0x00 and the bytes = {proof.leaf.hex()}",
    )
    return visit.page("entry.html", page, "/ledger")


def _proof_sub(proof: EntryProof) -> str:
    if not proof.signed:
        return "No signed head covers this entry yet"
    kind = "cosigned" if proof.anchors else "signed"
    hashes = words.sentence(words.count(len(proof.path), "hash leads", "hashes lead"))
    return f"{hashes} to the {kind} root of {words.count(proof.size, 'entry', 'entries')}"


def raw(visit: Visit) -> Response:
    """The bytes as stored."""
    index = index_of(visit.request.path_params["index"])
    data = visit.context.reader.entry(index)
    return Response(data, media_type="application/json", headers={"content-disposition": f'attachment; filename="entry-{index}.json"'})
