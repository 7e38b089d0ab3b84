"""Weights of the guards' models, as files beside this one, and the toolbox that is made of them.

Each model is NAME.npz (numbers only, never a pickle) or NAME.onnx, and NAME.json, its card: what it is, what it was trained on under
which licences, what was left out for testing, its figures and the SHA-256 of its file, which is checked before it is used. Rebuilt by
`make models AFFIANT_DATA=DIR`. Leaves out: what models do (`guards`).
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from affiant.guards.builtin import built_in, without_models
from affiant.guards.grounded import Grounded
from affiant.guards.injection import Cascade, Encode, InjectionModel
from affiant.guards.names import NamesModel
from affiant.guards.toolbox import Toolbox
from affiant.kit.errors import BadInput
from affiant.weights.keptscan import kept_scanner

__all__ = ["PLACE", "arrays_of", "card_of", "has_encoder", "load_toolbox", "read_file", "version_of", "versions"]

PLACE = Path(__file__).parent
Arrays = dict[str, "np.ndarray[Any, Any]"]


def card_of(name: str, place: Path = PLACE) -> dict[str, Any]:
    """The card of a model.

    Raises:
        BadInput: it is missing or no JSON.
    """
    path = place / f"{name}.json"
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"The card of the model {name} cannot be read: {error}.", "Install Affiant again, or run `make models`.") from None
    assert isinstance(card, dict)
    return card


def read_file(name: str, ending: str = "npz", place: Path = PLACE) -> bytes:
    """A model's file, if it is the one that its card names.

    Raises:
        BadInput: missing, or another one.
    """
    path = place / f"{name}.{ending}"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"The model {name} cannot be read: {error.strerror}.", "Install Affiant again, or run `make models`.") from None
    if hashlib.sha256(data).hexdigest() != card_of(name, place).get("sha256"):
        raise BadInput(f"The model {path.name} is not the one that its card names.", "Install Affiant again, or run `make models`.")
    return data


def arrays_of(name: str, place: Path = PLACE) -> Arrays:
    """A model's arrays.

    Raises:
        BadInput: as `read_file`, or it holds what is no plain array.
    """
    try:
        with np.load(io.BytesIO(read_file(name, place=place)), allow_pickle=False) as archive:
            return {each: archive[each] for each in archive.files}
    except ValueError as error:
        raise BadInput(f"The model {name} is damaged: {error}.", "Install Affiant again, or run `make models`.") from None


def version_of(name: str, place: Path = PLACE) -> str:
    """What decisions name: the card's version and the first digits of the file's hash."""
    card = card_of(name, place)
    return f"{name} {card.get('version', 1)} {str(card.get('sha256', ''))[:12]}"


NAMES, INJECTION, ENCODER, GROUNDED = "names", "injection", "injection_encoder", "grounded"
_GUARDS = {"pii": NAMES, "injection": INJECTION, "groundedness": GROUNDED}
"""Guard -> the model that speaks in its decisions."""


def has_encoder(place: Path = PLACE) -> bool:
    """Whether the encoder stage can be used: its weights and the packages of the extra are there."""
    return (place / f"{ENCODER}.onnx").exists() and all(find_spec(name) is not None for name in ("onnxruntime", "tokenizers"))


def versions() -> tuple[tuple[str, str], ...]:
    """(guard, version) of what each works with here, the encoder stage with `injection`."""
    found = {guard: version_of(name) for guard, name in _GUARDS.items() if (PLACE / f"{name}.json").exists()}
    if has_encoder():
        found["injection"] += f" + {version_of(ENCODER)}"
    return tuple(sorted(found.items()))


@lru_cache(maxsize=1)
def load_toolbox(tell: Callable[[str], None], kept: Path | None = None) -> Toolbox:
    """Every detector and model of this installation; the encoder stage where its extra is there.

    Args:
        tell: is told once what this installation runs without.
        kept: folder in which the compiled scan is kept from one start to the next; None: it is compiled.

    Raises:
        BadInput: a model's file is missing or not the one that its card names.
    """
    encoder: Encode | None = None
    data_encoder: Encode | None = None
    if has_encoder():
        encoder, data_encoder = _encoders()
    else:
        tell("The encoder stage is not installed (pip install 'affiant[encoder]'): injection is judged by rules and n-grams.")
    return replace(
        without_models(kept_scanner(kept, tell)) if kept is not None else built_in(),
        names=NamesModel(arrays_of(NAMES)),
        injection=Cascade(InjectionModel(arrays_of(INJECTION)), encoder, data_encoder),
        grounder=Grounded(arrays_of(GROUNDED)),
        versions=versions(),
    )


def _encoders() -> tuple[Encode, Encode]:
    """The encoder as it is asked about what people say, and about what tools and documents say."""
    from affiant.guard_encoder import open_encoder

    opened = open_encoder(read_file(ENCODER, "onnx"), (PLACE / f"{ENCODER}.tokenizer.json").read_bytes())
    return (
        lambda texts: [opened.score(text).ppm / 1_000_000 for text in texts],
        lambda texts: [opened.score(text, data=True).ppm / 1_000_000 for text in texts],
    )
