"""Door to ``spikewright.commands.import_``: take in a trained spiking network of another tool."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1] / "src")

from spikewright.commands.import_ import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
