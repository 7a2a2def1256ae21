"""Serves a WSGI app as a component of wasi:http 0.2.

The app's modules are imported while the component is built and the interpreter is kept with them in it. Two things differ
between then and the running app, and are taken care of here: the standard library and the dependencies are not on disk at run
time, so whatever the app may import later is imported at the build; and the app's environment is not known at the build, so an
app that reads it while it is imported is imported again by the first request of each instance.
"""

import ast
import importlib
import importlib.abc
import importlib.util
import inspect
import io
import os
import random
import sys
import traceback
from urllib.parse import unquote_to_bytes

from componentize_py_types import Err, Ok
from virga_app import ATTRIBUTE, MODULE, SOURCES
from wit_world import exports
from wit_world.imports.types import (
    Fields,
    IncomingBody,
    Method_Connect,
    Method_Delete,
    Method_Get,
    Method_Head,
    Method_Options,
    Method_Other,
    Method_Patch,
    Method_Post,
    Method_Put,
    Method_Trace,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)

# Imported by others when first needed, which is too late at run time.
LATE = """
_strptime bisect calendar csv decimal difflib email.header email.message email.mime.multipart email.mime.text email.parser
email.policy email.utils encodings.ascii encodings.cp1252 encodings.idna encodings.iso8859_1 encodings.latin_1
encodings.punycode encodings.unicode_escape encodings.utf_16 encodings.utf_16_le encodings.utf_32 encodings.utf_8
encodings.utf_8_sig getpass gettext hmac html html.parser http.client http.cookiejar http.cookies importlib.metadata
importlib.resources inspect ipaddress json linecache locale logging.config logging.handlers mimetypes pathlib platform pprint
quopri secrets shlex shutil socket sqlite3 statistics stringprep tempfile textwrap timeit tomllib traceback unicodedata
urllib.request uuid wsgiref.handlers wsgiref.headers wsgiref.util xml.etree.ElementTree xml.sax zipfile zoneinfo
""".split()

# Settings that libraries look for while they are imported and that may as well be absent then.
HARMLESS = {
    "BROWSER", "COLUMNS", "FLASK_APP", "FLASK_DEBUG", "FLASK_ENV", "FLASK_RUN_FROM_CLI", "FLASK_SKIP_DOTENV", "FORCE_COLOR", "HOME",
    "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LC_MESSAGES", "LINES", "NO_COLOR", "PATH", "PORT", "TEMP", "TERM", "TMP", "TMPDIR",
    "TZ", "USER", "USERNAME", "WERKZEUG_DEBUG_PIN", "WERKZEUG_RUN_MAIN", "WERKZEUG_SERVER_FD",
}

METHODS = {
    Method_Get: "GET", Method_Head: "HEAD", Method_Post: "POST", Method_Put: "PUT", Method_Delete: "DELETE",
    Method_Connect: "CONNECT", Method_Options: "OPTIONS", Method_Trace: "TRACE", Method_Patch: "PATCH",
}
# Headers of a connection, which the host alone may set.
CONNECTION_HEADERS = {
    "connection", "host", "http2-settings", "keep-alive", "proxy-authenticate", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade",
}


class OwnModules(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """The app's own modules, from memory, as if they lay at the root of the app's files."""

    def find_spec(self, name, path=None, target=None):
        if name not in SOURCES:
            return None
        file, is_package, _ = SOURCES[name]
        spec = importlib.util.spec_from_loader(name, self, origin=f"/{file}", is_package=is_package)
        spec.has_location = True
        if is_package:
            spec.submodule_search_locations = [f"/{os.path.dirname(file)}"]
        return spec

    def get_source(self, name):
        return SOURCES[name][2]

    def get_code(self, name):
        file, _, source = SOURCES[name]
        if name not in CODE:
            CODE[name] = compile(source, f"/{file}", "exec", dont_inherit=True)
        return CODE[name]

    def is_package(self, name):
        return SOURCES[name][1]


CODE = {}
sys.meta_path.insert(0, OwnModules())


class Building:
    """Notes what the app does while it is imported that it cannot do before it runs."""

    def __init__(self):
        self.reasons = set()
        self.kept = {name: getattr(os._Environ, name) for name in ("__getitem__", "__iter__", "__len__")}

    def __enter__(self):
        kept, reasons = self.kept, self.reasons

        def getitem(environ, key):
            if key not in HARMLESS and not str(key).startswith("PYTHON") and not self.from_library():
                reasons.add(f"os.environ[{key!r}]")
            return kept["__getitem__"](environ, key)

        def iterate(environ):
            if not self.from_library():
                reasons.add("all of os.environ")
            return kept["__iter__"](environ)

        os._Environ.__getitem__ = getitem
        os._Environ.__iter__ = iterate
        return self

    def __exit__(self, *_):
        for name, function in self.kept.items():
            setattr(os._Environ, name, function)

    @staticmethod
    def from_library():
        """Whether the standard library reads for itself: the nearest caller outside of os is part of it."""
        frame = sys._getframe(2)
        while frame and frame.f_code.co_filename.endswith(("/os.py", "/_collections_abc.py", "<frozen os>", "<frozen _collections_abc>")):
            frame = frame.f_back
        name = frame.f_code.co_filename if frame else ""
        return name.startswith(("/python/", "<frozen ")) or "/lib/python3" in name


def import_what_may_be_needed():
    """Everything that any module of the app imports, wherever in the module that stands."""
    wanted = set(LATE)
    for _, _, source in SOURCES.values():
        try:
            tree = ast.parse(source)
        except SyntaxError:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                wanted.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                wanted.add(node.module)
                wanted.update(f"{node.module}.{alias.name}" for alias in node.names)
    for name in sorted(wanted):
        if name.split(".")[0] in OWN_TOP_LEVEL:
            continue
        try:
            importlib.import_module(name)
        except BaseException:  # what is not there, or does not start here, is no loss yet
            pass


OWN_TOP_LEVEL = {name.split(".")[0] for name in SOURCES}


def load_app():
    """The WSGI callable."""
    module = importlib.import_module(MODULE)
    if ATTRIBUTE:
        found = module
        for part in ATTRIBUTE.removesuffix("()").split("."):
            found = getattr(found, part, None)
        if found is None:
            raise RuntimeError(f"the module '{MODULE}' has no '{ATTRIBUTE}'")
        if ATTRIBUTE.endswith("()"):
            found = found()
    else:
        found = next((getattr(module, name) for name in ("app", "application") if callable(getattr(module, name, None))), None)
        factory = next((getattr(module, name) for name in ("create_app", "make_app") if callable(getattr(module, name, None))), None)
        if found is None and factory is not None:
            found = factory()
        if found is None:
            raise RuntimeError(f"the module '{MODULE}' has neither 'app' nor 'application'; name the WSGI callable in a Procfile: web: gunicorn {MODULE}:NAME")
    if inspect.iscoroutinefunction(found) or inspect.iscoroutinefunction(getattr(found, "__call__", None)):
        raise RuntimeError(f"'{MODULE}' is an ASGI app; this buildpack serves WSGI apps")
    return found


def warm_up(app):
    """Sends requests to a path that no app has, so that what frameworks import at their first request is there."""
    requests = [
        ("GET", None, b""),
        ("POST", "application/json", b"{}"),
        ("POST", "application/x-www-form-urlencoded", b"a=1"),
        ("POST", "multipart/form-data; boundary=b", b"--b\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n1\r\n--b--\r\n"),
    ]
    for method, content_type, body in requests:
        environ = {
            "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": "/.virga/warm-up", "QUERY_STRING": "a=1", "HTTP_HOST": "localhost",
            "HTTP_COOKIE": "a=1", "CONTENT_LENGTH": str(len(body)), **SERVER, "wsgi.input": io.BytesIO(body), "wsgi.errors": io.StringIO(),
        }
        if content_type:
            environ["CONTENT_TYPE"] = content_type
        try:
            answer = app(environ, lambda *_: lambda _: None)
            list(answer)
            if hasattr(answer, "close"):
                answer.close()
        except BaseException:  # only what it imported counts
            pass


SERVER = {
    "SERVER_NAME": "localhost", "SERVER_PORT": "8080", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.version": (1, 0), "wsgi.url_scheme": "http",
    "wsgi.multithread": False, "wsgi.multiprocess": True, "wsgi.run_once": False, "wsgi.input_terminated": True,
}


def build():
    """Imports the app; gives it, or None if it must be imported by the running instance."""
    import_what_may_be_needed()
    with Building() as building:
        try:
            app = load_app()
            warm_up(app)
        except (ImportError, SyntaxError, RuntimeError):
            if not building.reasons:
                raise
        except BaseException as error:
            # A file, a variable or a server that is only there at run time.
            if not building.reasons and not isinstance(error, (OSError, KeyError)):
                raise
            building.reasons.add(repr(error))
    if not building.reasons:
        return app
    for name in list(sys.modules):
        if name.split(".")[0] in OWN_TOP_LEVEL:
            del sys.modules[name]
    return None


class Input(io.RawIOBase):
    """The request's body as a raw file."""

    def __init__(self, request):
        self.request = request
        self.body = self.stream = None
        self.at_end = False

    def readable(self):
        return True

    def readinto(self, buffer):
        if self.at_end:
            return 0
        if self.stream is None:
            self.body = self.request.consume()
            self.stream = self.body.stream()
        while True:
            try:
                piece = self.stream.blocking_read(len(buffer))
            except Err as error:
                self.at_end = True
                reason = getattr(error.value, "value", None)
                if reason is not None:
                    with reason:
                        raise OSError(f"the request body broke off: {reason.to_debug_string()}") from None
                return 0
            if piece:
                buffer[: len(piece)] = piece
                return len(piece)

    def release(self):
        """Lets go of the request, children first: a parent that goes before its child traps."""
        self.at_end = True
        if self.stream is not None:
            self.stream.__exit__(None, None, None)
            IncomingBody.finish(self.body).__exit__(None, None, None)
            self.stream = self.body = None


class Answer:
    """One answer on its way out."""

    def __init__(self, out):
        self.out = out
        self.status = None
        self.headers = None
        self.body = self.stream = None

    def start(self, status, headers, exc_info=None):
        if self.body is not None:
            if exc_info:
                raise exc_info[1].with_traceback(exc_info[2])
            raise AssertionError("the answer was already begun")
        self.status, self.headers = int(status.split(None, 1)[0]), headers
        return self.write

    def begin(self):
        if self.status is None:
            raise AssertionError("the app did not call start_response")
        entries = [(name.lower(), str(value).encode("latin-1", "replace")) for name, value in self.headers if name.lower() not in CONNECTION_HEADERS]
        response = OutgoingResponse(Fields.from_list(entries))
        response.set_status_code(self.status)
        self.body = response.body()
        ResponseOutparam.set(self.out, Ok(response))
        self.stream = self.body.write()

    def write(self, data):
        if self.body is None:
            self.begin()
        view = memoryview(data)
        while view:
            room = self.stream.check_write()
            if room == 0:
                with self.stream.subscribe() as ready:
                    ready.block()
                continue
            self.stream.write(bytes(view[:room]))
            view = view[room:]

    def end(self):
        if self.body is None:
            self.begin()
        self.stream.__exit__(None, None, None)
        self.stream = None
        OutgoingBody.finish(self.body, None)

    def abort(self):
        if self.stream is not None:
            self.stream.__exit__(None, None, None)
            self.body.__exit__(None, None, None)
            self.stream = None


def environ_of(request, body):
    path, _, query = (request.path_with_query() or "/").partition("?")
    method = request.method()
    environ = {
        **SERVER,
        "REQUEST_METHOD": method.value if isinstance(method, Method_Other) else METHODS[type(method)],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "REQUEST_URI": f"{path}?{query}" if query else path,
        "wsgi.input": io.BufferedReader(body, 65536),
        "wsgi.errors": sys.stderr,
    }
    with request.headers() as fields:
        for name, value in fields.entries():
            key = name.upper().replace("-", "_")
            text = value.decode("latin-1")
            if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                key = f"HTTP_{key}"
            environ[key] = f"{environ[key]},{text}" if key in environ and key != "CONTENT_LENGTH" else text
    environ.setdefault("HTTP_HOST", request.authority() or "localhost")
    environ["SERVER_NAME"] = environ["HTTP_HOST"].rpartition(":")[0] or environ["HTTP_HOST"]
    environ["SERVER_PORT"] = os.environ.get("PORT", "8080")
    environ["REMOTE_ADDR"] = environ.get("HTTP_X_FORWARDED_FOR", "127.0.0.1").split(",")[0].strip()
    if environ.get("HTTP_X_FORWARDED_PROTO", "").split(",")[0].strip() == "https":
        environ["wsgi.url_scheme"] = "https"
    return environ


def serve(app, request, answer):
    body = Input(request)
    try:
        result = app(environ_of(request, body), answer.start)
        try:
            for piece in result:
                if piece:
                    answer.write(piece)
        finally:
            if hasattr(result, "close"):
                result.close()
        body.release()
        answer.end()
    finally:
        body.release()


def fail(answer):
    traceback.print_exc()
    if answer.body is not None:
        answer.abort()
        return
    answer.status, answer.headers = 500, [("content-type", "text/plain; charset=utf-8")]
    answer.write(b"Internal Server Error\n")
    answer.end()


APP = build()
STARTED = False


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request, response_out):
        global APP, STARTED
        answer = Answer(response_out)
        with request:
            try:
                if not STARTED:
                    STARTED = True
                    random.seed()
                if APP is None:
                    APP = load_app()
                serve(APP, request, answer)
            except Exception:
                fail(answer)
            sys.stdout.flush()
            sys.stderr.flush()
