"""How a token with a form of its own is written down: a head that nothing else has, then an alphabet and a length.

`form` turns one such row into a `Pattern`: the head and the least length for the automaton, and for Python the whole token with
its borders. Leaves out: the rows (`cloud`, `code`, `services_*` …) and the judging of hits (`judge`).
"""

from __future__ import annotations

from affiant.guards.scan import Pattern

ALNUM = "[A-Za-z0-9]"
WORD = "[A-Za-z0-9_-]"
LOWER = "[a-z0-9]"
UPPER = "[A-Z0-9]"
HEX = "[0-9a-f]"
ANYHEX = "[0-9a-fA-F]"
BASE64 = "[A-Za-z0-9+/]"
DOTTED = "[A-Za-z0-9_.-]"
UUID = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"

LEFT = r"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2}))"
"""What may stand before a token: no character of a token, but the end of an escape."""
RIGHT = "(?![A-Za-z0-9_-])"
PREFIX = "SECRET/"
TRUSTED, USUAL = 1_000_000, 900_000


def form(kind: str, head: str, alphabet: str = "", least: int = 0, most: int = 0, *, case: bool = True) -> Pattern:
    """A pattern for tokens `head` + `least` to `most` characters of `alphabet`.

    Args:
        kind: what the token opens, such as `stripe_secret_key`.
        head: regular expression, in the automaton's subset, of what comes first; the whole token where `alphabet` is "".
        alphabet: character class of the rest.
        least: characters of the rest at least.
        most: at most; 0: four times `least` (tokens grow over the years).
        case: whether case matters.
    """
    if not alphabet:
        return Pattern(kind, PREFIX + kind, head, f"{LEFT}(?P<v>{head}){RIGHT}", not case, 512, USUAL)
    body = f"{head}{alphabet}{{{least},{most or 4 * least}}}"
    return Pattern(kind, PREFIX + kind, f"{head}{alphabet}{{{least}}}", f"{LEFT}(?P<v>{body})(?!{alphabet})", not case, 2048, USUAL)


def open_form(kind: str, gate: str, exact: str, *, case: bool = True, width: int = 2048, score_ppm: int = USUAL) -> Pattern:
    """A pattern whose Python part is written out; group `v` is the secret."""
    return Pattern(kind, PREFIX + kind, gate, exact, not case, width, score_ppm)
