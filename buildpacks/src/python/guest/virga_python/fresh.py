"""What a snapshot may not keep: the environment, random state, names once drawn at random."""

import os
import random
import sys
import time

from wit_world.imports import environment

_begun = False


def has_begun():
    """Whether this is a running instance, and no start at staging."""
    return _begun


def begin():
    """Makes this process its own; called at every entry, does something at the first one."""
    global _begun
    if _begun:
        return
    _begun = True
    os.environ.clear()
    os.environ.update(environment.get_environment())
    if hasattr(time, "tzset"):
        time.tzset()
    random.seed()
    _forget("tempfile", _name_sequence=None, tempdir=None)
    _forget("uuid", _node=None, _last_timestamp=None, _last_timestamp_v7=None, _last_counter_v7=0)


def _forget(module, **values):
    module = sys.modules.get(module)
    for name, value in values.items():
        if hasattr(module, name):
            setattr(module, name, value)
