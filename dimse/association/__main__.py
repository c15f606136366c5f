"""Prints the state machine: `python -m dimse.association`, or `python -m dimse.association diagram` for a Mermaid diagram."""

import sys

from dimse.association.table import diagram, picture

sys.stdout.write((diagram() if sys.argv[1:] == ["diagram"] else picture()) + "\n")
