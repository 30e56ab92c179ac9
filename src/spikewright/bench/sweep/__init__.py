"""Many budgets, one table: what accuracy each of them buys."""
