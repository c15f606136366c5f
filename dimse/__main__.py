"""`python -m dimse`: the command line."""

from __future__ import annotations

import sys

from dimse.cli import main

if __name__ == "__main__":
    sys.exit(main())
