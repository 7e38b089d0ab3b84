"""Receipts: a customer proves its own exchanges, and no byte of another customer's is in the file."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from affidavit_factory import BEGIN, DAY, SECOND, World, pack, unpack

from affiant.affidavit import build_verifier
from affiant.affidavit.receipt import Receipt, build_receipt
from affiant.kit.errors import BadInput, NotFound
from affiant.ledger import Draft
from affiant.proof import canonical
from affiant.proof.check import verify_file

TENANTS = ("acme", "globex", "initech")


def exchange(world: World, number: int, tenant: str, end: bool = True) -> None:
    """One exchange whose every value names its tenant."""
    ref = f"xc_{tenant}_{number}"
    world.write(Draft("exchange.opened", {
        "surface": f"{tenant}.completions", "route": f"route-{tenant}", "key": f"key-{tenant}", "label": "internal", "mode": "enforce",
        "links": [{"provider": f"provider-{tenant}", "model": "m", "version": "1", "cap": 1}], "decisions": [],
        "commit_received": tenant.encode().hex() * 4,
    }, ref=ref, tenant=tenant, actor=f"key:key-{tenant}"))  # fmt: skip
    if end:
        world.write(
            Draft("exchange.closed", {"outcome": "answered", "attempts": [{"id": f"rq_{tenant}_{number}"}]}, ref=ref, tenant=tenant)
        )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, Path, Receipt]]:
    root = tmp_path_factory.mktemp("receipt")
    world = World(root / "home")
    try:
        for number in range(120):
            world.at(BEGIN + number * 3600 * SECOND)
            for tenant in TENANTS:
                exchange(world, number, tenant, end=number != 30)
        world.anchor()
        receipt = build_receipt(world.home, world.reader, "acme", BEGIN + DAY, BEGIN + 3 * DAY, root / "r.affidavit", world.clock.value_us)
        yield world, root, receipt
    finally:
        world.writer.close()


def test_a_customer_proves_its_own_exchanges_with_the_bare_verifier(made: tuple[World, Path, Receipt]) -> None:
    """verify.pyz shows each entry in a ledger that a witness saw, and says what a receipt cannot show."""
    world, root, receipt = made
    assert receipt.exchanges == 48 and receipt.entries == 95
    build_verifier(root / "verify.pyz")
    (root / "trust").write_text(world.trust)
    command = [sys.executable, "-I", "-S", str(root / "verify.pyz"), str(root / "r.affidavit"), "--trust", str(root / "trust")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("RECEIPT") and "1 of them have no outcome" in done.stdout
    assert "these are all entries of the tenant" in done.stdout
    assert verify_file(str(root / "r.affidavit")).exit_code == 3


def test_no_other_tenants_bytes_are_inside(made: tuple[World, Path, Receipt]) -> None:
    """Neither a name, a reference, a commitment nor any entry of another tenant is in the archive, unpacked or not."""
    world, root, _ = made
    files = unpack(root / "r.affidavit")
    everything = (root / "r.affidavit").read_bytes() + b"".join(name.encode() + data for name, data in files.items())
    for other in TENANTS[1:]:
        assert other.encode() not in everything and other.encode().hex().encode() not in everything
    own = {int(name[8:-5]) for name in files if name.endswith(".json") and name.startswith("entries/")}
    for index in range(world.reader.size):
        entry = world.reader.entry(index)
        assert (index in own) == (entry in files.values())
        if index not in own:
            assert entry not in everything
    assert {json.loads(files[f"entries/{index}.json"])["tenant"] for index in own} == {"acme"}


def _other(files: dict[str, bytes], world: World) -> None:
    index = next(n for n in range(world.reader.size) if world.reader.event(n).tenant == "globex")
    files[f"entries/{index}.json"] = world.reader.entry(index)
    files[f"entries/{index}.tlog-proof"] = world.reader.prove(index, None).encode()


def _changed(files: dict[str, bytes], world: World) -> None:
    name = next(n for n in sorted(files) if n.endswith(".json") and b"exchange.closed" in files[n])
    files[name] = files[name].replace(b"answered", b"blocked!")


def _moved(files: dict[str, bytes], world: World) -> None:
    name = next(n for n in sorted(files) if n.startswith("entries/") and n.endswith(".json"))
    files["entries/1.json"] = files.pop(name)
    files["entries/1.tlog-proof"] = files.pop(name[:-5] + ".tlog-proof")


def _page(files: dict[str, bytes], world: World) -> None:
    files["pages/index.html"] = b"hello"


@pytest.mark.parametrize("tamper", [_other, _changed, _moved, _page], ids=lambda t: t.__name__)
def test_a_receipt_that_was_changed_is_refused(made: tuple[World, Path, Receipt], tamper: object) -> None:
    """Another tenant's entry, a changed or moved one, and a file that proves nothing are refused, though the manifest fits."""
    import hashlib

    world, root, _ = made
    files = unpack(root / "r.affidavit")
    tamper(files, world)  # type: ignore[operator]
    manifest = canonical.loads(files.pop("manifest.json"))
    manifest["files"] = [{"path": n, "sha256": hashlib.sha256(files[n]).hexdigest(), "size": len(files[n])} for n in sorted(files)]
    files["manifest.json"] = canonical.dumps(manifest)
    report = verify_file(str(pack(files, root / "t.affidavit")), world.trust)
    assert report.exit_code == 1, report.verdict


def test_a_receipt_is_not_built_of_nothing(made: tuple[World, Path, Receipt], tmp_path: Path) -> None:
    """An unknown tenant, an empty period and an existing file are refused with words."""
    world, root, _ = made
    for tenant, begin in (("nobody", BEGIN), ("acme", BEGIN - 9 * DAY)):
        with pytest.raises(NotFound):
            build_receipt(world.home, world.reader, tenant, begin, begin + DAY, tmp_path / "x", 1)
    with pytest.raises(BadInput):
        build_receipt(world.home, world.reader, "acme", BEGIN, BEGIN + DAY, root / "r.affidavit", 1)
    assert not list(tmp_path.iterdir())
