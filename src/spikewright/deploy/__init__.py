"""From a declarative graph to integers on a chip, and what they do there."""
