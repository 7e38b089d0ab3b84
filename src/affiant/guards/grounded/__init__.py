"""Groundedness of an answer in the context it was given: a score for the whole and for each sentence. Pure; weights are passed in."""

from affiant.guards.grounded.model import FULL, Grounded, Groundedness, SentenceScore
from affiant.guards.grounded.sentences import split

__all__ = ["FULL", "Grounded", "Groundedness", "SentenceScore", "split"]
