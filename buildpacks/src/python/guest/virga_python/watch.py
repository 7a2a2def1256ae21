"""Starts the app at staging, and notes what it does then that only the running instance can do rightly.

An app that reads its environment, the clock or random numbers while it starts is started again by each instance, with its packages
already loaded; the log says which line made it so.
"""

import ast
import gc
import importlib
import io
import os
import random
import sys
import time
import traceback

from wit_world.imports import environment

from . import asgi, bytecode, start, wsgi

PACKAGES = "/.virga/packages"
LIBRARY = "/.virga/python314.zip"

# Settings that libraries look for while they are imported and that may as well be absent then.
HARMLESS = {
    "BROWSER", "COLUMNS", "DJANGO_SETTINGS_MODULE", "FLASK_APP", "FLASK_DEBUG", "FLASK_ENV", "FLASK_RUN_FROM_CLI", "FLASK_SKIP_DOTENV",
    "FORCE_COLOR", "HOME", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "LINES", "NO_COLOR", "PATH", "PORT", "TEMP", "TERM",
    "TMP", "TMPDIR", "TZ", "USER", "USERNAME", "WERKZEUG_DEBUG_PIN", "WERKZEUG_RUN_MAIN", "WERKZEUG_SERVER_FD",
}
# Calls whose answer belongs to one instance; noted when the app's own line is what asked.
_CLOCKS = {time.time: "time.time()", time.time_ns: "time.time_ns()", time.monotonic: "time.monotonic()"}
_DRAWS = {"urandom", "random", "getrandbits", "randbytes"}


class Watch:
    """Notes lines of the app while it starts."""

    def __init__(self):
        self.reasons = []
        self.kept = {name: getattr(os._Environ, name) for name in ("__getitem__", "__iter__")}

    def note(self, what, frame):
        place = f"{frame.f_code.co_filename.lstrip('/')}:{frame.f_lineno} " if frame is not None else ""
        reason = f"{place}{what}"
        if reason not in self.reasons:
            self.reasons.append(reason)

    def __enter__(self):
        kept, note = self.kept, self.note

        def getitem(environ, key):
            if key not in HARMLESS and not str(key).startswith("PYTHON"):
                reader = _asker(sys._getframe(1))
                if reader is not None:
                    note(f"reads os.environ[{key!r}]", reader)
            return kept["__getitem__"](environ, key)

        def iterate(environ):
            reader = _asker(sys._getframe(1))
            if reader is not None:
                note("reads all of os.environ", reader)
            return kept["__iter__"](environ)

        os._Environ.__getitem__ = getitem
        os._Environ.__iter__ = iterate
        sys.setprofile(self.profile)
        return self

    def __exit__(self, *_):
        sys.setprofile(None)
        for name, function in self.kept.items():
            setattr(os._Environ, name, function)

    def profile(self, frame, event, called):
        if event != "c_call":
            return
        name = getattr(called, "__name__", None)
        if name in _DRAWS and (name == "urandom" or isinstance(getattr(called, "__self__", None), random._random.Random)):
            what = "draws random numbers"
        elif name in ("now", "utcnow", "today") and "datetime" in repr(getattr(called, "__self__", None)):
            what = f"reads the clock ({name})"
        elif called in _CLOCKS:
            what = f"reads the clock ({_CLOCKS[called]})"
        else:
            return
        asker = _asker(frame)
        if asker is not None and _is_own(asker.f_code.co_filename):
            self.note(what, asker)


def _asker(frame):
    """The nearest frame that is not the standard library's; None where a module of it reads for itself, or ours."""
    while frame is not None:
        name = frame.f_code.co_filename
        if name.startswith("<frozen importlib") or "/logging/" in name or "/virga_python/" in name:
            return None
        if not name.startswith(("/python/", "<frozen ", LIBRARY, "<string>")):
            return frame
        frame = frame.f_back
    return None


def _is_own(file):
    """Whether a file is the app's, rather than one of its packages'."""
    return file.startswith("/") and not file.startswith(("/.", "/python/", "/world/", "/bundled/", "/0/", "/1/"))


def prepare():
    """Starts the app; leaves the process with a traceback in the log where that is the app's mistake."""
    wanted = dict(environment.get_environment())
    os.environ.clear()
    os.environ["PORT"] = "8080"
    start.want(wanted["VIRGA_START"])
    sys.path[:] = ["/", PACKAGES, LIBRARY]
    _move_library()
    sys.path_importer_cache.clear()
    sys.dont_write_bytecode = True
    sys.argv = [""]
    bytecode.use(PACKAGES)
    _import_what_may_be_needed()
    if start.WANTED.get("module") or start.WANTED.get("script"):
        _start()
    bytecode.end()
    _close_snapshot()


def _move_library():
    """Packages that were loaded from the standard library's folder find their other modules in the archive."""
    for module in list(sys.modules.values()):
        folders = getattr(module, "__path__", None)
        if isinstance(folders, list):
            moved = [f"{LIBRARY}{folder.removeprefix('/python')}" if folder.startswith("/python/") else folder for folder in folders]
            module.__path__ = moved


def _start():
    app = None
    with Watch() as watch, _ReadOnly():
        try:
            app = start.load()
        except (ImportError, SyntaxError, RuntimeError) as error:
            if not watch.reasons:
                _leave(error)
        except BaseException as error:
            # A file, a variable or a server that is only there at run time.
            if not watch.reasons and not isinstance(error, (OSError, KeyError)):
                _leave(error)
            watch.note(f"needs what is not there at staging ({error!r})", _innermost(error))
        if app is not None:
            _warm_up(app)
    if app is not None and not watch.reasons:
        start.keep(app)
        return
    for reason in watch.reasons[:5]:
        print(f"{reason}: the app is started in each instance, not in the snapshot", flush=True)
    for name, module in list(sys.modules.items()):
        if _is_own(getattr(module, "__file__", None) or ""):
            del sys.modules[name]


def _leave(error):
    # Only the app's part: how it was called is ours.
    own = error.__traceback__
    while own is not None and not _is_own(own.tb_frame.f_code.co_filename):
        own = own.tb_next
    traceback.print_exception(type(error), error, own, file=sys.stdout)
    _explain(error)
    sys.stdout.flush()
    os._exit(1)


def _explain(error):
    """Says so where what is missing is machine code that was left out."""
    name = getattr(error, "name", None) if isinstance(error, ImportError) else None
    while error.__context__ is not None and name is None:
        error = error.__context__
        name = getattr(error, "name", None) if isinstance(error, ImportError) else None
    package = (name or "").split(".")[0]
    if package in start.WANTED.get("native", ()):
        print(
            f"'{package}' cannot do without its machine code, which does not run in WebAssembly: "
            "take a version or a package of the kind that is written in Python"
        )
    elif package in _NO_MODULES:
        print(f"'{package}' is not there: {_NO_MODULES[package]}")


# Modules of the standard library that a component cannot have.
_NO_MODULES = {
    "_ctypes": "machine code cannot be called from WebAssembly",
    "_multiprocessing": "a component has no processes; start more instances (cf scale) or run tasks (cf run-task)",
    "_posixsubprocess": "a component has no processes; run tasks (cf run-task)",
    "_bz2": "bzip2 is not in this interpreter; use zlib or gzip",
    "_lzma": "lzma is not in this interpreter; use zlib or gzip",
    "readline": "there is no terminal",
    "fcntl": "there are no file locks",
}


def _innermost(error):
    found = None
    step = error.__traceback__
    while step is not None:
        if _is_own(step.tb_frame.f_code.co_filename):
            found = step.tb_frame
        step = step.tb_next
    return found


class _ReadOnly:
    """The file system as the running app has it: nothing can be written. Hooks cannot be taken away, so this one falls silent."""

    is_on = False
    is_hooked = False

    def __enter__(self):
        _ReadOnly.is_on = True
        if not _ReadOnly.is_hooked:
            _ReadOnly.is_hooked = True
            sys.addaudithook(self.hook)

    def __exit__(self, *_):
        _ReadOnly.is_on = False

    @staticmethod
    def hook(event, arguments):
        if not _ReadOnly.is_on:
            return
        is_writing = (
            event == "open"
            and not isinstance(arguments[0], int)
            and (arguments[2] or 0) & (os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        )
        is_database = event == "sqlite3.connect" and arguments[0] not in (":memory:", b":memory:", "") and "mode=memory" not in str(arguments[0])
        if is_writing or is_database or event in ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.link", "os.symlink", "os.truncate"):
            raise OSError(69, "Read-only file system", str(arguments[0]))


# Imported by others when first needed: in the snapshot they cost nothing then.
LATE = """
_strptime bisect calendar csv decimal difflib email.header email.message email.mime.multipart email.mime.text email.parser
email.policy email.utils encodings.ascii encodings.cp1252 encodings.idna encodings.iso8859_1 encodings.latin_1
encodings.punycode encodings.unicode_escape encodings.utf_16 encodings.utf_16_le encodings.utf_32 encodings.utf_8
encodings.utf_8_sig getpass gettext hmac html html.parser http.client http.cookiejar http.cookies importlib.metadata
importlib.resources inspect ipaddress json linecache locale logging.config logging.handlers mimetypes pathlib platform pprint
quopri runpy secrets shlex shutil socket sqlite3 statistics stringprep tempfile textwrap timeit tomllib traceback unicodedata
urllib.request uuid wsgiref.handlers wsgiref.headers wsgiref.util xml.etree.ElementTree xml.sax zipfile zoneinfo
""".split()


def import_late():
    for name in LATE:
        importlib.import_module(name)


def _import_what_may_be_needed():
    """Packages that any module of the app imports, wherever in the module that stands."""
    wanted, own = set(), set()
    for folder, folders, files in os.walk("/"):
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in ("__pycache__", "node_modules"))
        for file in sorted(files):
            if file.endswith(".py"):
                own.add((folder.strip("/").split("/")[0] or file.removesuffix(".py")))
                wanted.update(_imports_of(os.path.join(folder, file)))
    for name in sorted(wanted):
        if name.split(".")[0] in own:
            continue
        try:
            importlib.import_module(name)
        except BaseException:  # what is not there, or does not start here, is no loss yet
            pass


def _imports_of(file):
    try:
        with open(file, "rb") as source:
            tree = ast.parse(source.read())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _warm_up(app):
    """Sends requests to a path that no app has, so that what frameworks load at their first request is there."""
    requests = [
        ("GET", None, b""),
        ("POST", "application/json", b"{}"),
        ("POST", "application/x-www-form-urlencoded", b"a=1"),
        ("POST", "multipart/form-data; boundary=b", b"--b\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\n"),
    ]
    quiet, sys.stdout, sys.stderr = (sys.stdout, sys.stderr), io.StringIO(), io.StringIO()
    try:
        for method, content_type, body in requests:
            try:
                if start.is_asgi(app):
                    asgi.warm_up(app, method, content_type, body)
                else:
                    wsgi.warm_up(app, method, content_type, body)
            except BaseException:  # only what it loaded counts
                pass
    finally:
        sys.stdout, sys.stderr = quiet


def _close_snapshot():
    """Leaves memory as the same app would leave it anywhere, and in a state that instances share as long as they can."""
    random.seed(0)
    sys.path_importer_cache.clear()
    importlib.invalidate_caches()
    linecache = sys.modules.get("linecache")
    if linecache is not None:
        linecache.clearcache()
    os.environ.clear()
    sys.stdout.flush()
    sys.stderr.flush()
    gc.collect()
    # The collector would write to every object of the snapshot, and no page of it would be shared any more.
    gc.freeze()
