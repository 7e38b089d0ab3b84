"""Links of an answer that may harm whoever follows them: by scheme, by host, by what they show and where they lead.

An address is read as a browser reads it, without looking anything up. Leaves out: whether a host answers, and reputation lists.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from affiant.guards.quality.model import FULL, Code, Finding
from affiant.guards.text import Folded

_MAX_URL = 2_048
_LINK = re.compile(
    rf"(?P<scheme>[a-z][a-z0-9+.-]{{1,20}}):(?P<rest>//[^\s<>\"'`\]]{{1,{_MAX_URL}}}|[^\s<>\"'`\])]{{1,{_MAX_URL}}})", re.IGNORECASE
)
_SHOWN = re.compile(r"\[(?P<shown>[^\[\]\n]{1,200})\]\(\s*<?(?P<target>[a-z][a-z0-9+.-]{1,20}:[^\s)>]{1,2048})", re.IGNORECASE)
_HOST_IN_TEXT = re.compile(r"(?:https?://)?((?:[a-z0-9-]{1,63}\.){1,5}[a-z]{2,24})(?=[/:\s]|$)", re.IGNORECASE)
_SAFE = frozenset({"http", "https", "mailto", "tel", "sms", "geo", "doi", "urn", "isbn"})
_DANGEROUS = frozenset(
    {"javascript", "vbscript", "data", "file", "blob", "filesystem", "view-source", "ms-msdt", "search-ms", "jar", "about"}
)
_SHORTENERS = frozenset(
    ("bit.ly", "tinyurl.com", "t.co", "goo.gl", "ow.ly", "is.gd", "buff.ly", "cutt.ly", "rebrand.ly", "shorturl.at", "rb.gy", "tiny.cc",
     "v.gd", "t.ly", "bl.ink", "lnkd.in", "s.id", "soo.gd", "adf.ly", "qr.ae", "trib.al", "x.gd", "dub.sh")
)  # fmt: skip
_KNOWN = (
    "google", "microsoft", "apple", "amazon", "paypal", "facebook", "instagram", "netflix", "github", "linkedin", "dropbox", "whatsapp",
    "twitter", "yahoo", "ebay", "chase", "wellsfargo", "coinbase", "binance", "office365", "outlook", "openai", "anthropic", "stripe",
)  # fmt: skip
_LEET = str.maketrans("013457", "oleast")
_NUMERIC = re.compile(r"(?:0x[0-9a-f]{1,16}|\d{1,20})(?:\.(?:0x[0-9a-f]{1,8}|\d{1,8})){0,3}\.?", re.IGNORECASE)
_HOST = re.compile(r"[^/?#\\]*")


@dataclass(frozen=True, slots=True)
class Address:
    """An address, taken apart.

    Args:
        scheme: lower case.
        user: whether it carries a user name or password.
        host: lower case, as written; "" where the scheme has none.
    """

    scheme: str
    user: bool
    host: str


def parse(url: str) -> Address:
    """Take an address apart, leniently, as browsers do: backslashes are slashes, the last `@` ends the user part."""
    scheme, _, rest = url.partition(":")
    rest = rest.replace("\\", "/")
    if not rest.startswith("//"):
        return Address(scheme.lower(), False, "")
    match = _HOST.match(rest.lstrip("/"))
    authority = match.group() if match else ""
    user, at, host = authority.rpartition("@")
    host = host.partition("]")[0] + "]" if host.startswith("[") else host.partition(":")[0]
    return Address(scheme.lower(), bool(at and user), host.lower().rstrip("."))


def unsafe(text: str, domains: tuple[str, ...] | None = None) -> Iterator[Finding]:
    """Links that may harm, each once, with the worst reason.

    Args:
        text: of the answer.
        domains: hosts allowed, with what lies below them; None: any.
    """
    if ":" not in text:
        return
    for match in _LINK.finditer(text):
        scheme = match.group("scheme").lower()
        if scheme not in _SAFE and scheme not in _DANGEROUS and not match.group("rest").startswith("//"):
            continue
        if scheme in _DANGEROUS and not match.group("rest").startswith("//") and not _acts(scheme, match.group("rest")):
            continue
        end = match.start() + len(match.group().rstrip(".,;:!?)"))
        reason = _reason(parse(text[match.start() : end]), domains)
        if reason:
            yield Finding(Code.UNSAFE_LINK, match.start(), end, reason[1], reason[0])
    for match in _SHOWN.finditer(text):
        said = _HOST_IN_TEXT.fullmatch(match.group("shown").strip().partition("/")[0]) or _HOST_IN_TEXT.match(match.group("shown").strip())
        host = parse(match.group("target")).host
        if said and host and not _below(host, _bare(said.group(1))) and not _below(_bare(said.group(1)), _bare(host)):
            yield Finding(Code.UNSAFE_LINK, match.start("shown"), match.end("target"), FULL, "leads elsewhere")


def _acts(scheme: str, rest: str) -> bool:
    """Whether a dangerous scheme is used and not only named, as in *the data: see below*."""
    if scheme == "data":
        return re.match(r"[\w.+-]*/?[\w.+-]*(?:;[\w=-]+){0,4},", rest) is not None
    return scheme in ("javascript", "vbscript", "view-source", "blob", "ms-msdt", "search-ms", "jar") and len(rest) > 2


def _bare(host: str) -> str:
    return host.lower().removeprefix("www.")


def _below(host: str, domain: str) -> bool:
    return host == domain or host.endswith("." + domain)


def _reason(address: Address, domains: tuple[str, ...] | None) -> tuple[str, int] | None:
    """What is wrong with an address, and how sure that is."""
    if address.scheme in _DANGEROUS:
        return f"{address.scheme} scheme", FULL
    if address.scheme not in _SAFE:
        return "unusual scheme", 700_000
    if not address.host:
        return None
    if address.user:
        return "credentials", FULL
    if address.host.startswith("[") or _NUMERIC.fullmatch(address.host):
        return "numeric host", 900_000
    reason = _disguised(address.host)
    if reason:
        return reason
    if any(_below(address.host, shortener) for shortener in _SHORTENERS):
        return "shortener", 800_000
    if domains is not None and not any(_below(address.host, domain.lower()) for domain in domains):
        return "domain not allowed", FULL
    return None


def _disguised(host: str) -> tuple[str, int] | None:
    """Hosts that look like another's: mixed scripts, punycode, a known name with exchanged letters."""
    labels = host.split(".")
    plain = []
    for label in labels:
        read = label
        if label.startswith("xn--"):
            try:
                read = label[4:].encode("ascii").decode("punycode")
            except (UnicodeError, ValueError):
                return "broken punycode", FULL
        scripts = {unicodedata.name(char, "OTHER").partition(" ")[0] for char in read if char.isalpha()}
        folded = Folded(read).text
        if scripts - {"LATIN"} and ("LATIN" in scripts or folded.isascii()):
            return "look-alike letters", FULL
        plain.append(folded)
    name = plain[-2] if len(plain) > 1 else plain[0]
    if name.translate(_LEET) in _KNOWN and name not in _KNOWN:
        return "look-alike name", 900_000
    if any(label.startswith("xn--") for label in labels):
        return "punycode", 500_000
    if any(known in plain[:-2] for known in _KNOWN) and not any(name.startswith(known) for known in _KNOWN) and len(plain) > 2:
        return "known name below another", 600_000
    return None
