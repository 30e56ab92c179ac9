"""Door to ``spikewright.commands.simulate``: run a chip network on data and count what happens."""

import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parents[1] / "src")

from spikewright.commands.simulate import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main())
