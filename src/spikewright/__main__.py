"""``python -m spikewright`` and ``spikewright`` are the console command."""

import signal
import sys
from importlib import import_module


def main() -> int:
    """Run the command line.

    While the command loads, and after it has answered, an interrupt ends the process as a program in C: without a word.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    return int(import_module("spikewright.commands.cli").main())


if __name__ == "__main__":
    sys.exit(main())
