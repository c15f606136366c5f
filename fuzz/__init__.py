"""Fuzzing: bytes that nobody would send, until something gives way.

    python -m fuzz TARGET --seconds 60                 one of `fuzz.target.NAMES`
    python -m fuzz TARGET --replay FILE                a finding once more, with its traceback

Each target is a module in `fuzz.targets` whose first line names its invariant. With atheris installed (the extra `fuzz`)
libFuzzer looks for inputs, else a small search of our own does; what counts, what is kept and how a finding is told are the
same. A finding is an input that breaks the invariant, raises what is not documented, takes seconds, or a gigabyte. It is
written to a file as hex, printed, and the exit status is 1. When it is mended it becomes a row of `tests/fuzz/findings.py`.
"""
