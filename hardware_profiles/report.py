"""Door to ``spikewright.commands.report``: what it costs on a chip, and whether it fits."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1] / "src")

from spikewright.commands.report import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
