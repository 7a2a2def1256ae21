"""What stands between a Python app and the component it lives in. In the interpreter's snapshot; never on disk at run time."""
