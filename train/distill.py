"""Door to ``spikewright.commands.distill``: distil a teacher into a spiking student."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1] / "src")

from spikewright.commands.distill import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
