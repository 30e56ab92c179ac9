"""Door to ``spikewright.commands.to_nir``: write a student as a NIR graph."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1] / "src")

from spikewright.commands.to_nir import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
