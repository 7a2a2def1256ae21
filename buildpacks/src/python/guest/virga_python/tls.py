"""The module `ssl` of a component: TLS is the host's, who does it for HTTP alone and checks certificates always.

It has what clients look at while they are set up; a connection of any other protocol is refused when it is to be made.
"""

import enum
import os
import socket
from collections import namedtuple

OPENSSL_VERSION_INFO = (3, 0, 0, 0, 0)
OPENSSL_VERSION_NUMBER = 0x30000000
OPENSSL_VERSION = "OpenSSL 3.0.0 (none: the platform's own TLS)"
HAS_SNI = HAS_ALPN = HAS_TLSv1_2 = HAS_TLSv1_3 = HAS_ECDH = HAS_NEVER_CHECK_COMMON_NAME = True
HAS_NPN = HAS_SSLv2 = HAS_SSLv3 = HAS_TLSv1 = HAS_TLSv1_1 = HAS_PSK = False
PEM_HEADER, PEM_FOOTER = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
CHANNEL_BINDING_TYPES = []


class SSLError(OSError):
    library = reason = None


class SSLZeroReturnError(SSLError):
    pass


class SSLWantReadError(SSLError):
    pass


class SSLWantWriteError(SSLError):
    pass


class SSLSyscallError(SSLError):
    pass


class SSLEOFError(SSLError):
    pass


class SSLCertVerificationError(SSLError, ValueError):
    verify_code, verify_message = 0, ""


CertificateError = SSLCertVerificationError
socket_error = OSError


class VerifyMode(enum.IntEnum):
    CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED = range(3)


class TLSVersion(enum.IntEnum):
    MINIMUM_SUPPORTED, SSLv3, TLSv1, TLSv1_1, TLSv1_2, TLSv1_3, MAXIMUM_SUPPORTED = -2, 768, 769, 770, 771, 772, -1


class _SSLMethod(enum.IntEnum):
    PROTOCOL_TLS, PROTOCOL_TLSv1_2, PROTOCOL_TLS_CLIENT, PROTOCOL_TLS_SERVER = 2, 5, 16, 17


class Options(enum.IntFlag):
    OP_ALL = 0x80000050
    OP_NO_SSLv2 = 0
    OP_NO_SSLv3 = 0x2000000
    OP_NO_TLSv1 = 0x4000000
    OP_NO_TLSv1_1 = 0x10000000
    OP_NO_TLSv1_2 = 0x8000000
    OP_NO_TLSv1_3 = 0x20000000
    OP_NO_COMPRESSION = 0x20000
    OP_NO_TICKET = 0x4000
    OP_NO_RENEGOTIATION = 0x40000000
    OP_CIPHER_SERVER_PREFERENCE = 0x400000
    OP_SINGLE_DH_USE = 0
    OP_SINGLE_ECDH_USE = 0
    OP_IGNORE_UNEXPECTED_EOF = 0x80


class VerifyFlags(enum.IntFlag):
    VERIFY_DEFAULT, VERIFY_CRL_CHECK_LEAF, VERIFY_CRL_CHECK_CHAIN, VERIFY_X509_STRICT = 0, 4, 12, 32
    VERIFY_X509_TRUSTED_FIRST, VERIFY_X509_PARTIAL_CHAIN, VERIFY_ALLOW_PROXY_CERTS = 32768, 524288, 64


class Purpose(enum.Enum):
    SERVER_AUTH, CLIENT_AUTH = "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"


for _kind in (VerifyMode, _SSLMethod, Options, VerifyFlags):
    globals().update(_kind.__members__)
PROTOCOL_SSLv23 = _SSLMethod.PROTOCOL_TLS

DefaultVerifyPaths = namedtuple("DefaultVerifyPaths", "cafile capath openssl_cafile_env openssl_cafile openssl_capath_env openssl_capath")


def get_default_verify_paths():
    return DefaultVerifyPaths(None, None, "SSL_CERT_FILE", None, "SSL_CERT_DIR", None)


class SSLSocket(socket.socket):
    """Only for isinstance."""


class SSLObject:
    """Only for isinstance."""


class SSLSession:
    """Only for isinstance."""


class MemoryBIO:
    def __init__(self):
        raise _refusal()


class SSLContext:
    def __init__(self, protocol=_SSLMethod.PROTOCOL_TLS, *_, **__):
        self.protocol = protocol
        self.verify_mode = VerifyMode.CERT_REQUIRED
        self.check_hostname = True
        self.options = Options(0)
        self.verify_flags = VerifyFlags(0)
        self.minimum_version, self.maximum_version = TLSVersion.TLSv1_2, TLSVersion.MAXIMUM_SUPPORTED
        self.keylog_filename = self.sni_callback = None
        self.post_handshake_auth = self.hostname_checks_common_name = False

    def load_cert_chain(self, *_, **__):
        raise SSLError("certificates of a client cannot be sent from here: the platform does TLS")

    def load_verify_locations(self, *_, **__):
        """Whom to trust is the platform's to know."""

    load_default_certs = set_default_verify_paths = set_alpn_protocols = set_ciphers = load_verify_locations

    def get_ca_certs(self, binary_form=False):
        return []

    def get_ciphers(self):
        return []

    def cert_store_stats(self):
        return {"x509": 0, "crl": 0, "x509_ca": 0}

    def wrap_socket(self, sock, *_, **__):
        raise _refusal()

    def wrap_bio(self, *_, **__):
        raise _refusal()


def _refusal():
    return SSLError("only HTTP can be spoken over TLS here (requests, httpx, urllib); other protocols need a connection without TLS")


def create_default_context(purpose=Purpose.SERVER_AUTH, *_, **__):
    return SSLContext(_SSLMethod.PROTOCOL_TLS_CLIENT)


_create_default_https_context = _create_stdlib_context = create_default_context


def _create_unverified_context(*_, **__):
    raise SSLError("certificates are always checked here: the platform does TLS")


def RAND_bytes(size):
    return os.urandom(size)


def RAND_status():
    return True


def RAND_add(*_):
    """The host's generator needs nothing."""


def cert_time_to_seconds(text):
    import calendar
    import time

    return calendar.timegm(time.strptime(text, "%b %d %H:%M:%S %Y GMT"))


def get_protocol_name(code):
    return _SSLMethod(code).name
