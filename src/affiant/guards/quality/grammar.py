"""A grammar that somebody sent, made safe to check texts against: Lark, a regular expression, or a list of choices.

Lark and expressions are read by the engine that providers of models use themselves, so that a grammar means the same here and there. It is
bounded before it is compiled, and its work is counted while a text is read: what takes too much is told as that, never waited for. The
engine keeps what a text made it build, so that each check has one of its own. Leaves out: where grammars stand in requests
(`structured`), and the depth of a Lark definition (`grammar_read`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import msgspec
from llguidance import LLInterpreter, LLMatcher, LLParserLimits, LLTokenizer

from affiant.guards.quality import grammar_read
from affiant.guards.quality.schema import SchemaRefused

LARK, REGEX = "lark", "regex"
SYNTAXES = (LARK, REGEX)
AGAINST, NOT_A_CHOICE = "grammar", "choice"
MAX_BYTES = 32_768
"""Of a definition, or of all choices."""
MAX_TEXT_BYTES = {LARK: 65_536, REGEX: 1_048_576}
"""Of a text that is checked."""
MAX_WORK = 200_000_000
"""Work of the parser that one text may take under a Lark definition: of each byte the square of the items that it led to, since each
is compared with the others."""
MAX_FUEL = 200_000
"""Work on automata that compiling and one text may take together."""
MAX_FUEL_COMPILING = 50_000
"""Work on automata that compiling alone may take."""
_MAX_ROW, _MAX_SYMBOLS, _PIECE = 1_000, 20_000, 1_024
_BYTES = LLTokenizer("byte")
_HEAD = '%llguidance {"no_forcing": true}\n'
"""What must follow is not looked for ahead: where it never ends (`"a" /a+/ "ab"`), neither would the engine."""


def _limits(fuel: int) -> LLParserLimits:
    return LLParserLimits(
        max_items_in_row=_MAX_ROW, initial_lexer_fuel=fuel, step_lexer_fuel=fuel, step_max_items=20_000, max_grammar_size=_MAX_SYMBOLS,
        precompute_large_lexemes=True, verbose_errors=False,
    )  # fmt: skip


_COMPILING, _CHECKING = _limits(MAX_FUEL_COMPILING), _limits(MAX_FUEL)


@dataclass(frozen=True, slots=True)
class Choices:
    """Texts of which one was asked."""

    texts: frozenset[str]

    def fault(self, text: str) -> str:
        """As `Form` (`schema`)."""
        return "" if text in self.texts else NOT_A_CHOICE


class Grammar:
    """A grammar that texts can be checked against, each as a whole. Immutable; one may serve several threads.

    Args:
        syntax: `lark` or `regex`.
        definition: as it was sent.

    Raises:
        SchemaRefused: it is not safe, or no grammar.
    """

    def __init__(self, syntax: str, definition: str) -> None:
        self.syntax, self.definition = syntax, definition
        if syntax == LARK:
            grammar_read.bound(definition)
            self._told = msgspec.json.encode({"grammars": [{"lark_grammar": _HEAD + definition}]}).decode()
        else:
            self._told = LLMatcher.grammar_from_regex(definition)
        if LLMatcher(_BYTES, self._told, log_level=0, limits=_COMPILING).is_error():
            raise SchemaRefused("grammar_not_usable", "It cannot be compiled, or takes too much to; correct it, or make it smaller.")

    def fault(self, text: str) -> str:
        """As `Form` (`schema`)."""
        data = text.encode("utf-8", "surrogatepass")
        if len(data) > MAX_TEXT_BYTES[self.syntax]:
            raise SchemaRefused("too_long", f"It has {len(data):,} bytes; at most {MAX_TEXT_BYTES[self.syntax]:,} are checked.")
        return "" if (self._parses(data) if self.syntax == LARK else self._matches(data)) else AGAINST

    def _matches(self, data: bytes) -> bool:
        """By an automaton alone: its work has a bound over all of the text."""
        matcher = LLMatcher(_BYTES, self._told, log_level=0, limits=_CHECKING)
        for at in range(0, len(data), _PIECE):
            piece = list(data[at : at + _PIECE])
            if matcher.try_consume_tokens(piece) < len(piece):
                if matcher.is_error():
                    raise _too_much()
                return False
        return matcher.is_accepting()

    def _parses(self, data: bytes) -> bool:
        """Byte by byte, since the parser has a bound for one step only: what all steps took is counted here."""
        parser = LLInterpreter(_BYTES, self._told, enable_backtrack=False, enable_ff_tokens=False, log_level=0, limits=_CHECKING)
        work = fuel = 0
        try:
            for byte in data:
                allowed, told = parser.compute_mask()
                step = _decode(told)
                work += sum(each.stats.all_items**2 for each in step.progress if each.stats)
                fuel += sum(each.stats.lexer_cost for each in step.progress if each.stats)
                if work > MAX_WORK or fuel > MAX_FUEL:
                    raise _too_much()
                if step.stop or allowed is None or not allowed[byte]:
                    return False
                parser.commit_token(byte)
            return parser.is_accepting()
        except SchemaRefused:
            raise
        except ValueError:
            raise _too_much() from None


class _Stats(msgspec.Struct):
    all_items: int = 0
    lexer_cost: int = 0


class _Progress(msgspec.Struct):
    stats: _Stats | None = None


class _Step(msgspec.Struct):
    progress: list[_Progress]
    stop: bool


_decode = msgspec.json.Decoder(_Step).decode


def _too_much() -> SchemaRefused:
    return SchemaRefused("too_much_work", "Checking this text takes too much; make the grammar less ambiguous, or recursive to the left.")


def grammar(syntax: str, definition: str) -> Grammar:
    """A grammar by its content; the last ones are kept, those that were refused too.

    Raises:
        SchemaRefused: as `Grammar`, or its syntax is none that is known.
    """
    if syntax not in SYNTAXES:
        raise SchemaRefused("grammar_not_usable", "Its syntax is neither `lark` nor `regex`.")
    if len(definition.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise SchemaRefused("grammar_too_large", f"It has more than {MAX_BYTES:,} bytes.")
    kept = _kept(syntax, definition)
    if isinstance(kept, SchemaRefused):
        raise SchemaRefused(kept.code, str(kept))
    return kept


def choices(texts: Sequence[str]) -> Choices:
    """Choices by their content.

    Raises:
        SchemaRefused: they are too large.
    """
    if sum(len(each.encode("utf-8", "surrogatepass")) for each in texts) > MAX_BYTES:
        raise SchemaRefused("grammar_too_large", f"Its choices have more than {MAX_BYTES:,} bytes.")
    return Choices(frozenset(texts))


@lru_cache(maxsize=128)
def _kept(syntax: str, definition: str) -> Grammar | SchemaRefused:
    try:
        return Grammar(syntax, definition)
    except SchemaRefused as refusal:
        return refusal
    except UnicodeError:
        return SchemaRefused("grammar_not_usable", "It holds a character that no text can hold.")
