"""Words of a text as the groundedness features compare them: folded, stemmed, numbers by value, with offsets.

A text is read once, in time linear in its length. Han and kana have no spaces: each character is a word there, and n-grams
of them do the rest. Leaves out: what the words say about each other (`align`, `features`).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from enum import IntEnum

from affiant.guards.grounded.lexicon import LANGUAGES, MONTHS, MULTIPLIERS, NUMBER_WORDS, ORDINALS, STOPS, UNITS

_CJK = "\u3005-\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
_KANA = "\u3041-\u3096"
_TOKEN = re.compile(
    rf"\d{{1,3}}(?: , \d{{3}})+(?!\d)|\d+(?:[.,:]\d+)*(?:(?:st|nd|rd|th)(?![^\W\d_]))?|[{_CJK}{_KANA}]|[^\W\d_{_CJK}{_KANA}]+|[%$€£]"
)
_ELISION = frozenset({"l", "d", "j", "n", "s", "c", "t", "m", "qu"})
_CACHE_LIMIT = 50_000
_MAX_TOKEN = 64
_GROUPED = re.compile(r"\d{1,3}(?:[.,]\d{3})+$")
_GUESS_WORDS = 400


class Kind(IntEnum):
    """What a word is."""

    WORD = 0
    STOP = 1
    NUMBER = 2
    UNIT = 3


@dataclass(frozen=True, slots=True)
class Word:
    """One word.

    Args:
        start: str offset in the text, inclusive.
        end: exclusive.
        folded: lower case, without diacritics.
        stem: what is compared; numbers as `#` and their value.
        kind: what it is.
        capital: whether it begins in upper case.
        opens: whether a sentence begins with it (so that its capital says nothing).
        value: of a number, else 0.
    """

    start: int
    end: int
    folded: str
    stem: str
    kind: Kind
    capital: bool = False
    opens: bool = False
    value: float = 0.0

    @property
    def content(self) -> bool:
        """Whether it carries meaning by itself."""
        return self.kind is not Kind.STOP


def fold(word: str) -> str:
    """Lower case without diacritics: `Élan` and `elan` are alike."""
    low = word.casefold()
    if low.isascii():
        return low
    return "".join(char for char in unicodedata.normalize("NFKD", low) if not unicodedata.combining(char))


_ENDINGS: dict[str, tuple[str, ...]] = {
    "de": ("ungen", "ung", "lichen", "liche", "lich", "ischen", "ische", "isch", "ern", "em", "en", "er", "es", "e", "n", "s", "t"),
    "fr": ("issements", "issement", "ements", "ement", "ations", "ation", "euses", "euse", "eurs", "eur", "aient", "ait", "ant", "ees",
           "ee", "es", "er", "ez", "e", "s"),
    "es": ("aciones", "acion", "amientos", "amiento", "mente", "adores", "ador", "aban", "aba", "ando", "iendo", "aron", "ieron", "ados",
           "adas", "ado", "ada", "idos", "idas", "ido", "ida", "es", "os", "as", "ar", "er", "ir", "o", "a", "e", "s"),
    "it": ("azioni", "azione", "amenti", "amento", "mente", "avano", "ava", "ando", "endo", "ato", "ata", "ati", "ate", "uto", "uta",
           "ito", "ita", "are", "ere", "ire", "o", "a", "e", "i"),
    "pt": ("acoes", "acao", "amentos", "amento", "mente", "avam", "ava", "ando", "endo", "aram", "eram", "ados", "adas", "ado", "ada",
           "idos", "ido", "ida", "es", "os", "as", "ar", "er", "ir", "o", "a", "e", "s"),
    "nl": ("heden", "heid", "ingen", "ing", "lijke", "lijk", "eren", "en", "er", "es", "de", "te", "e", "s", "t"),
}  # fmt: skip
_IRREGULAR_TEXT = (
    "was:be were:be is:be are:be been:be being:be am:be has:have had:have having:have did:do does:do done:do went:go gone:go goes:go"
    " said:say says:say made:make took:take taken:take gave:give given:give came:come saw:see seen:see got:get knew:know known:know"
    " thought:think told:tell became:become left:leave felt:feel put:put brought:bring began:begin begun:begin kept:keep held:hold"
    " wrote:write written:write stood:stand heard:hear meant:mean met:meet ran:run paid:pay sat:sit spoke:speak spoken:speak led:lead"
    " grew:grow grown:grow lost:lose fell:fall fallen:fall sent:send built:build understood:understand drew:draw drawn:draw broke:break"
    " broken:break spent:spend rose:rise risen:rise drove:drive driven:drive bought:buy wore:wear worn:wear chose:choose chosen:choose"
    " won:win shot:shoot caught:catch taught:teach sold:sell fought:fight threw:throw thrown:throw struck:strike sang:sing sung:sing"
    " men:man women:woman children:child people:person feet:foot died:die dies:die dying:die death:die dead:die born:bear bore:bear"
    " founded:found founder:found founding:found lay:lie stole:steal stolen:steal flew:fly flown:fly hid:hide hidden:hide ate:eat"
    " eaten:eat swam:swim beat:beat beaten:beat leaves:leave lives:live wives:wife"
)
_IRREGULAR = dict(pair.split(":") for pair in _IRREGULAR_TEXT.split())
_EN_ENDINGS = ("ations", "ation", "nesses", "ness", "ments", "ment", "ingly", "edly", "ically", "ings", "ing", "ied", "ies", "ers", "er",
               "ed", "ly", "es", "s")  # fmt: skip


def _stem_english(word: str) -> str:
    known = _IRREGULAR.get(word)
    if known:
        return known
    for ending in _EN_ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            if ending == "s" and word[-2] in "su":
                break
            root = word[: -len(ending)]
            if ending in ("ied", "ies"):
                return root + "i"
            if len(root) > 3 and root[-1] == root[-2] and root[-1] not in "lsz":
                root = root[:-1]
            word = root
            break
    if len(word) > 4 and word[-1] == "e":
        word = word[:-1]
    return word[:-1] + "i" if len(word) > 3 and word[-1] == "y" else word


def stem(word: str, language: str) -> str:
    """The stem of a folded word in a language (one of `LANGUAGES`; others as they are)."""
    if len(word) <= 3:
        return _IRREGULAR.get(word, word) if language == "en" else word
    if language == "en":
        return _stem_english(word)
    for ending in _ENDINGS.get(language, ()):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            return word[: -len(ending)]
    return word


def guess_language(text: str) -> str:
    """Which of `LANGUAGES` has most of its commonest words in the beginning of a text; English where none has."""
    sample = [fold(m.group()) for _, m in zip(range(_GUESS_WORDS), _TOKEN.finditer(text), strict=False)]
    scores = {language: sum(word in STOPS[language] for word in sample) for language in LANGUAGES}
    return max(LANGUAGES, key=scores.__getitem__)


def number_value(text: str) -> float:
    """The value of digits as written: `1,000`, `1.000`, `2.5`, `2,5`, `3rd`; a time `10:30` is 1030."""
    digits = text.rstrip("stndrh").replace(" , ", ",")
    if _GROUPED.match(digits):
        digits = digits.replace(",", "").replace(".", "")
    elif digits.count(",") + digits.count(".") + digits.count(":") > 1 or ":" in digits:
        digits = "".join(char for char in digits if char.isdecimal())
    return float(digits.replace(",", ".")[:300])


def number_stem(value: float) -> str:
    """How a number of this value is compared."""
    return f"#{value:.6g}"


@dataclass
class Reader:
    """Reads texts of one language; remembers what it folded.

    Args:
        language: one of `LANGUAGES`.
    """

    language: str = "en"
    _known: dict[str, tuple[str, str, Kind]] = field(default_factory=dict)

    def words(self, text: str, start: int = 0, end: int | None = None) -> list[Word]:
        """All words of `text[start:end]`, in order."""
        found: list[Word] = []
        opens = True
        last_end = start
        stop = len(text) if end is None else end
        for match in _TOKEN.finditer(text, start, stop):
            begin, finish = match.span()
            raw = match.group()
            if not opens and found:
                gap = text[last_end:begin]
                opens = "." in gap or "\n" in gap or "?" in gap or "!" in gap or '"' in gap or "“" in gap
            last_end = finish
            first = raw[0]
            if first.isdecimal():
                value = number_value(raw)
                found.append(Word(begin, finish, raw, number_stem(value), Kind.NUMBER, False, opens, value))
                opens = False
                continue
            if len(raw) > _MAX_TOKEN:
                raw = raw[:_MAX_TOKEN]
            known = self._known.get(raw) or self._learn(raw)
            found.append(Word(begin, finish, known[0], known[1], known[2], first.isupper(), opens, NUMBER_WORDS.get(known[0], 0.0)))
            opens = False
        return _join_numbers(found, text)

    def _learn(self, raw: str) -> tuple[str, str, Kind]:
        folded = fold(raw)
        value = NUMBER_WORDS.get(folded, ORDINALS.get(folded))
        if folded in UNITS:
            result = folded, "u:" + UNITS[folded], Kind.UNIT
        elif value is not None and folded not in ("once", "half", "pair", "second", "one"):
            result = folded, number_stem(value), Kind.NUMBER
        elif folded in STOPS.get(self.language, ()) or folded in _ELISION or (len(folded) == 1 and "\u3041" <= folded <= "\u3096"):
            result = folded, folded, Kind.STOP
        elif folded in MONTHS:
            result = folded, f"month{MONTHS[folded]}", Kind.WORD
        else:
            result = folded, stem(folded, self.language), Kind.WORD
        if len(self._known) < _CACHE_LIMIT:
            self._known[raw] = result
        return result


def _join_numbers(words: list[Word], text: str) -> list[Word]:
    """Give `1.2 million` its value: the multiplier goes into the number before it."""
    if not any(word.kind is Kind.NUMBER for word in words):
        return words
    joined: list[Word] = []
    for word in words:
        factor = MULTIPLIERS.get(word.folded)
        before = joined[-1] if joined else None
        if factor and before is not None and before.kind is Kind.NUMBER and word.start - before.end <= 1 and before.value:
            value = before.value * factor
            joined[-1] = Word(
                before.start, word.end, text[before.start : word.end], number_stem(value), Kind.NUMBER, False, before.opens, value
            )
        else:
            joined.append(word)
    return joined
