"""Finds the app's callable: the attribute of a module, or what a script hands to the server that it starts."""

import importlib
import inspect
import json
import os
import runpy
import sys

from . import servers

# What to start, as the buildpack found it: module, attribute, or script.
WANTED = {}
# The app's callable once it is known; in a snapshot if the app could be started at staging.
_APP = None


def want(text):
    WANTED.update(json.loads(text))


def keep(app):
    global _APP
    _APP = app


def app():
    if _APP is None:
        keep(load())
    return _APP


def load():
    """The app's callable.

    Raises what the app raises, or a RuntimeError that says what is missing.
    """
    if WANTED.get("script"):
        return _of_script(WANTED["script"])
    name = WANTED.get("module")
    if not name:
        raise RuntimeError("this app has no web process: its Procfile names other process types only")
    # A module that starts its server without asking for __main__ hands its app over there.
    try:
        module = importlib.import_module(name)
    except servers.Serving as serving:
        return serving.app
    attribute = WANTED.get("attribute")
    found = _attribute(module, attribute) if attribute else _usual(vars(module))
    if found is None and not attribute:
        found = _of_main(name)
    if found is None:
        raise RuntimeError(
            f"the module '{name}' has no '{attribute}'"
            if attribute
            else f"the module '{name}' has neither 'app' nor 'application' and starts no server that is known here; "
            f"name the callable in a Procfile: web: gunicorn {name}:NAME"
        )
    return found


def _attribute(module, attribute):
    found = module
    for part in attribute.removesuffix("()").split("."):
        found = getattr(found, part, None)
    return found() if found is not None and attribute.endswith("()") else found


def _usual(names):
    for name in ("app", "application", "api"):
        if callable(names.get(name)):
            return names[name]
    # Flask's own rule: the only object of its kind.
    flask = sys.modules.get("flask")
    if flask is not None:
        apps = {id(value): value for value in names.values() if isinstance(value, flask.Flask)}
        if len(apps) == 1:
            return next(iter(apps.values()))
    for name in ("create_app", "make_app"):
        if callable(names.get(name)):
            return names[name]()
    return None


def _of_main(name):
    """The module once more, as a program: many start their server under `if __name__ == "__main__"`."""
    spec = importlib.util.find_spec(name)
    return _of_script(spec.origin, missing=None) if spec and spec.origin else None


def _of_script(path, missing="raise"):
    full = os.path.join("/", path)
    argv, sys.argv = sys.argv, [path, *WANTED.get("arguments", [])]
    try:
        names = runpy.run_path(full, run_name="__main__")
    except servers.Serving as serving:
        return serving.app
    finally:
        sys.argv = argv
    found = _usual(names)
    if found is None and missing == "raise":
        raise RuntimeError(f"'{path}' ended and started no server that is known here: {servers.KNOWN}")
    return found


def is_asgi(app):
    kind = _KINDS.get(id(app))
    if kind is None:
        kind = _KINDS[id(app)] = _is_asgi(app)
    return kind


_KINDS = {}


def _is_asgi(app):
    call = getattr(app, "__call__", None)
    while hasattr(app, "__wrapped__"):
        app = app.__wrapped__
    return inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(call)
