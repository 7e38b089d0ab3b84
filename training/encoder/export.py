"""From the trained weights to ONNX: the graph is written node by node with int8 words, then its matrices become int8 too.

Inputs: ids, types int64 [rows, tokens], mask float32 [rows, tokens] (1 on tokens, 0 on padding). Output: logit float32 [rows].
"""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from training.encoder.batches import Coded, kind
from training.encoder.fit import scored, tensors
from training.encoder.net import EPSILON, HEADS, LAYERS, WIDTH, Weights

_OPSET = 20


@dataclass(frozen=True, slots=True)
class Paths:
    """What was written."""

    model: Path
    tokenizer: Path


@dataclass(frozen=True, slots=True)
class Compared:
    """Logits of the same rows by the quantized model, as in use, and by the float32 weights."""

    quantized: list[float]
    whole: list[float]

    @property
    def gaps(self) -> list[float]:
        """How far each pair of logits is apart."""
        return [abs(one - other) for one, other in zip(self.quantized, self.whole, strict=True)]


class _Graph:
    """Nodes and constants of a graph in the making; `add` gives the name of the node's output."""

    def __init__(self, weights: Weights) -> None:
        self.weights, self.nodes, self.constants = weights, [], {}  # type: tuple[Weights, list[Any], dict[str, Any]]

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        name = f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, name: str, value: Any) -> str:
        self.constants[name] = numpy_helper.from_array(np.asarray(value), name)
        return name

    def weight(self, name: str, *, turned: bool = False) -> str:
        value = self.weights[name].numpy()
        return self.constant(name, np.ascontiguousarray(value.T) if turned else value)

    def linear(self, name: str, value: str) -> str:
        return self.add("Add", self.add("MatMul", value, self.weight(f"{name}.weight", turned=True)), self.weight(f"{name}.bias"))

    def normed(self, name: str, value: str) -> str:
        scale, shift = self.weight(f"{name}.weight"), self.weight(f"{name}.bias")
        return self.add("LayerNormalization", value, scale, shift, axis=-1, epsilon=EPSILON)


def graph(weights: Weights) -> Any:
    """The float32 model (onnx.ModelProto)."""
    made = _Graph(weights)
    split, merge = made.constant("split", np.array([0, 0, HEADS, WIDTH // HEADS])), made.constant("merge", np.array([0, 0, WIDTH]))
    scale, one, far = made.constant("scale", np.float32(1 / math.sqrt(WIDTH // HEADS))), made.constant("one", np.float32(1)), "far"
    made.constant(far, np.float32(-1e4))
    hidden = _embedded(made)
    closed = made.add("Mul", made.add("Sub", one, "mask"), far)
    shut = made.add("Unsqueeze", closed, made.constant("axes_12", np.array([1, 2])))
    for layer in range(LAYERS):
        name = f"encoder.layer.{layer}"
        query, key, value = (
            made.add("Reshape", made.linear(f"{name}.attention.self.{part}", hidden), split) for part in ("query", "key", "value")
        )
        match = made.add("MatMul", made.add("Transpose", query, perm=[0, 2, 1, 3]), made.add("Transpose", key, perm=[0, 2, 3, 1]))
        look = made.add("Softmax", made.add("Add", made.add("Mul", match, scale), shut), axis=-1)
        mixed = made.add("MatMul", look, made.add("Transpose", value, perm=[0, 2, 1, 3]))
        mixed = made.add("Reshape", made.add("Transpose", mixed, perm=[0, 2, 1, 3]), merge)
        mixed = made.linear(f"{name}.attention.output.dense", mixed)
        hidden = made.normed(f"{name}.attention.output.LayerNorm", made.add("Add", hidden, mixed))
        wide = made.add("Gelu", made.linear(f"{name}.intermediate.dense", hidden))
        hidden = made.normed(f"{name}.output.LayerNorm", made.add("Add", hidden, made.linear(f"{name}.output.dense", wide)))
    _head(made, hidden, closed)
    integers, rows = TensorProto.INT64, ["rows", "tokens"]
    inputs = [helper.make_tensor_value_info(name, integers, rows) for name in ("ids", "types")]
    inputs.append(helper.make_tensor_value_info("mask", TensorProto.FLOAT, rows))
    outputs = [helper.make_tensor_value_info("logit", TensorProto.FLOAT, ["rows"])]
    body = helper.make_graph(made.nodes, "injection_encoder", inputs, outputs, list(made.constants.values()))
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=9)
    onnx.checker.check_model(model)
    return model


def _embedded(made: _Graph) -> str:
    places = made.weight("embeddings.position_embeddings.weight")
    length = made.add("Gather", made.add("Shape", "ids"), made.constant("axis_1", np.array([1])))
    place = made.add("Slice", places, made.constant("zero", np.array([0])), length, made.constant("axis_0", np.array([0])))
    small, scales = _rows_in_int8(made.weights["embeddings.word_embeddings.weight"].numpy())
    word = made.add("Cast", made.add("Gather", made.constant("words", small), "ids"), to=TensorProto.FLOAT)
    word = made.add("Mul", word, made.add("Gather", made.constant("word_scales", scales), "ids"))
    typed = made.add("Gather", made.weight("embeddings.token_type_embeddings.weight"), "types")
    return made.normed("embeddings.LayerNorm", made.add("Add", made.add("Add", word, typed), place))


def _rows_in_int8(table: Any) -> tuple[Any, Any]:
    """int8 rows and a float32 scale for each: a rare word's vector is not rounded by the largest one of the table."""
    scales = (np.abs(table).max(axis=1, keepdims=True) / 127).astype(np.float32)
    return np.rint(table / np.maximum(scales, 1e-12)).astype(np.int8), scales


def _head(made: _Graph, hidden: str, closed: str) -> None:
    """Attention pooling and the logit, named `logit`."""
    last = made.constant("axes_2", np.array([2]))
    look = made.add("Add", made.add("Squeeze", made.add("MatMul", hidden, made.weight("pool.weight")), last), closed)
    share = made.add("Unsqueeze", made.add("Softmax", look, axis=-1), last)
    pooled = made.add("ReduceSum", made.add("Mul", hidden, share), made.constant("axes_1", np.array([1])), keepdims=0)
    raised = made.add("Add", made.add("MatMul", pooled, made.weight("head.weight")), made.weight("head.bias"))
    made.nodes.append(helper.make_node("Squeeze", [raised, made.constant("axes_last", np.array([1]))], ["logit"], name="logit"))


def write(weights: Weights, tokenizer: Path, out: Path) -> Paths:
    """Writes the quantized model and its tokenizer. The float32 file is removed again."""
    whole = out / "injection_encoder.fp32.onnx"
    model, words = out / "injection_encoder.onnx", out / "injection_encoder.tokenizer.json"
    onnx.save(graph(weights), str(whole))
    quantize_dynamic(
        str(whole), str(model), weight_type=QuantType.QInt8, per_channel=True, nodes_to_exclude=_kept(whole),
        op_types_to_quantize=["MatMul"],
    )  # fmt: skip
    whole.unlink()
    shutil.copyfile(tokenizer, words)
    return Paths(model, words)


def _kept(path: Path) -> list[str]:
    """Products that stay float32: the pooling, the head, and those of two activations, whose share of the file is nothing."""
    model = onnx.load(str(path))
    constants = {constant.name for constant in model.graph.initializer} - {"pool.weight", "head.weight"}
    return [node.name for node in model.graph.node if node.op_type == "MatMul" and node.input[1] not in constants]


def compare(path: Path, weights: Weights, items: list[Coded]) -> Compared:
    """Scores rows with the written model, one by one, and with the float32 weights."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    quantized = []
    for item in items:
        ids, types, mask = (tensor.numpy() for tensor in tensors([item.ids], [kind(item.row)]))
        quantized.append(float(session.run(["logit"], {"ids": ids, "types": types, "mask": mask.astype(np.float32)})[0][0]))
    return Compared(quantized, scored(weights, items))
