#!/usr/bin/env bash
# Reproduce the papers' figures on a machine with a GPU, as far as the time goes; call it again to go on.
#
#   benchmarks/gpu.sh                    # ends within 540 seconds
#   benchmarks/gpu.sh --seconds 3000 --rows hnerv-1.5M nerv-S
#   benchmarks/gpu.sh --smallest         # tries the whole way in a minute, without a GPU too
#
# Options are those of benchmarks/reproduce.py; paths are relative to the repository. nervid need not be
# installed, only what it imports. The clip is benchmarks/clips/bbb.mp4 (make clips CLIPS=bbb) or the one that
# --clip names. Variables:
#
#   PYTHON   the interpreter; else that of .venv if it sees a GPU, else python3
#   OUT      a folder that gets one reproduce.json with all rows, to be taken over elsewhere:
#            python -m benchmarks.reproduce --collect reproduce.json
#   COMMIT   name of the code, needed where there is no git checkout
#
# Exit code 0 when all rows are done, 75 when the time was over first, 1 after an error.
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONPATH="src${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1

sees_gpu() { "$1" -c 'import sys, torch; sys.exit(not torch.cuda.is_available())' 2>/dev/null; }

python=${PYTHON:-python3}
if [ -z "${PYTHON:-}" ] && [ -x .venv/bin/python ] && { sees_gpu .venv/bin/python || ! sees_gpu python3; }; then
  python=.venv/bin/python
fi

"$python" - <<'CHECK'
import importlib.util, sys

NEEDED = ["av", "constriction", "google_crc32c", "jaxtyping", "numpy", "pytorch_msssim", "rich", "safetensors", "torch"]
missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
if sys.version_info < (3, 11):
    sys.exit(f"nervid needs Python 3.11 or newer, {sys.executable} is {sys.version.split()[0]}; set PYTHON")
if missing:
    sys.exit(f"{sys.executable} cannot import {', '.join(missing)}; install them or set PYTHON")
CHECK

options=(--seconds 540)
[ -z "${OUT:-}" ] || options+=(--out "$OUT")
[ -z "${COMMIT:-}" ] || options+=(--commit "$COMMIT")
case " $* " in
*" --smallest "* | *" --device "* | *" --collect "* | *" -h "* | *" --help "*) ;;
*) options+=(--device cuda) ;; # never hours on a CPU by mistake
esac
exec "$python" -m benchmarks.reproduce "${options[@]}" "$@"
