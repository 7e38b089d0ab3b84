"""Injection and jailbreak: sanitized readings, decoding, rules, a cheap trained model, and an optional encoder behind it.

`score` is the door. Everything is pure; weights come in as arrays. Leaves out: what the answer leaks (`detectors.output`), and
plain harmful requests, which address the model's subject and not its instructions.
"""

from affiant.guards.injection.cascade import Cascade, Encode, Score, looks_english, score
from affiant.guards.injection.model import InjectionModel, WeightsError

__all__ = ["Cascade", "Encode", "InjectionModel", "Score", "WeightsError", "looks_english", "score"]
