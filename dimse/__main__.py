"""The program `dimse`, also as `python -m dimse`: the command line, in a process of its own.

What a short command takes is the time of its start and its end. What a start loads is in use until the end, so the collector of
cycles is spared looking through it: while it is loaded, at the collections that come later, and when the process ends.
"""

from __future__ import annotations

import gc
import sys


def main() -> int:
    """Runs the command that this process was started with; its exit code (see `dimse.cli.main`)."""
    gc.disable()
    from dimse.cli import main as run

    code = run(loaded=_loaded)
    gc.freeze()  # whatever there is goes back to the system with the process
    return code


def _loaded() -> None:
    """From here on there are things that come and go."""
    gc.freeze()
    gc.enable()


if __name__ == "__main__":
    sys.exit(main())
