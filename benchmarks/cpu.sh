#!/usr/bin/env bash
# Measure the engine on this machine's CPU; about ten minutes, nothing else may run meanwhile.
#
#   benchmarks/cpu.sh             # writes benchmarks/results/engine.json, rows of bars.json and docs/results.md
#   benchmarks/cpu.sh --smallest  # tries that everything runs, in seconds, and writes nothing
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
"$python" -m benchmarks.engine "$@"
if [ $# -eq 0 ]; then "$python" -m benchmarks.report; fi
