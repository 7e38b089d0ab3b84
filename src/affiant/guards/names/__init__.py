"""Persons, locations and organizations in text, by a small multilingual tagger.

A narrow convolutional network over word features, about 5 MB, numpy only at run time. What a token is called is settled
once `LOOKBACK_TOKENS` more are known, which is what streams hold back. Weights come from `training/names`. Leaves out:
structured types (`guards.detectors`).
"""

from __future__ import annotations

from affiant.guards.names.model import BadModel, NamesModel
from affiant.guards.names.network import LOOKBACK_TOKENS

__all__ = ["LOOKBACK_TOKENS", "BadModel", "NamesModel"]
