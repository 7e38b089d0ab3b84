"""The tagger as one object: arrays in, spans out.

Texts are read in blocks, so memory does not grow with a text beyond its spans, and time is linear in its length.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affiant.guards.names.features import Featurizer, Lexicon
from affiant.guards.names.network import OFFSETS, TAGS, Network, context_rows
from affiant.guards.names.sieve import Sieve
from affiant.guards.names.spans import TYPES, Decoder
from affiant.guards.names.tokens import cut
from affiant.guards.scan import Found

FORMAT = 2
BLOCK = 16_384
KEPT_WORDS = 50_000

Arrays = Mapping[str, NDArray[Any]]
Floats = NDArray[np.float32]


class BadModel(ValueError):
    """The arrays are not a names model of this version; rebuild the weights with `make models`."""


def _wide(arrays: Arrays, name: str) -> Floats:
    """An int8 matrix with one scale per column, as float32."""
    return np.asarray(arrays[name].astype(np.float32) * arrays[name + "_scale"], np.float32)


def _text(arrays: Arrays, name: str) -> list[str]:
    return arrays[name].tobytes().decode("utf-8").split("\n")


def lexicon_of(arrays: Arrays) -> Lexicon:
    """The lexicon stored in a model's arrays."""
    pieces = {piece: row for row, piece in enumerate(_text(arrays, "pieces"))}
    flags = dict(zip(arrays["flag_keys"].tolist(), arrays["flag_values"].tolist(), strict=True))
    ordinary = Sieve(arrays["ordinary"].astype(np.uint8).tobytes())
    return Lexicon(flags, pieces, _wide(arrays, "vectors"), frozenset(_text(arrays, "han")), ordinary)


class NamesModel:
    """Finds persons, locations and organizations.

    Args:
        arrays: as `training.names` stores them in `names.npz`.

    Raises:
        BadModel: the arrays are of another format, incomplete, or do not fit together.
    """

    def __init__(self, arrays: Arrays) -> None:
        try:
            if int(arrays["format"][0]) != FORMAT:
                raise BadModel(f"This names model has format {int(arrays['format'][0])}, not {FORMAT}; rebuild it with `make models`.")
            lexicon = lexicon_of(arrays)
            words = {word: row for row, word in enumerate(_text(arrays, "words"), 1)}
            layers = [(_wide(arrays, f"layer{i}"), arrays[f"bias{i}"].astype(np.float32)) for i in range(len(OFFSETS))]
            out = (_wide(arrays, "out"), arrays["out_bias"].astype(np.float32))
            network = Network(_wide(arrays, "table"), _wide(arrays, "project"), layers, out)
            bias = dict(zip(TYPES, arrays["type_bias"].tolist(), strict=True))
        except (KeyError, IndexError, UnicodeDecodeError, ValueError) as error:
            if isinstance(error, BadModel):
                raise
            raise BadModel(f"The names model is incomplete or damaged ({error}); rebuild it with `make models`.") from error
        if out[0].shape[1] != len(TAGS) or lexicon.vectors.shape[0] != len(lexicon.pieces):
            raise BadModel("The names model's arrays do not fit together; rebuild it with `make models`.")
        self._setup(Featurizer(lexicon, words, KEPT_WORDS), network, bias)

    def _setup(self, featurize: Featurizer, network: Network, bias: Mapping[str, float]) -> None:
        self._featurize, self._network, self._bias = featurize, network, bias
        self._embedded: dict[str, Floats] = {}

    @classmethod
    def of(cls, featurize: Featurizer, network: Network, bias: Mapping[str, float]) -> NamesModel:
        """A model of its parts, for training."""
        model = cls.__new__(cls)
        model._setup(featurize, network, bias)
        return model

    def find(self, text: str) -> list[Found]:
        """Spans of names in `text`, in order and without overlap; any str will do."""
        decoder = Decoder(self._bias)
        found: list[Found] = []
        for start, stop in _blocks(text):
            tokens = cut(text[start:stop], self._featurize.lexicon.han)
            if tokens.keys:
                spans = decoder.spans(self.probabilities(tokens.keys, tokens.glue), tokens)
                found.extend(Found(span.start + start, span.end + start, span.type, span.score_ppm, span.rule) for span in spans)
        return found

    def probabilities(self, keys: Sequence[str], glue: Sequence[int]) -> Floats:
        """Tag probabilities of tokens, [T, tags]."""
        features = [self._featurize(key) for key in keys]
        embedded = np.empty((len(keys), self._network.table.shape[1]), np.float32)
        known = self._embedded
        if len(known) > KEPT_WORDS:
            known.clear()
        for index, key in enumerate(keys):
            vector = known.get(key)
            if vector is None:
                vector = known[key] = self._network.embed(features[index])
            embedded[index] = vector
        return self._network.probabilities(embedded, context_rows(features, glue))


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Cuts a text at line ends, else spaces, into blocks of at most `BLOCK` characters."""
    start = 0
    while len(text) - start > BLOCK:
        stop = start + BLOCK
        half = start + BLOCK // 2
        for mark in ("\n", ". ", " "):
            position = text.rfind(mark, half, stop)
            if position > 0:
                stop = position + len(mark)
                break
        yield start, stop
        start = stop
    if start < len(text):
        yield start, len(text)
