#!/usr/bin/env bash
# The list of all that a user installs with every extra, at the pinned versions, as CycloneDX JSON: sbom.sh FILE.json
set -euo pipefail
cd "$(dirname "$0")/.."
OUTPUT=${1:?where to write the list}
UV=$(command -v uv || echo .tools/bin/uv)
FOLDER=$(mktemp -d)
trap 'rm -rf "$FOLDER"' EXIT

.venv/bin/python -m hatchling build -t wheel -d "$FOLDER" >/dev/null 2>&1
"$UV" venv --quiet --python .venv/bin/python "$FOLDER/env"
"$UV" pip install --quiet --python "$FOLDER/env/bin/python" --constraints requirements/lava-py310.txt \
    "$(echo "$FOLDER"/*.whl)[lava,data,events,safetensors,sound,sweep,tables]"
.venv/bin/cyclonedx-py environment "$FOLDER/env/bin/python" --pyproject pyproject.toml --mc-type library \
    --output-reproducible --output-file "$OUTPUT"
