"""Values known by what stands before them: `API_KEY=…`, `"secret": "…"`, `--token …`, `<password>…`, "the password is …".

A gate finds words such as *key*, *token* or the name of a service; from there one Python pattern reads the rest of the identifier,
the separator and the value, and the decision weighs three things: how surely the name names a secret (`names`), how firmly the
separator binds, and what the value looks like (`shapes`). Leaves out: tokens with a form of their own.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable

from affiant.guards.detectors.secrets.form import PREFIX, RIGHT
from affiant.guards.detectors.secrets.names import PASSWORDS, Strength, pieces, service, strength
from affiant.guards.detectors.secrets.services import COMMON, DISTINCT, HOSTING, words
from affiant.guards.detectors.secrets.shapes import (
    in_sequence,
    is_hex,
    is_uuid,
    letter_score,
    machinery,
    placeholder,
    random_looking,
    transitions,
    wordiness,
)
from affiant.guards.scan import Candidate, Found, Pattern

FIRM, LOOSE, SPACE = 2, 1, 0
_NEAR, _FAR, _BESIDE = 48, 128, 16  # characters before the word in which the name, and a service, may stand
GATE = (
    "passw|pwd|passphrase|passcode|kennwort|contrase|senha|secret|token|key|auth|bearer|cred|private|access|login|psk|dsn|unseal"
    "|[_.-]pat|[_.-]api"
)

_QUOTED = r"(?P<q>\\?[\"'`]+)(?P<qv>[^\n]{4,300}?)(?P=q)"
_OPEN = r"(?P<v>[^\s\"'`,;<>(){}\[\]|\\=]{4,400}={0,2})"
_SCHEME = r"(?:(?:Bearer|Basic|Token|ApiKey|Digest|OAuth|SSWS|GenieKey|Splunk|Bot|Key|token|bearer)[ =:]{1,2}(?:token=)?)?"
_ASSIGN = re.compile(
    r"(?P<rest>[A-Za-z0-9_$]{0,24}(?:[ .-][A-Za-z_][A-Za-z0-9_]{0,20}){0,2}?(?: \d{1,2})?)"
    r"(?P<close>\\?[\"'`*\])}]{0,4})"
    r"(?:\s?: ?(?:[A-Za-z_.]{1,20}(?:<[A-Za-z]{1,12}>)?|\&'?[a-z ]{0,10}str)(?= ?=))?"
    r"[ \t]{0,20}"
    r"(?P<sep>=>|:{1,3}=|[?.+]=|\|\|=?|->|={1,3}|!==?|::?|→|%3[dD]|, ?(?=[\"'`\\])|\( ?(?=[\"'`\\])|>"
    r"|[ \t]{1,4}(?:value|content|default|data)[ \t]?=[ \t]?"
    r"|[ \t]{1,3}(?:is|was|are|lautet|es|est)(?: set to| now|:)?[ \t]{1,3}|\|)"
    r"[ \t]{0,12}(?:\r?\n[ \t]{1,16}(?=[\"'`]))?"
    r"(?:[A-Za-z_.$]{1,40}(?:\([^()\n]{0,60}\))? ?(?:\|\||\?\?|or) ?)?"
    r"[\[({@]{0,2}(?:[bruf]{1,2}(?=[\"']))?"
    rf"(?:\\?[\"'`]{{0,3}}(?<=[\"'`]){_SCHEME}(?P<s>[A-Za-z0-9+/=_.~:%-]{{8,400}})(?=\\?[\"'`])|{_SCHEME}(?:{_QUOTED}|{_OPEN}))"
)
_SPACED = re.compile(
    r"(?P<rest>(?:(?:key|token|secret|access|private|api|id|code|auth|value)s?|[A-Za-z]{0,10}?)"
    r"(?:[ _-]?(?:key|token|secret|access|private|api|value|samplekey)s?){0,3})"
    r"(?P<sep>[ \t]{1,4}|[ \t]?\r?\n[ \t]{0,8}|[-_:=#]{1,2}|[ \t]?[-:=][ \t]?|[\"'`][ \t]{1,3})[ \t]{0,2}(?P<q>[\"'`]?)"
    r"(?P<v>[A-Za-z0-9][A-Za-z0-9+/_.:~@%$!-]{7,300}={0,2})",
    re.IGNORECASE,
)
_SERVICE = re.compile(
    r"(?P<rest>[A-Za-z0-9_.-]{0,20}?)(?P<close>\\?[\"'`\])]{0,3})(?P<sep>[ \t]{0,4}(?:=>|:=|[=:])[ \t]{0,4}|[ \t]{1,2})(?P<q>\\?[\"'`]?)"
    rf"(?P<v>[A-Za-z0-9][A-Za-z0-9+/_=.:~-]{{15,300}}){RIGHT}"
)
_BELOW = re.compile(
    r"(?P<rest>(?:[ ,]{1,2}[A-Za-z0-9'’_-]{1,20}){0,12}[ \t]?[:.]?)[ \t]*\r?\n(?:[ \t]*(?:`{3}[a-z]{0,12})?[ \t]*\r?\n){0,2}"
    r"[ \t>]{0,8}[\"'`]?(?P<v>[A-Za-z0-9][A-Za-z0-9+/_.~-]{15,300}={0,2})[\"'`]?[ \t]*(?=\r?\n|$)"
)
"""A value alone on a line below words that announce it, also as a block of code."""
_IDENTIFIER = string.ascii_letters + string.digits + "_$.-"
_PHRASE = _IDENTIFIER + " \"'[]"
_QUALIFIERS = words("api app my prod dev stage staging live test v1 v2 default value io com account pat apikey cfg conf config")
_OWN = words(
    "api key token secret access auth private client my the a your our test app user service value id x http authorization bearer this is"
)
_EQUALS = ("=", "=>", ":=")
_LETTERS_ALONE = re.compile(r"[A-Za-z]{8,32}")
_DULL = re.compile(r"(?i)^(?:pass(?:word|wd|phrase)?|secret|current.*|new.*|old.*|user.*|admin.*|login.*|confirm.*|.*field|.*input|text)$")
_STATES = words(
    "required invalid incorrect wrong empty optional missing password secret expired correct valid accepted rejected changed reset stored"
    " hashed encrypted hidden masked short strong weak plaintext unknown needed protected"
)
_SOLID = re.compile(r"[A-Za-z0-9]+(?:-[A-Z0-9]+)*")
_KEYWORDS = re.compile(r"(?i)key|token|secret|passw")
_DIGEST = re.compile(r"(?i)(?:sha-?\d{1,3}|md5)[=:-]?$")
_BESIDE_KEY = re.compile(r"(?i)[_ -](?:key|token|access|private)$")
"""A word that is joined to the name of a service by a separator, as in `box-key`, not by a dot or camel case."""
_TOKEN = re.compile(r"[A-Za-z0-9+/=~-]+(?:[._][A-Za-z0-9+/=~-]+){0,2}")
_DIGIT = re.compile(r"\d")
_BLANK = re.compile(r"\s")
_NEXT = re.compile(r"&(?=[A-Za-z_]{1,30}=)|%26")
_NEARLY = re.compile(r"[a-z]+\d|(?i:base64|sha\d+|md5|utf-?\d+|scram-sha-\d+|aes-?\d+\w*|hs256|rs256|argon2\w*|pbkdf2\w*|oauth2|ipv[46])")
_AWS_SECRET = 40  # characters of each secret access key; a digest of another length beside the name of AWS is none
_HEX_PASSWORD = 32  # digits of a hexadecimal password that a program drew; digests of files are longer
_ID_HEX = (32, 40, 56, 64, 96, 128)


def _lead(candidate: Candidate) -> str:
    """The part of the identifier before the word."""
    return _ending(candidate.before(_NEAR), _IDENTIFIER)


def _ending(text: str, chars: str) -> str:
    """The longest end of a text that consists of some characters."""
    return text[len(text.rstrip(chars)) :]


def _strength(candidate: Candidate, rest: str, word: str, lead: str) -> tuple[Strength, list[str]]:
    """How surely the identifier that holds the word names a secret, and its words; a weak one may gain from the words before it."""
    parts = pieces(lead + word + rest)
    sure = strength(parts)
    if sure is Strength.WEAK:  # `Trello secret key`, `api key`
        wider = strength(pieces(_ending(candidate.before(24), _PHRASE) + word + rest))
        if wider is Strength.SURE:
            return wider, parts
    return sure, parts


def _service(candidate: Candidate, rest: str, word: str, lead: str) -> str:
    """The service named by the identifier, the line before it, or the lines before that."""
    before = candidate.before(_FAR)
    line = before[before.rfind("\n") + 1 :]
    return service(lead + word + rest) or service(line[-_BESIDE:]) or service(line, near=False) or service(before, near=False)


def _binding(sep: str) -> int:
    stripped = sep.strip()
    if not stripped or stripped in ("-", "_", "#", "--", "__"):
        return SPACE
    if stripped in ("->", "|", "→", "!=", "!==") or (stripped[0].isalpha() and "=" not in stripped):
        return LOOSE
    return FIRM


def _password(value: str, quoted: bool) -> bool:
    """Whether a value may be a password: no word, no placeholder, mixed enough."""
    size = len(value)
    if size < (6 if quoted else 7) or size > 128 or _BLANK.search(value) or value[0] == "-" or len(set(value)) < 5:
        return False
    digits = sum(map(str.isdigit, value))
    letters = sum(map(str.isalpha, value))
    marks = size - digits - letters
    if digits == size or _NEARLY.fullmatch(value) or (is_hex(value) and size in (40, 64)):
        return False
    if digits and letters:
        return True
    if letters >= 12 and not marks:
        return wordiness(value) < 0.3 and letter_score(value) < 4.2
    return marks >= 2 and letters >= 3 and size >= 8 and wordiness(value) < 0.6 and value[0] not in "#./-+@"


def _plausible(value: str) -> bool:
    """Whether a value may be a key of a service that was named: long enough, no words; sequences count."""
    size = len(value)
    if size < 8 or len(set(value)) < 5:
        return False
    digits = sum(map(str.isdigit, value))
    if digits == size:
        return size >= 15
    if digits >= 2 and wordiness(value) <= 0.5:
        return size >= 12 or transitions(value) >= 3
    return random_looking(value, 14) or (size >= 20 and in_sequence(value) > 0.4)


def _of_password(value: str, binding: int, quoted: bool, flag: bool, literal: bool) -> int:
    if binding == SPACE and not flag:
        return 0
    if binding == LOOSE and quoted and 6 <= len(value) <= 40 and value.lower() not in _STATES and value.isascii() and value.isalnum():
        return 550_000
    if _password(value, quoted) and not machinery(value):
        return 700_000
    return 500_000 if quoted and literal and _LETTERS_ALONE.fullmatch(value) and not _DULL.search(value) else 0


def _of_nobody(sure: Strength, parts: list[str], binding: int, value: str) -> int:
    """Score of a value that no service is named for."""
    if in_sequence(value) > 0.4:
        named = sure is Strength.SURE and len(value) >= 20 and transitions(value) >= 1 and not _OWN.issuperset(parts)
        return 550_000 if named and in_sequence(value) < 0.85 else 0
    if is_uuid(value):
        return 650_000 if sure is Strength.SURE and binding >= FIRM else 0
    if sure is Strength.SURE:
        return 700_000 if random_looking(value, 10 if binding == FIRM else 16) else 0
    if is_hex(value) and len(value) in _ID_HEX:
        return 0
    return 600_000 if random_looking(value, 16 if binding == FIRM else 24) else 0


def _trim(value: str) -> str:
    return _NEXT.split(value, maxsplit=1)[0].rstrip(".,:;!?)")


def assigned(candidate: Candidate) -> Iterable[Found]:
    """The secret value after a word such as *key*, if there is one."""
    text, word = candidate.text, candidate.value
    lead = _lead(candidate)
    if len(lead) >= _NEAR or random_looking(lead, 10):  # no name is that long, or drawn at random
        return ()
    match = _ASSIGN.match(text, candidate.end)
    if match:
        found = _judged(candidate, word, match, match["qv"] is not None or match["s"] is not None)
        if found:
            return found
    match = _SPACED.match(text, candidate.end)
    found = _judged(candidate, word, match, bool(match["q"])) if match else ()
    return found or _below(candidate, word)


def _below(candidate: Candidate, word: str) -> tuple[Found, ...]:
    """The random-looking value that stands alone on a line below the words that speak of it."""
    match = _BELOW.match(candidate.text, candidate.end)
    if match is None:
        return ()
    value, line = match["v"], candidate.before(_NEAR).rpartition("\n")[2]
    sure = strength(pieces(line + word + match["rest"]))
    if sure <= Strength.WEAK or placeholder(value) or machinery(value) or is_uuid(value) or in_sequence(value) > 0.4:
        return ()
    if is_hex(value) and (sure is not Strength.PASSWORD or len(value) != _HEX_PASSWORD):
        return ()
    if not random_looking(value, 16) or not _DIGIT.search(value):
        return ()
    kind = "password" if sure is Strength.PASSWORD else "generic_secret"
    return (Found(match.start("v"), match.end("v"), PREFIX + kind, 600_000),)


def _judged(candidate: Candidate, word: str, match: re.Match[str], quoted: bool) -> tuple[Found, ...]:
    groups = match.groupdict()
    group = next(key for key in ("s", "qv", "v") if groups.get(key))
    value, start = match[group], match.start(group)
    if not quoted:
        value = _trim(value)
    if _no_value(candidate.text, value, start, match["sep"], quoted):
        return ()
    lead = _lead(candidate)
    sure, parts = _strength(candidate, match["rest"], word, lead)
    if sure is Strength.NONE or placeholder(value) or ("\n" in match["sep"] and sure is Strength.WEAK):
        return ()
    binding = FIRM if word.lower() == "bearer" else _binding(match["sep"])
    if sure is Strength.PASSWORD:
        kind, score = (
            "password",
            _of_password(value, binding, quoted, lead.endswith("-"), parts[-1] in PASSWORDS and match["sep"].strip() in _EQUALS),
        )
    elif not _plausible(value) or machinery(value) or _BLANK.search(value) or _DIGEST.search(candidate.text, max(0, start - 12), start):
        return ()
    else:
        kind, score = _of_key(candidate, _service(candidate, match["rest"], word, lead), sure, parts, binding, value, quoted)
    return (Found(start, start + len(value), PREFIX + kind, score),) if score else ()


def _no_value(text: str, value: str, start: int, sep: str, quoted: bool) -> bool:
    """Whether what follows the separator is a call, the rest of a slug, an identifier or far too long for words."""
    if not quoted and (text.startswith(("(", "["), start + len(value)) or (_KEYWORDS.search(value) and wordiness(value) > 0.3)):
        return True
    if sep in ("-", "_") and not (_SOLID.fullmatch(value) or wordiness(value) < 0.2):
        return True
    return len(value) > 64 and not _DIGIT.search(value)


def _of_key(candidate: Candidate, whose: str, sure: Strength, parts: list[str], binding: int, value: str, quoted: bool) -> tuple[str, int]:
    """Kind and score of a value that a name of a key stands before."""
    weak = sure is Strength.WEAK
    if whose == "aws" and is_hex(value) and len(value) != _AWS_SECRET:
        return "", 0
    if whose and not (weak and (whose in COMMON and not _BESIDE_KEY.search(candidate.before(1) + candidate.value))):
        return whose, 0 if weak and whose in HOSTING and is_hex(value) else 800_000
    if weak and not quoted and not _TOKEN.fullmatch(value):
        return "", 0
    return "generic_key" if weak else "generic_secret", _of_nobody(sure, parts, binding, value)


def of_service(candidate: Candidate) -> Iterable[Found]:
    """The random-looking value directly after the name of a service."""
    text = candidate.text
    match = _SERVICE.match(text, candidate.end)
    if not match:
        return ()
    lead = _lead(candidate)
    whose = candidate.pattern.rule
    value = _trim(match["v"])
    if lead[-1:].isalnum() and not candidate.value[0].isupper():
        return ()
    if not _QUALIFIERS.issuperset(pieces(match["rest"])):
        return ()
    if (
        placeholder(value)
        or machinery(value)
        or not random_looking(value, 16)
        or not _DIGIT.search(value)
        or (whose in HOSTING and is_hex(value))
    ):
        return ()
    if "public" in pieces(lead) or lead.endswith(("/", ".", "@")):
        return ()
    return (Found(match.start("v"), match.start("v") + len(value), PREFIX + whose, 600_000),)


WORDS = (Pattern("word", PREFIX + "generic_secret", GATE, "", True, 24, 700_000),)
SERVICES = tuple(Pattern(name, PREFIX + name, name, "", True, 32, 600_000) for name in sorted(DISTINCT) if len(name) >= 5)
"""One literal a service: a set of literals compiles far faster than one alternation."""
