"""Door to ``spikewright.commands.lower``: turn a NIR graph into an integer chip network."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1] / "src")

from spikewright.commands.lower import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
