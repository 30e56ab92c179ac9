"""Networks in the formats of other tools, written and read: lava-dl's netx, scripts of Lava, ONNX."""
