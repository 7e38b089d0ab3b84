"""Tokens of services that no rule knows: a short head such as `acme_live_`, then a long body drawn at random.

Issuers give their tokens heads so that scanners find them; identifiers have heads too. So the head's words decide how random and how
long the body must be, and bodies that digests, identifiers and file names have are left alone. Leaves out: tokens whose form is
known (`judge`), which win, and values that a name stands before (`assigned`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from affiant.guards.detectors.secrets.form import LEFT, PREFIX
from affiant.guards.detectors.secrets.services import words
from affiant.guards.detectors.secrets.shapes import in_sequence, is_hex, is_uuid, mask, random_looking
from affiant.guards.scan import Candidate, Found, Pattern

TELLING = words("sk rk ak pat key apikey token tok sec auth live priv private access pwd cred bearer oauth deploy service srv bot secret")
"""Pieces of heads that issuers of secrets use and issuers of identifiers do not."""
_SECRET = words("sk rk pat apikey secret live")
"""Those of them that say so whatever stands beside them, and never stand before a digest."""
_HEX = 32  # digits of the shortest hexadecimal body
_PUBLIC = words(
    """
    pk pub public publishable anon id ids uid uuid guid chatcmpl cmpl msg message req request resp response run call toolu tool fc rs
    thread asst file step batch evt event cus pi ch sub price prod acct pm txn seti cs si il li po src card user usr org team proj
    project trace span task job node pod vpc ami sha sha1 sha256 sha384 sha512 md5 hash etag commit rev git css chunk main vendor
    index bundle img image photo video doc page post item order inv wf arn urn layer blob tree build version module class test_id
    nonce csrf xsrf sig signature checksum digest crc ssh rsa ecdsa ed25519 cert session sid cookie cid rid tid gid mid hit ref
    """
)
_PIECE = "(?:[A-Z]?[a-z][a-z0-9]{1,10}|[A-Z][A-Z0-9]{1,11})[_.-]"
_HEAD = re.compile(rf"(?:{_PIECE}){{1,4}}?(?=[A-Za-z0-9]{{16}})")
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,5}$")
_ULID = re.compile(r"0[0-7][0-9A-HJKMNP-TV-Z]{24}", re.IGNORECASE)
_IDENTIFIED = re.compile(r"(?i)(?:\bid|_id|Id|uuid|name|path|file|class|href|src)[\"'`]?\s{0,3}(?:[:=]|is)\s{0,3}[\"'`]?$")
_ABOUT = re.compile(r"(?i)(?:key|token|secret|bearer|credential|passw|auth)s?\b")
_SPLIT = re.compile(r"[^A-Za-z0-9]+")
_SURE, _LIKELY = 650_000, 550_000


def _drawn(body: str, least: int, numbers: bool) -> bool:
    """Whether a body mixes both cases with digits, or is so long that letters of one case and digits do.

    Args:
        body: what stands behind the head.
        least: letters and digits that it must have.
        numbers: whether a hexadecimal number may be the body; else it is taken for a digest.
    """
    solid = _SPLIT.sub("", body)
    if (
        len(solid) < least
        or (is_hex(solid) and (not numbers or len(solid) < _HEX))
        or is_uuid(body)
        or _ULID.fullmatch(solid)
        or in_sequence(solid) > 0.3
    ):
        return False
    if sum(map(str.isdigit, solid)) < 2 or not random_looking(solid, least):
        return False
    return len(solid) >= 32 or (any(map(str.islower, solid)) and any(map(str.isupper, solid)))


def headed(candidate: Candidate) -> Iterable[Found]:
    """A token, if its head does not name an identifier and its body looks drawn at random."""
    value = candidate.value
    head = _HEAD.match(value)
    if head is None or candidate.before(1) in ("/", "@", "#", "\\") or _ENDING.search(value) or mask(value):
        return ()
    pieces = [piece for piece in _SPLIT.split(head.group().lower()) if piece]
    telling = not TELLING.isdisjoint(pieces)
    if (_SECRET.isdisjoint(pieces) and not _PUBLIC.isdisjoint(pieces)) or _IDENTIFIED.search(candidate.before(24)):
        return ()
    least = 16 if telling else 24 if _ABOUT.search(candidate.before(80)) else 32
    if not _drawn(value[head.end() :], least, not _SECRET.isdisjoint(pieces)):
        return ()
    return (Found(candidate.start, candidate.end, PREFIX + "token_with_head", _SURE if telling else _LIKELY),)


HEADED = Pattern(
    "token_with_head",
    PREFIX + "token_with_head",
    r"\b(?:[A-Za-z][A-Za-z0-9]{1,11}[_.-]){1,4}[A-Za-z0-9]{16}",
    rf"{LEFT}(?P<v>(?:{_PIECE}){{1,4}}[A-Za-z0-9][A-Za-z0-9_=.-]{{15,300}}(?<![.=-]))(?![A-Za-z0-9_/+-])",
    False,
    512,
    _LIKELY,
)
