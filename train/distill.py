"""Door to ``spikewright.training.distill``: distil a teacher into a spiking student."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1] / "src")

from spikewright.training.distill import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
