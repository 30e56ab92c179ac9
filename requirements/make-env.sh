#!/usr/bin/env bash
# Make an environment from the pinned requirements: make-env.sh [default|newer|campaigns|TOOL] [FOLDER]
#   default    Python 3.10 with Lava in .venv; where there is no Python 3.10 to be had, a newer Python without Lava
#   newer      Python 3.12 or later with the current torch and numpy 2, without Lava, in .venv-newer
#   campaigns  adds the tools of the campaigns to the default environment
#   TOOL       snntorch, norse, sinabs, spikingjelly, rockpool or spyx beside spikewright in .venv-TOOL, to import networks
#              that were trained with it and to exchange NIR files with it
# PYTHON=/path/to/python takes that one instead of looking for one.
set -euo pipefail
cd "$(dirname "$0")/.."

KIND=${1:-default}
case $KIND in
    default) VENV=${2:-.venv} ;;
    newer) VENV=${2:-.venv-newer} ;;
    campaigns) VENV=${2:-.venv} ;;
    snntorch | norse | sinabs | spikingjelly | rockpool | spyx) VENV=${2:-.venv-$KIND} ;;
    *)
        echo "error: make-env.sh makes default, newer, campaigns, snntorch, norse, sinabs, spikingjelly, rockpool or spyx," \
            "not '$KIND'" >&2
        exit 2
        ;;
esac

say() { echo "[environment] $*" >&2; }

# Versions are read from a Python that runs: a name on PATH may be a shim with nothing behind it.
version_of() { "$1" -c 'import ensurepip, venv, sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

find_python() {
    local wanted=$1 candidate
    for candidate in "python$wanted" python3 "$HOME"/.pyenv/versions/"$wanted".*/bin/python; do
        if [ "$(version_of "$candidate")" = "$wanted" ]; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
    "$UV" python find --managed-python "$wanted" 2>/dev/null || return 1
}

# Only where no Python on the machine will do: uv fetches one of its own.
fetch_python() {
    say "looking for a Python $1 to download"
    "$UV" python install --quiet "$1" 2>/dev/null && "$UV" python find --managed-python "$1"
}

choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        echo "$PYTHON"
    elif [ "$KIND" = newer ]; then
        find_python 3.13 || find_python 3.12 || fetch_python 3.13
    elif [ "$KIND" = spikingjelly ] || [ "$KIND" = spyx ]; then
        find_python 3.11 || fetch_python 3.11
    elif [ "$KIND" = snntorch ] || [ "$KIND" = norse ] || [ "$KIND" = sinabs ] || [ "$KIND" = rockpool ]; then
        find_python 3.10 || fetch_python 3.10
    else
        find_python 3.10 || fetch_python 3.10 || find_python 3.13 || find_python 3.12 || find_python 3.11
    fi
}

if command -v uv >/dev/null && uv --version >/dev/null 2>&1; then
    UV=uv
else
    UV=.tools/bin/uv
    if [ ! -x "$UV" ]; then
        say "there is no uv on PATH: installing it into .tools"
        python3 -m venv .tools
        .tools/bin/python -m pip install --quiet uv
    fi
fi

if [ "$KIND" = campaigns ]; then
    "$UV" pip install --quiet --require-hashes --python "$VENV/bin/python" --requirement requirements/campaigns.txt
    touch "$VENV/.campaigns"
    exit
fi

if ! PYTHON=$(choose_python); then
    say "error: found no Python 3.10 to 3.13 that runs; install one, or name it: PYTHON=/path/to/python make env"
    exit 2
fi
VERSION=$(version_of "$PYTHON") || { say "error: $PYTHON does not run, or lacks venv"; exit 2; }
REQUIREMENTS=requirements/core.txt
if [ -f "requirements/tools/$KIND.txt" ]; then
    REQUIREMENTS=requirements/tools/$KIND.txt
elif [ "$KIND" = default ] && [ "$VERSION" = 3.10 ] && [ "$(uname -sm)" = "Linux x86_64" ]; then
    REQUIREMENTS=requirements/lava-py310.txt
elif [ "$VERSION" = 3.10 ]; then
    say "error: the pins for Python 3.10 are for Linux on x86-64; take a newer one: PYTHON=/path/to/python3.12 make env"
    exit 2
elif [ "$KIND" = default ]; then
    say "WITHOUT LAVA: it needs Python 3.10, and here is $VERSION. Everything works but --on lava and --on netx."
fi

say "$VENV: $PYTHON ($VERSION), $REQUIREMENTS"
"$UV" venv --quiet --clear --python "$PYTHON" "$VENV"
# Named, and not by VIRTUAL_ENV: of a path that is none uv takes the .venv of this folder instead.
"$UV" pip sync --quiet --require-hashes --python "$VENV/bin/python" "$REQUIREMENTS"
"$UV" pip install --quiet --no-deps --no-build-isolation --python "$VENV/bin/python" --editable .
touch "$VENV/.ready"
