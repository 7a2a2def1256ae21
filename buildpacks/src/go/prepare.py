"""Makes of the installed Go, which is this toolchain's own copy, one whose programs can be components: adds the files of
`std`, edits five places of its standard library, and compiles that once for all apps. Where a place is not as it is expected,
nothing goes on."""

import os
import pathlib
import shutil
import subprocess
import sys

SOURCE = pathlib.Path("packages/go/src")
EDITS = [
    # Goroutines that wait for the host are looked for where those are that wait for files.
    (
        "runtime/netpoll_wasip1.go",
        "func netpoll(delay int64) (gList, int32) {\n",
        "func netpoll(delay int64) (gList, int32) {\n\tif len(wasiWaiting) != 0 {\n\t\treturn wasiNetpoll(delay)\n\t}\n",
    ),
    # Programs count on their own name among the arguments, and the host gives none to who serves.
    (
        "runtime/os_wasip1.go",
        "\targslice = make([]string, argc)\n",
        '\targslice = make([]string, argc)\n\tif argc == 0 {\n\t\targslice = []string{"app"}\n\t}\n',
    ),
    # A server that listens is announced, so that the host's requests find it. What follows is not reached and not linked: HTTP
    # and TLS on connections.
    (
        "net/http/server.go",
        "\tctx := context.WithValue(baseCtx, ServerContextKey, s)\n",
        "\tctx := context.WithValue(baseCtx, ServerContextKey, s)\n\treturn wasiServe(s, l, ctx)\n",
    ),
    # Requests leave through the host.
    ("net/http/roundtrip.go", "\treturn t.roundTrip(req)\n", "\treturn t.wasiRoundTrip(req)\n"),
    # The same function by the name that who does not use TLS does not link: a quarter of a program.
    ("crypto/tls/conn.go", "c.handshakeErr = c.clientHandshake(context.Background())", "c.handshakeErr = c.handshakeFn(context.Background())"),
]
# What apps import; whatever is missing here is compiled with the first app that has it.
COMPILED = """bufio bytes cmp compress/gzip container/heap container/list context crypto/aes crypto/cipher crypto/hmac
crypto/md5 crypto/rand crypto/rsa crypto/sha1 crypto/sha256 crypto/sha512 crypto/subtle crypto/tls crypto/x509 database/sql
embed encoding/base64 encoding/binary encoding/csv encoding/gob encoding/hex encoding/json encoding/pem encoding/xml errors
expvar flag fmt hash/crc32 hash/fnv html html/template io io/fs iter log log/slog maps math math/big math/bits math/rand
math/rand/v2 mime mime/multipart net net/http net/http/cookiejar net/http/httptest net/http/httputil net/http/pprof net/mail
net/netip net/smtp net/textproto net/url os os/exec os/signal os/user path path/filepath reflect regexp runtime runtime/debug
runtime/metrics slices sort strconv strings sync sync/atomic syscall testing text/tabwriter text/template time unicode
unicode/utf16 unicode/utf8 unique unsafe"""


def edit(name: str, old: str, new: str) -> None:
    path = SOURCE / name
    text = path.read_text()
    if text.count(old) != 1:
        sys.exit(f"{name} of this Go is not the one this buildpack knows: {text.count(old)} times {old.strip()!r}")
    path.write_text(text.replace(old, new))


def remove_what_apps_do_not_need() -> None:
    for path in SOURCE.rglob("*_test.go"):
        path.unlink()
    for folder in [*SOURCE.rglob("testdata"), SOURCE / "cmd"]:
        shutil.rmtree(folder, ignore_errors=True)


def compile_once() -> None:
    here = pathlib.Path.cwd()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(here / "tmp"),
        "TMPDIR": str(here / "tmp"),
        "GOCACHE": str(here / "cache"),
        "GOOS": "wasip1",
        "GOARCH": "wasm",
        "GOENV": "off",
        "GOTOOLCHAIN": "local",
        "GOTELEMETRY": "off",
        "GO111MODULE": "off",
        "CGO_ENABLED": "0",
    }
    go = str(here / "packages/go/bin/go")
    tags = pathlib.Path("tags.txt").read_text().strip()
    subprocess.run([go, "build", "-trimpath", "-tags", tags, *COMPILED.split()], env=environment, check=True)


def main() -> None:
    for name, old, new in EDITS:
        edit(name, old, new)
    shutil.copytree("std", SOURCE, dirs_exist_ok=True)
    remove_what_apps_do_not_need()
    compile_once()


main()
