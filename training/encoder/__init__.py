"""Training of the injection encoder: a small sentence encoder with a binary head, fine-tuned and exported to int8 ONNX."""
