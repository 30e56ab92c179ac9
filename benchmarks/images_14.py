"""Fashion-MNIST or digits of MNIST at 14 x 14 pixels as an .npz file of one's own, the means of 2 x 2 pixels.

    python benchmarks/images_14.py -o fashion14.npz
    python benchmarks/images_14.py --data mnist-5k -o mnist14.npz

At most the first 20,000 training samples (in the fixed order of `load`), the first 2,000 of the validation part, and
the whole test part. `docs/few-labels.md` and `docs/laboratory/temperatures.md` are measured on them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from spikewright.data.load import load
from spikewright.data.split import Split

TRAIN, VALIDATION = 20_000, 2_000
NAMES = {
    "fashion-mnist": ["T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "boot"],
    "mnist-5k": [str(digit) for digit in range(10)],
}


def halved(part: Split) -> np.ndarray:
    """Images ``(n, 14, 14)`` of bytes: the means of 2 x 2 pixels."""
    images = 255 * np.asarray(part.samples)[:, 0]
    count, height, width = images.shape
    means = images.reshape(count, height // 2, 2, width // 2, 2).mean((2, 4))
    return np.rint(means).astype(np.uint8)


def main() -> None:
    """Write a data set at 14 x 14 pixels to the given .npz file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", choices=list(NAMES), default="fashion-mnist")
    parser.add_argument("-o", "--out", type=Path, default=Path("fashion14.npz"))
    parser.add_argument("--data-dir", type=Path, help="folder with the set's files; left out, where it is found")
    given = parser.parse_args()
    whole = load(given.data, given.data_dir)
    parts = {"train": whole.train.first(TRAIN), "val": whole.validation.first(VALIDATION), "test": whole.test}
    arrays = {f"x_{name}": halved(part) for name, part in parts.items()}
    arrays |= {f"y_{name}": part.labels for name, part in parts.items()}
    np.savez(given.out, names=np.array(NAMES[given.data]), **arrays)
    print(given.out)


if __name__ == "__main__":
    main()
