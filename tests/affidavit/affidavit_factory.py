"""A small home with a real ledger, its controls run, a witness that cosigned, and tools to tamper with a package."""

from __future__ import annotations

import hashlib
import hmac
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from affiant.affidavit import Built, build
from affiant.assurance import Evidence, Period, opening_of, run_all
from affiant.catalog import Catalog, load
from affiant.kit.clock import FixedClock
from affiant.kit.home import Home, Witness, create_home, save_home
from affiant.kit.keyring import Keyring
from affiant.ledger import Draft, LedgerReader, Writer
from affiant.ledger.anchorstore import Anchor, AnchorStore
from affiant.ledger.carried import period_open_drafts
from affiant.proof import canonical
from affiant.proof.note import ALG_COSIGNATURE, Note, VerifierKey, sign_note_text, signature_line
from affiant.proof.package import manifest_text
from affiant.proof.pledges import pledge_digest

SECOND, DAY = 1_000_000, 86_400_000_000
BEGIN = 1_756_684_800 * SECOND  # 1 Sep 2025
FROM, TO = BEGIN + DAY, BEGIN + 4 * DAY


@dataclass
class WitnessKey:
    """A cosigner that the test owns."""

    name: str = "witness.example/w1"
    private: Ed25519PrivateKey = field(default_factory=lambda: Ed25519PrivateKey.from_private_bytes(b"w" * 32))

    @property
    def vkey(self) -> VerifierKey:
        return VerifierKey(self.name, ALG_COSIGNATURE, self.private.public_key().public_bytes_raw())

    def cosign(self, note: bytes, time_s: int) -> bytes:
        parsed = Note.parse(note)
        return parsed.with_line(signature_line(parsed.text, self.vkey, self.private.sign, time_s)).to_bytes()


class World:
    """One home under a clock that the test moves."""

    def __init__(self, root: Path, seed: bytes = b"s" * 32, origin: str = "test/affidavit", spoil: bool = False) -> None:
        self.witness = WitnessKey()
        self.seed = seed
        self.clock = FixedClock(BEGIN)
        self.spoil = spoil
        created = create_home(root, origin, BEGIN)
        self.home = Home(created.root, created.id, origin, "n1", BEGIN, (Witness("w1", str(self.witness.vkey), "http://127.0.0.1:1"),))
        save_home(self.home)
        self.catalog: Catalog = load()
        self.writer = Writer.create(self.home, Keyring(seed, b"m" * 32, "token"), self.clock)
        self.reader = LedgerReader(self.home)

    @property
    def trust(self) -> str:
        return f"log {self.writer.vkey}\nwitness w1 {self.witness.vkey}\nquorum w1\n"

    def write(self, *drafts: Draft) -> int:
        return self.writer.append(list(drafts))

    def at(self, moment_us: int) -> None:
        self.clock.value_us = moment_us

    def set_up(self) -> None:
        for control in self.catalog.controls.values():
            self.write(Draft("control.adopted", dict(control.adopted_body), ref=control.id, actor="person:ana"))
        change = {"change": "ch_0"}
        self.write(
            Draft("provider.set", {"kind": "openai", "base_url": "http://p", "region": "eu", "network": "private",
                                   "labels": ["internal"], **change}, ref="prov"),
            Draft("model.approved", {"provider": "prov", "upstream": "m", "version": "1", "approved_by": "bo", "author": "ana",
                                     **change}, ref="m1"),
            Draft("route.set", {"models": ["m1"], "policy": "default", "policy_digest": "ab" * 32, "mode": "enforce", "label": "internal",
                                "redacts": ["EMAIL"], **change}, ref="r1"),
            Draft("key.created", {"owner": "ana", "scope": ["r1"]}, ref="k1"),
        )  # fmt: skip

    def exchange(self, number: int) -> None:
        ref = f"xc_{number:04d}"
        decisions = [{"guard": "pii", "control": "PR-1.1", "action": "redact", "how": "mask", "found": 1, "acted": 1, "enforced": 1}]
        self.write(Draft("exchange.opened", {
            "surface": "chat.completions", "route": "r1", "key": "k1", "label": "internal", "mode": "enforce", "stream": 0, "overlap": 0,
            "links": [{"provider": "prov", "model": "m1", "version": "1", "cap": 2}], "decisions": decisions, "parts": 1,
            "uninspected": 0, "commit_received": "00" * 32, "commit_sent": "11" * 32, "epoch": 1, "est_tokens": 10,
        }, ref=ref, tenant="t1", actor="key:k1", policy="ab" * 32))  # fmt: skip
        self.write(Draft("exchange.closed", {
            "outcome": "answered", "released": "all", "status": 200, "route": "r1", "key": "k1", "provider": "prov", "model": "m1",
            "attempts": [{"id": f"rq_{number}", "provider": "prov", "model": "m1", "version": "1", "status": 200, "ms": 5}],
            "tokens_in": 5, "tokens_out": 7, "ms": 6, "ms_added": 1, "decisions": [],
        }, ref=ref, tenant="t1", actor="key:k1"))  # fmt: skip

    def change(self, number: int, approver: str) -> None:
        ref, digest = f"ch_{number}", "cd" * 32
        self.write(
            Draft("change.proposed", {"kind": "route", "target": "r1", "digest": digest, "author": "ana", "emergency": 0,
                                      "bootstrap": 0}, ref=ref),
            Draft("change.approved", {"by": approver, "author": "ana", "digest": digest}, ref=ref),
            Draft("change.activated", {"kind": "route", "target": "r1", "digest": digest, "author": "ana", "by": "ana",
                                       "emergency": 0, "bootstrap": 0}, ref=ref),
        )  # fmt: skip

    def probe(self, number: int, name: str, due: int) -> None:
        exchange, salt, request = f"xp_{number}", b"salt" * 8, hashlib.sha256(str(number).encode()).digest()
        nonce = f"{number:032x}"
        self.write(Draft("probe.pledged", {"pledge": pledge_digest(nonce, request.hex(), "", due, "no_key")}, ref=f"pl_{number}"))
        commitment = hmac.new(salt, request, hashlib.sha256).hexdigest()
        self.write(Draft("exchange.refused", {"surface": "chat.completions", "code": "no_key", "control": "SEC-1.1", "status": 401,
                                              "commit_received": commitment, "epoch": 1}, ref=exchange))  # fmt: skip
        self.write(Draft("probe.opened", {
            "probe": name, "nonce": nonce, "request": request.hex(), "key": "", "due": due, "expected": "no_key", "seen": "no_key",
            "exchange": exchange, "salt": salt.hex(), "matched": 1,
        }, ref=f"pl_{number}"))  # fmt: skip

    def live(self, days: int = 4, first: int = 0) -> None:
        for day in range(first, days):
            start = BEGIN + day * DAY
            for hour in range(0, 24):
                self.at(start + hour * 3600 * SECOND)
                self.write(Draft("service.hour", {"node": "n1", "hour": self.clock.value_us, "expected": 60, "served": 60}, ref="n1"))
            for number in range(14):
                self.at(start + (9 * 3600 + number) * SECOND + 23 * 3600 * SECOND // 24)
                self.exchange(day * 100 + number)
            self.at(start + 86_000 * SECOND)
            self.change(day + 1, "ana" if self.spoil and day == 2 else "bo")
            for number, due in enumerate(self.catalog.controls["AUD-4.1"].schedule):
                if not self.spoil or day != 3:
                    self.probe(day * 10 + number, due.item, start + due.minute * 60 * SECOND)
            self.write(
                Draft("provider.usage", {"account": "a", "day": 20250901 + day, "requests": 14, "held": 1, "source": "ee" * 32}, ref="prov")
            )
            self.anchor()

    def open_period(self, name: str, from_us: int) -> None:
        self.write(*period_open_drafts(self.reader, name, from_us))

    def anchor(self) -> None:
        head = self.writer.checkpoint()
        note = self.witness.cosign(head.note, self.clock.value_us // SECOND)
        AnchorStore(self.home.anchors_db).add(Anchor("w1", head.size, head.root, self.clock.value_us // SECOND, self.clock.value_us, note))

    def run_controls(self, from_us: int = FROM, to_us: int = TO) -> None:
        """Freeze, draw and test every control, as the product does (on DuckDB)."""

        def append(drafts: Sequence[Draft]) -> int:
            return self.write(*drafts) - len(drafts) + 1

        with Evidence(self.reader, view_from=opening_of(self.reader, from_us)) as evidence:
            run_all(evidence, self.catalog, Period(from_us, to_us), append, principal="person:ana", now_us=self.clock.value_us)

    def build(self, out: Path, from_us: int = FROM, to_us: int = TO, mode: str = "auto") -> Built:
        return build(self.home, self.reader, self.seed, self.catalog, from_us, to_us, out, "person:ana", self.clock.value_us, mode)


@contextmanager
def a_world(root: Path, **options: Any) -> Iterator[World]:
    """A home with four days of traffic and its controls run for the last three, cosigned at the end."""
    world = World(root, **options)
    try:
        world.set_up()
        world.live()
        world.at(TO + 3600 * SECOND)
        world.run_controls()
        world.anchor()
        yield world
    finally:
        world.writer.close()


def unpack(path: Path) -> dict[str, bytes]:
    """Files of a package."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def pack(files: Mapping[str, bytes], path: Path) -> Path:
    """Write files as a package, whatever they are."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def reseal(files: dict[str, bytes], seed: bytes, **changes: Any) -> dict[str, bytes]:
    """List every file anew in the manifest and sign it with a key: what whoever holds the log's key can do."""
    manifest = {**canonical.loads(files["manifest.json"]), **changes}
    names = sorted(name for name in files if not name.startswith("manifest."))
    manifest["files"] = [{"path": n, "sha256": hashlib.sha256(files[n]).hexdigest(), "size": len(files[n])} for n in names]
    data = canonical.dumps(manifest)
    private = Ed25519PrivateKey.from_private_bytes(seed)
    vkey = VerifierKey(manifest["origin"], 1, private.public_key().public_bytes_raw())
    note = sign_note_text(manifest_text(manifest["origin"], hashlib.sha256(data).hexdigest()), vkey, private.sign)
    return {**files, "manifest.json": data, "manifest.note": note}
