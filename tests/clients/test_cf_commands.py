"""The stock command line, where this machine has one: `cf` on the path, or the program that CF_CLI names."""

import os
import shutil
import subprocess

import pytest

from conftest import PASSWORD, running_platform

CF = os.environ.get("CF_CLI") or shutil.which("cf")
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "cf_commands.sh")


@pytest.mark.skipif(CF is None, reason="no cf on this machine")
def test_every_command_does_what_it_says():
    with running_platform() as ready:
        run = subprocess.run([SCRIPT, CF, f"http://{ready['listen']}", PASSWORD], capture_output=True, text=True, timeout=900, check=False)
        assert run.returncode == 0, run.stdout
