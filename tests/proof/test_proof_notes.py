"""Signatures, notes, checkpoints, trust files: what is accepted, what is ignored, what is refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from affiant.proof import ed25519
from affiant.proof.errors import Lie, Malformed, NotAnchored, ProofError
from affiant.proof.note import ALG_COSIGNATURE, ALG_ED25519, Checkpoint, Note, Signature, VerifierKey, sign_note_text, signature_line
from affiant.proof.trust import TrustPolicy

ASSETS = Path(__file__).parent.parent / "assets"
ORDER = 2**252 + 27742317777372353535851937790883648493


def key(name: str, alg: int = ALG_ED25519) -> tuple[VerifierKey, Ed25519PrivateKey]:
    private = Ed25519PrivateKey.from_private_bytes(name.encode().ljust(32, b"."))
    return VerifierKey(name, alg, private.public_key().public_bytes_raw()), private


LOG, LOG_PRIVATE = key("example.com/log")
TEXT = Checkpoint(LOG.name, 42, b"r" * 32).text()


def test_rfc_8032_vectors_hold() -> None:
    """The first three vectors of RFC 8032 section 7.1 verify, and fall with one bit changed."""
    for public, message, signature in (
        ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
         "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
        ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
         "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
        ("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
         "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
    ):  # fmt: skip
        parts = bytes.fromhex(public), bytes.fromhex(message), bytes.fromhex(signature)
        assert ed25519.verify(*parts)
        assert not ed25519.verify(parts[0], parts[1] + b"x", parts[2])
        assert not ed25519.verify(parts[0], parts[1], parts[2][:63] + bytes([parts[2][63] ^ 1]))


def test_signatures_agree_with_a_library() -> None:
    """What `cryptography` signs verifies here, and other keys, messages and lengths do not."""
    for number in range(12):
        _, private = key(f"k{number}")
        public, message = private.public_key().public_bytes_raw(), os.urandom(number * 7)
        signature = private.sign(message)
        assert ed25519.verify(public, message, signature)
        assert not ed25519.verify(LOG.public, message, signature)
        assert not ed25519.verify(public, message, signature[:63])
        assert not ed25519.verify(public, message + b"!", signature)


def test_malleable_and_degenerate_signatures_are_refused() -> None:
    """S beyond the group order, points written non-canonically and keys of small order are refused."""
    signature = LOG_PRIVATE.sign(b"m")
    s = int.from_bytes(signature[32:], "little") + ORDER
    assert not ed25519.verify(LOG.public, b"m", signature[:32] + s.to_bytes(32, "little"))
    identity = (1).to_bytes(32, "little")
    assert not ed25519.verify(identity, b"m", identity + bytes(32))
    assert not ed25519.verify((2**255 - 18).to_bytes(32, "little"), b"m", identity + bytes(32))
    assert not ed25519.verify(LOG.public, b"m", (2**255 - 19 + 1).to_bytes(32, "little") + signature[32:])


def test_a_note_round_trips_and_ignores_unknown_keys() -> None:
    """A note with signatures by unknown keys and unknown algorithms still verifies by the known one."""
    note = Note.parse(sign_note_text(TEXT, LOG, LOG_PRIVATE.sign))
    for number in range(20):
        note = note.with_line(Signature(f"other{number}", os.urandom(4), os.urandom(64)).line())
    witness, private = key("witness.example", ALG_COSIGNATURE)
    note = Note.parse(note.with_line(signature_line(note.text, witness, private.sign, 1_700_000_000)).to_bytes())
    assert [signed.key for signed in note.verify([LOG])] == [LOG]
    assert {signed.key: signed.time_s for signed in note.verify([LOG, witness])} == {LOG: 0, witness: 1_700_000_000}
    assert Checkpoint.parse(note.text).size == 42


def test_a_bad_signature_by_a_known_key_rejects_the_note() -> None:
    """A signature line that names a known key and does not hold makes the note a lie."""
    good = Note.parse(sign_note_text(TEXT, LOG, LOG_PRIVATE.sign))
    with pytest.raises(Lie):
        Note(TEXT.replace("42", "43"), good.signatures).verify([LOG])
    witness, private = key("witness.example", ALG_COSIGNATURE)
    other_time = Note.parse(good.with_line(signature_line(TEXT, witness, private.sign, 5)).to_bytes())
    last = other_time.signatures[-1]
    moved = Signature(last.name, last.key_id, (6).to_bytes(8, "big") + last.data[8:])
    with pytest.raises(Lie):
        Note(TEXT, (good.signatures[0], moved)).verify([LOG, witness])


def test_verifier_keys_are_read_strictly() -> None:
    """A vkey whose id does not belong to its key, or whose form is wrong, is refused."""
    assert VerifierKey.parse(str(LOG)) == LOG
    name, id_, data = str(LOG).split("+", 2)
    for bad in (
        f"{name}+00000000+{data}",
        f"{name}+{id_.upper()}x+{data}",
        name,
        f"+{id_}+{data}",
        f"{name}+{id_}+{data[:-4]}",
        f"a b+{id_}+{data}",
    ):
        with pytest.raises(Malformed):
            VerifierKey.parse(bad)


@pytest.mark.parametrize("path", sorted((ASSETS / "notes").glob("*.txt")), ids=lambda path: path.stem)
def test_bad_notes_are_refused(path: Path) -> None:
    """Each file of the museum holds one defect of a signed checkpoint, and is refused."""
    with pytest.raises(ProofError):
        Checkpoint.parse(Note.parse(path.read_bytes()).text)


@pytest.mark.parametrize("path", sorted((ASSETS / "trust").glob("*.policy")), ids=lambda path: path.stem)
def test_bad_trust_files_are_refused(path: Path) -> None:
    """Each file of the museum holds one defect of a trust file, and is refused."""
    with pytest.raises(Malformed):
        TrustPolicy.parse(path.read_text())


def cosigned(*names: str) -> Note:
    note = Note.parse(sign_note_text(TEXT, LOG, LOG_PRIVATE.sign))
    for name in names:
        vkey, private = key(name, ALG_COSIGNATURE)
        note = note.with_line(signature_line(TEXT, vkey, private.sign, 7))
    return note


def policy(quorum: str) -> TrustPolicy:
    lines = [f"log {LOG}", *(f"witness {name} {key(name, ALG_COSIGNATURE)[0]} http://x" for name in ("a", "b", "c"))]
    return TrustPolicy.parse("\n".join([*lines, "# comment", "", "group ab all a b", "group two 2 ab b c", "group some any ab c", quorum]))


def test_quorums_count_as_written() -> None:
    """k, any, all and nested groups are met by exactly the signatures that they demand."""
    assert policy("quorum a").check(cosigned("a")).witnesses.keys() == {"a"}
    assert policy("quorum ab").check(cosigned("a", "b")).log == LOG
    assert policy("quorum two").check(cosigned("b", "c"))
    assert policy("quorum some").check(cosigned("c"))
    for quorum, names in (("a", ("b",)), ("ab", ("a",)), ("two", ("a", "c")), ("some", ("b",))):
        with pytest.raises(Lie):
            policy(f"quorum {quorum}").check(cosigned(*names))


def test_a_quorum_of_none_is_not_an_anchor() -> None:
    """A trust file without a witness to count cannot anchor anything."""
    with pytest.raises(NotAnchored):
        policy("quorum none").check(cosigned("a"))


def test_a_log_that_is_not_named_is_a_lie() -> None:
    """A checkpoint by a key that the trust file does not name is refused even with witnesses."""
    other, private = key("example.com/log2")
    note = Note.parse(sign_note_text(Checkpoint(other.name, 1, bytes(32)).text(), other, private.sign))
    with pytest.raises(Lie):
        policy("quorum a").check(note)
