"""What the words before a value say about it: which service, how surely a secret, or that it is none.

A *name* is the identifier or phrase before the value, such as `client.apiSecretKey` or `Trello API token`. Leaves out: the value.
"""

from __future__ import annotations

import re
from enum import IntEnum
from itertools import pairwise

from affiant.guards.detectors.secrets.services import COMMON, DISTINCT, words

_PIECE = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_RUN = re.compile(r"[A-Za-z][A-Za-z0-9]*")

PASSWORDS = words(
    "pass passwd password passwords pwd passphrase passcode kennwort passwort contrasena contraseña senha motdepasse wachtwoord pw psw pswd"
)
SURE = words(
    "secret secrets token tokens bearer credential credentials creds cred apikey authtoken accesskey secretkey pat apitoken psk unseal"
)
_PAIRS = frozenset(
    f"{word} key"
    for word in words(
        """
        api access auth private secret signing encryption master account deploy license licence service app application server client
        shared admin root insert ingest ingestion write read subscription consumer developer dev security stream integration user
        storage session function project webhook salt hmac aes jwt unseal login personal org organization team routing
        """
    )
) | {"cookie secret", "master password", "session secret"}
_WEAK = words("key keys auth authorization access private login session dsn authentication")
_NOT = words(
    """
    public pub publickey hash hashes sha sha1 sha256 sha512 md5 checksum digest integrity etag fingerprint thumbprint keyboard keycode
    keyword keywords monkey tokenizer csrf xsrf nonce cursor pagination continuation next page idempotency trace traceparent span commit
    revision rev blob tree i18n locale translation placeholder css sort partition foreign primary object cache row column index etags
    manifest layer image images svg icon signature sig crc guid uuid kid x5t jti sri resume sync vocab pad eos bos unk sep cls mask
    version build correlation request ssh rsa ed25519 ecdsa certificate cert host known test_id pod template
    """
)
_NOT_LAST = words(
    """
    id ids name names path paths file files filename dir url uri urls endpoint type types label length len size count counts ttl expires
    expiry expiration expired expire at field fields header headers prefix suffix regex pattern format param params column policy
    version description help hint error errors message msg title text class style limit usage provider store manager service
    handler role arn alias ref mode algorithm alg position event events map board list enabled required identifier identifiers valid
    function func method callback getter lifetime duration date time timestamp address kind scope scopes status state bytes bits age
    rotation location bucket namespace issuer audience max min spec pair chars charset alphabet re regexp budget
    ring vault backend source cost price
    """
)


_HEADS = frozenset(name[:cut] for name in DISTINCT | COMMON for cut in range(1, len(name)))
_LONGEST = max(len(name) for name in DISTINCT)


class Strength(IntEnum):
    """How surely a name names a secret."""

    NONE = 0
    WEAK = 1
    SURE = 2
    PASSWORD = 3


def pieces(text: str) -> list[str]:
    """Words of identifiers, lower case: camel and snake case, dots and hyphens split."""
    return [piece.lower() for piece in _PIECE.findall(text)]


def service(text: str, *, near: bool = True) -> str:
    """The last known service in a text, or "".

    Args:
        text: what stands before the value.
        near: whether names that are everyday words count too.
    """
    parts = [word.lower() for word in _PIECE.findall(text)]
    best = ""
    for place, word in enumerate(parts):
        joined, after, found = word, place + 1, ""
        while True:
            if joined in DISTINCT or (near and joined in COMMON):
                found = joined
            if joined not in _HEADS or after >= min(len(parts), place + 4):
                break
            joined += parts[after]
            after += 1
        best = found or best
    return best or next((name for run in _RUN.findall(text) if (name := _glued(run.lower()))), "")


def _glued(run: str) -> str:
    """The service that a run of letters begins with, such as `sherpadesksecret`."""
    if run[:4] in _HEADS:
        for cut in range(min(len(run), _LONGEST), 3, -1):
            if run[:cut] in DISTINCT:
                return run[:cut]
    return ""


def strength(parts: list[str]) -> Strength:
    """How surely words of one identifier name a secret."""
    if not parts:
        return Strength.NONE
    last = next((word for word in reversed(parts) if not word.isdigit()), parts[-1])
    if last in _NOT_LAST or _NOT & set(parts):
        return Strength.NONE
    if PASSWORDS & set(parts):
        return Strength.PASSWORD
    joined = "".join(parts)
    if SURE & set(parts) or any(f"{first} {second}" in _PAIRS for first, second in pairwise(parts)):
        return Strength.SURE
    if "apikey" in joined or "secret" in joined or "token" in joined or "accesskey" in joined:
        return Strength.SURE
    if any(word in joined for word in ("passwd", "password", "passphrase")):
        return Strength.PASSWORD
    if _WEAK & set(parts) or joined.endswith("key") or last == "api":
        return Strength.WEAK
    return Strength.NONE
