"""The fine-tune: AdamW, one pass over a stream of weighted draws, label smoothing, linear warm-up and decay."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.nn import functional

from training.encoder.batches import Coded, kind, stream
from training.encoder.net import Weights, logits

SMOOTHING, WARM_UP, DECAY, DROPOUT = 0.06, 0.06, 0.01, 0.1
_CLIP = 1.0


def fit(
    weights: Weights, items: list[Coded], *, samples: int, size: int, rate: float, seed: int, report: Callable[[int, float, Weights], None]
) -> Weights:
    """Weights after `samples` draws; `report(step, mean loss since the last call, weights)` is called every 50 steps."""
    torch.manual_seed(seed)
    for value in weights.values():
        value.requires_grad_(True)
    slow = [value for name, value in weights.items() if not name.startswith(("head", "pool"))]
    fast = [value for name, value in weights.items() if name.startswith(("head", "pool"))]
    optimizer = torch.optim.AdamW([{"params": slow, "lr": rate}, {"params": fast, "lr": rate * 10}], weight_decay=DECAY)
    steps = math.ceil(samples / size)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _pace(step, steps))
    losses: list[float] = []
    for step, batch in enumerate(stream(items, samples, size, seed), 1):
        ids, types, mask = tensors([item.ids for item, _ in batch], [token_type for _, token_type in batch])
        goal = torch.tensor([item.row.label * (1 - 2 * SMOOTHING) + SMOOTHING for item, _ in batch])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = logits(weights, ids, types, mask, DROPOUT)
        loss = functional.binary_cross_entropy_with_logits(found, goal)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(list(weights.values()), _CLIP)
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if step % 50 == 0:
            report(step, sum(losses) / len(losses), weights)
            losses = []
    return {name: value.detach() for name, value in weights.items()}


def _pace(step: int, steps: int) -> float:
    warm = max(1, int(steps * WARM_UP))
    return step / warm if step < warm else max(0.02, (steps - step) / max(1, steps - warm))


def tensors(rows: list[tuple[int, ...]], kinds: list[int]) -> tuple[Any, Any, Any]:
    """ids, token types and mask, padded to the longest row."""
    longest = max(len(row) for row in rows)
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
    mask = torch.tensor([[True] * len(row) + [False] * (longest - len(row)) for row in rows])
    types = torch.tensor(kinds)[:, None].expand(-1, longest)
    return ids, types, mask


def scored(weights: Weights, items: list[Coded], size: int = 32) -> list[float]:
    """Logits of rows as the detector would see them (role known), in the order given."""
    order = sorted(range(len(items)), key=lambda index: len(items[index].ids))
    found = [0.0] * len(items)
    with torch.no_grad():
        for part in _parts(order, size):
            ids, types, mask = tensors([items[index].ids for index in part], [kind(items[index].row) for index in part])
            for index, value in zip(part, logits(weights, ids, types, mask).tolist(), strict=True):
                found[index] = value
    return found


def _parts(order: list[int], size: int) -> Iterator[list[int]]:
    for at in range(0, len(order), size):
        yield order[at : at + size]
