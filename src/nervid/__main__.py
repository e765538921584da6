"""``python -m nervid`` is the command line."""

import sys

from nervid.cli.main import main

sys.exit(main())
