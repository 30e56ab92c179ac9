"""NIR exchanged with other tools, and compared spike by spike: the numbers of docs/compatibility.md.

    PYTHONPATH=benchmarks .venv/bin/python -m compatibility all

For each tool and each of four small networks with random weights: the tool makes it, runs it for 30 steps and exports
it, and we read the file; then we write it (`--for TOOL`), and the tool reads that. `requirements/make-env.sh TOOL`
makes the environment of a tool, in which `there TOOL` and `back TOOL` run; `ours` and `page` run here, and `all` runs
everything. Files lie below build/compatibility. `oracles` copies small ones to tests/oracles/compatibility.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from . import nets

TOOLS = ("snntorch", "spikingjelly", "sinabs", "norse", "rockpool", "spyx")
READING = TOOLS[:-1]
OUT = Path("build/compatibility")


def there(tool: str, out: Path) -> None:
    """Make the networks in their tool, run them, and export them."""
    import nir

    module, records = import_module(f".in_{tool}", __package__), []
    folder = out / tool
    folder.mkdir(parents=True, exist_ok=True)
    for number, variant in enumerate(module.variants()):
        for kind in nets.KINDS:
            record: dict[str, Any] = {"kind": kind, "says": variant.says, "told": variant.told}
            try:
                graph, spikes = module.made(kind, variant)
                record["file"] = f"{number}-{kind}"
                nir.write(folder / f"{number}-{kind}.nir", graph)
                sizes = nets.sizes(kind)
                plain = {name: each.reshape(nets.STEPS, *sizes[name]).astype(np.uint8) for name, each in spikes.items()}
                np.savez_compressed(folder / f"{number}-{kind}.npz", **plain)
            except Exception as error:  # whatever a tool says of itself is what is wanted
                record.pop("file", None)
                record["refused there"] = _sentence(error)
            records.append(record)
    versions = {name: version(name) for name in module.PACKAGES}
    _write(folder / "there.json", {"versions": versions, "records": records})


def back(tool: str, out: Path) -> None:
    """Read our files in a tool, and keep what it computes."""
    import nir

    module, records, folder = import_module(f".in_{tool}", __package__), [], out / "ours"
    for record in json.loads((folder / "ours.json").read_text())[tool]:
        told = record["reset"] if record["told"] else ""
        if "file" in record:
            try:
                spikes = module.read(str(folder / f"{record['file']}.nir"), record["kind"], told)
                wanted = np.load(folder / f"{record['kind']}-{record['reset']}.npz")
                record["differs"] = {n: _different(spikes[n].reshape(wanted[n].shape), wanted[n]) for n in wanted.files}
            except Exception as error:
                record["refused there"] = _sentence(error)
        records.append(record)
    plain: dict[str, str] = {}
    for name in ("default", "nir-1.0.4"):
        try:
            nir.read(folder / f"mlp-zero-{name}.nir")
            plain[name] = ""
        except Exception as error:
            plain[name] = _sentence(error)
    _write(out / tool / "back.json", {"records": records, "nir": plain})


def _different(found: Any, wanted: Any) -> list[int]:
    return [int((found != wanted).sum()), int(wanted.size)]


def _sentence(error: Exception) -> str:
    first = str(error).strip().splitlines()
    return f"{type(error).__name__}: {first[0] if first else ''}"[:160]


def _write(path: Path, value: object) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n")


def run_all(out: Path) -> None:
    """All steps, each in the environment that it needs."""
    for what, tools in (("there", TOOLS), ("ours", ("",)), ("back", READING), ("page", ("",))):
        for tool in tools:
            own = Path(f".venv-{tool}/bin/python") if tool else Path(sys.executable)
            if not own.exists():
                raise SystemExit(f"{own}: is not there; make it with requirements/make-env.sh {tool}")
            command = [
                str(own),
                "-W",
                "ignore",
                "-m",
                "compatibility",
                what,
                *([tool] if tool else []),
                "--out",
                str(out),
            ]
            print(" ".join(command[3:]), file=sys.stderr, flush=True)
            subprocess.run(command, check=True, stdout=None if what == "page" else subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m compatibility", description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("there", "ours", "back", "page", "oracles", "all"))
    parser.add_argument("tool", nargs="?", choices=TOOLS, help="of there and back")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    if arguments.what in ("there", "back"):
        if arguments.tool is None:
            parser.error(f"{arguments.what} needs a tool: {', '.join(TOOLS)}")
        {"there": there, "back": back}[arguments.what](arguments.tool, arguments.out)
    elif arguments.what == "all":
        run_all(arguments.out)
    else:
        here = import_module(".here", __package__)  # which needs spikewright
        {"ours": here.ours, "page": here.page, "oracles": here.oracles}[arguments.what](arguments.out)


if __name__ == "__main__":
    main()
