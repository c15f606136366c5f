"""The table: what is stored (`stored`), what is asked of it, and what PS3.4 says must be answered, with the clause that says so.

A row whose outcome the standard leaves to the implementation says so in `choice`.
"""

from __future__ import annotations

from typing import Final

from tests.archive.semantics import rows_models, rows_moments, rows_names, rows_sequences, rows_values

ROWS: Final = (*rows_values.ROWS, *rows_names.ROWS, *rows_moments.ROWS, *rows_models.ROWS, *rows_sequences.ROWS)
