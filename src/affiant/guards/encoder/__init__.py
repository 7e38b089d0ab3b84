"""The encoder stage of the injection guard, without its engine: windows of a text, batches of windows, scores.

The tokenizer and the network come in as callables (`affiant.guard_encoder` makes them from bytes), so this room stays free of
I/O and of the optional packages. Leaves out: when the stage runs at all, which the cascade decides.
"""

from affiant.guards.encoder.scorer import Encoded, Encoder, EncoderScore, Logits, Tokenize
from affiant.guards.encoder.windows import Window, windows

__all__ = ["Encoded", "Encoder", "EncoderScore", "Logits", "Tokenize", "Window", "windows"]
