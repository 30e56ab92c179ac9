"""A NIR graph becomes an integer chip network: draft, passes, quantization, design rules."""
