"""From a trained network to a declarative graph, and from other tools' files to ours."""
