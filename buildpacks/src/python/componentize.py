"""Runs componentize-py from the folder beside this file, whatever else is installed on the machine."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "packages"))

from componentize_py import script  # noqa: E402

if __name__ == "__main__":
    try:
        sys.exit(script())
    except AssertionError as error:
        # The text ends in a stack of componentize-py's own, which tells an app's developer nothing.
        sys.exit(str(error).split("\n\nCaused by:")[0].split("\nStack backtrace:")[0])
