"""Accuracy and energy of students within many energy budgets."""
