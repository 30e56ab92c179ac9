#!/usr/bin/env bash
# Pin what pyproject.toml asks for, with hashes and without index addresses. Run it after changing dependencies there.
set -euo pipefail
cd "$(dirname "$0")/.."
UV=${UV:-uv}

pin() {
    local output=$1
    shift
    "$UV" pip compile "$@" --upgrade --generate-hashes --no-emit-index-url --no-annotate --no-header \
        --quiet --output-file "$output"
    sed -i "1i # Pinned by requirements/compile.sh: $*" "$output"
}

# Lava exists for Python 3.10 alone; one platform, because pins for all of them drag in versions for Pythons not meant.
pin requirements/lava-py310.txt pyproject.toml --extra lava --extra data --extra events --extra safetensors --extra sound --extra sweep --extra tables --extra dev --extra docs \
    --python-version 3.10 --python-platform x86_64-unknown-linux-gnu
pin requirements/core.txt pyproject.toml --extra data --extra events --extra safetensors --extra sound --extra sweep --extra tables --extra dev --extra docs --universal --python-version 3.11
# Tools that are installed beside the first of them, whose versions therefore bind.
pin requirements/campaigns.txt --group campaigns --constraints requirements/lava-py310.txt \
    --python-version 3.10 --python-platform x86_64-unknown-linux-gnu
# Other tools, whose trained networks are imported and whose files are read: each in an environment of its own, because their pins
# contradict each other. sinabs and Rockpool ask for an nir before the one that we ask for; importing needs no more than that.
for TOOL in spikingjelly spyx; do
    pin requirements/tools/$TOOL.txt pyproject.toml requirements/tools/$TOOL.in --constraints requirements/core.txt \
        --python-version 3.11 --python-platform x86_64-unknown-linux-gnu
done
OTHERS=$(mktemp)
grep -E '^[a-z0-9_.-]+==' requirements/lava-py310.txt | grep -v '^nir==' | tr -d '\\' > "$OTHERS"
for TOOL in sinabs rockpool; do
    pin requirements/tools/$TOOL.txt pyproject.toml requirements/tools/$TOOL.in --overrides requirements/tools/$TOOL-overrides.in \
        --constraints "$OTHERS" --python-version 3.10 --python-platform x86_64-unknown-linux-gnu
    sed -i "1s|$OTHERS|requirements/lava-py310.txt|" requirements/tools/$TOOL.txt
done
for TOOL in norse snntorch; do
    pin requirements/tools/$TOOL.txt pyproject.toml requirements/tools/$TOOL.in --constraints requirements/lava-py310.txt \
        --python-version 3.10 --python-platform x86_64-unknown-linux-gnu
done
