"""Comparison of distillation methods, without a budget and at the same energy."""
