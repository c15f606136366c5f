"""Tests with real programs; the helpers' assertions tell as much as those of the tests."""

import pytest

pytest.register_assert_rewrite("tests.interop.samples", "tests.interop.peers")
