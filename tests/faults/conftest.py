"""What the trials share with the tests of the command line."""

from tests.cli.conftest import small_disk

__all__ = ["small_disk"]
