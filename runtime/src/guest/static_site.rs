//! Static sites: files of the droplet, served by the cell itself. Paths are opened beneath the site's folder by the
//! kernel (`openat2`, no symbolic links), so no spelling of a path leads out of it.

mod accepted;
mod access;
mod range;
mod rules;

use crate::instance::Slot;
use bytes::Bytes;
use futures::StreamExt as _;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::{BodyExt as _, StreamBody};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use range::Ranged;
use rules::Rules;
use rustix::fs::{FileType, Mode, OFlags, ResolveFlags};
use std::{
    fmt::Write as _,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    os::fd::OwnedFd,
    path::Path,
};
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;
use virga_contract::{Body, body};
use virga_model::{
    Sha256Digest,
    droplet::{MADE_COMPRESSED, StaticSite},
};

/// Files up to this size are read at once: they lie in the page cache, and a thread switch costs more than the read.
const READ_AT_ONCE: u64 = 128 << 10;
const PIECE: usize = 64 << 10;
const INDEX: &str = "index.html";
/// Entries of a listed folder.
const LISTED: usize = 10_000;
/// Everything but what names in a URL commonly contain.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A site, with its root folder held open.
pub struct Site {
    root: Option<OwnedFd>,
    settings: StaticSite,
    rules: Rules,
    users: Option<access::Users>,
    /// First half of every entity tag: the same file of the same droplet has the same tag on every cell.
    tag: String,
}

/// What a path led to.
enum Opened {
    File(File, u64),
    Folder(OwnedFd),
    Nothing,
}

impl Site {
    /// Opens the site's folder.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(files: Option<&Path>, settings: StaticSite, droplet: &Sha256Digest) -> io::Result<Self> {
        let root = match files {
            Some(files) => Some(rustix::fs::open(files, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?),
            None => None,
        };
        let (rules, users) = (Rules::of(&settings.headers), access::Users::of(&settings.users));
        Ok(Self { root, settings, rules, users, tag: droplet.to_string().chars().take(16).collect() })
    }

    /// Answers one request.
    pub async fn serve(&self, request: http::Request<Body>, slot: Slot) -> Response<Body> {
        // Any body is left unread.
        let request = request.map(|_| ());
        let mut answer = self.admitted(&request, slot).await;
        if let Some(policy) = &self.settings.strict_transport_security {
            insert(answer.headers_mut(), header::STRICT_TRANSPORT_SECURITY, policy);
        }
        self.rules.apply(request.uri().path(), answer.headers_mut());
        answer
    }

    async fn admitted(&self, request: &http::Request<()>, slot: Slot) -> Response<Body> {
        let came_by = request.headers().get("x-forwarded-proto").map(HeaderValue::as_bytes);
        if self.settings.force_https && came_by == Some(b"http") {
            return to_https(request);
        }
        if let Some(users) = &self.users
            && !users.admit(request.headers()).await
        {
            let mut answer = plain(StatusCode::UNAUTHORIZED);
            let asked = HeaderValue::from_static("Basic realm=\"Restricted\", charset=\"UTF-8\"");
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, asked);
            return answer;
        }
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let mut answer = plain(StatusCode::METHOD_NOT_ALLOWED);
            answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        match self.answer(request, slot) {
            Ok(answer) => self.with_own_page(request, answer),
            Err(error) => {
                tracing::warn!("a static file could not be served: {error}");
                plain(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    /// The site's own page for a status, where it has one.
    fn with_own_page(&self, request: &http::Request<()>, answer: Response<Body>) -> Response<Body> {
        let Some(page) = self.settings.error_pages.get(&answer.status().as_u16()) else { return answer };
        let Some(Ok(Opened::File(mut file, size))) = self.inside(page).map(|page| self.find(&page)) else { return answer };
        if size > READ_AT_ONCE {
            return answer;
        }
        let mut bytes = Vec::new();
        if let Err(error) = file.read_to_end(&mut bytes) {
            tracing::warn!("a static site's page '{page}' could not be read: {error}");
            return answer;
        }
        let (mut parts, _) = answer.into_parts();
        insert(&mut parts.headers, header::CONTENT_TYPE, &content_type(page));
        parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
        Response::from_parts(parts, if request.method() == Method::HEAD { body::empty() } else { body::full(bytes) })
    }

    fn answer(&self, request: &http::Request<()>, slot: Slot) -> io::Result<Response<Body>> {
        let Some(path) = self.inside(request.uri().path()) else {
            return Ok(plain(StatusCode::NOT_FOUND));
        };
        match self.find(&path)? {
            Opened::File(file, size) => self.file(request, &path, file, size, slot),
            Opened::Folder(folder) => self.folder(request, &path, folder, slot),
            Opened::Nothing if self.settings.pushstate => match self.find(INDEX)? {
                Opened::File(file, size) => self.file(request, INDEX, file, size, slot),
                _ => Ok(plain(StatusCode::NOT_FOUND)),
            },
            Opened::Nothing => Ok(plain(StatusCode::NOT_FOUND)),
        }
    }

    fn inside(&self, path: &str) -> Option<String> {
        inside(path, self.settings.host_dot_files)
    }

    fn find(&self, path: &str) -> io::Result<Opened> {
        let Some(root) = &self.root else {
            return Ok(Opened::Nothing);
        };
        // NONBLOCK: opening a pipe must not wait for a writer; none is in a droplet, yet this costs nothing.
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let path = if path.is_empty() { "." } else { path };
        let opened = match rustix::fs::openat2(root, path, flags, Mode::empty(), beneath) {
            Ok(opened) => opened,
            Err(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE | rustix::io::Errno::IO) => {
                return Err(io::Error::other("no file descriptor left, or a broken disk"));
            }
            // Missing, a link, a path through a file, a name too long: nothing of it is there.
            Err(_) => return Ok(Opened::Nothing),
        };
        let stat = rustix::fs::fstat(&opened)?;
        Ok(match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Opened::File(File::from(opened), u64::try_from(stat.st_size).unwrap_or(0)),
            FileType::Directory => Opened::Folder(opened),
            _ => Opened::Nothing,
        })
    }

    fn folder(&self, request: &http::Request<()>, path: &str, folder: OwnedFd, slot: Slot) -> io::Result<Response<Body>> {
        if !request.uri().path().ends_with('/') {
            return Ok(redirect(request.uri()));
        }
        let index = if path.is_empty() { INDEX.to_owned() } else { format!("{path}/{INDEX}") };
        match self.find(&index)? {
            Opened::File(file, size) => self.file(request, &index, file, size, slot),
            _ if self.settings.directory_listing => self.listing(&folder, path, request.method() == Method::HEAD),
            _ => Ok(plain(StatusCode::NOT_FOUND)),
        }
    }

    /// A smaller form of a file that the client takes.
    fn compressed(&self, asked: &HeaderMap, path: &str) -> io::Result<Option<(File, u64, &'static str)>> {
        for form in self.settings.compressed.iter().copied().filter(|form| accepted::takes(asked, *form)) {
            let ending = accepted::ending(form);
            for path in [format!("{path}.{ending}"), format!("{MADE_COMPRESSED}/{path}.{ending}")] {
                if let Opened::File(file, size) = self.find(&path)? {
                    return Ok(Some((file, size, form.as_str())));
                }
            }
        }
        Ok(None)
    }

    fn listing(&self, folder: &OwnedFd, path: &str, is_head: bool) -> io::Result<Response<Body>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::read_from(folder)?.take(LISTED) {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else { continue };
            if self.inside(name).is_some() {
                names.push(if entry.file_type() == FileType::Directory { format!("{name}/") } else { name.to_owned() });
            }
        }
        names.sort();
        let title = escape(&format!("/{path}"));
        let mut page = format!("<!DOCTYPE html><title>Index of {title}</title><h1>Index of {title}</h1><ul>");
        if !path.is_empty() {
            page.push_str("<li><a href=\"../\">../</a>");
        }
        for name in names {
            let href = utf8_percent_encode(name.trim_end_matches('/'), IN_PATH);
            let slash = if name.ends_with('/') { "/" } else { "" };
            // Writing into a string cannot fail.
            let _written = write!(page, "<li><a href=\"./{href}{slash}\">{}</a>", escape(&name));
        }
        page.push_str("</ul>\n");
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(page.len()));
        Ok(answer(StatusCode::OK, headers, if is_head { body::empty() } else { body::full(page) }))
    }

    fn file(&self, request: &http::Request<()>, path: &str, file: File, size: u64, slot: Slot) -> io::Result<Response<Body>> {
        let mut headers = HeaderMap::with_capacity(8);
        let smaller = self.compressed(request.headers(), path)?;
        if !self.settings.compressed.is_empty() {
            headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        }
        if let Some((_, _, form)) = smaller {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(form));
        }
        let (mut file, size, form) = smaller.unwrap_or((file, size, ""));
        // Each form has a tag of its own: a part of one is no part of the other.
        let tag = format!("\"{}-{size:x}{form}\"", self.tag);
        insert(&mut headers, header::ETAG, &tag);
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        insert(&mut headers, header::CONTENT_TYPE, &content_type(path));
        if is_known(request.headers(), &tag) {
            headers.remove(header::CONTENT_TYPE);
            headers.remove(header::CONTENT_ENCODING);
            return Ok(answer(StatusCode::NOT_MODIFIED, headers, body::empty()));
        }
        let (status, start, length) = match range::parse(request.headers(), &tag, size) {
            Ranged::Whole => (StatusCode::OK, 0, size),
            Ranged::Part { start, length } => {
                insert(&mut headers, header::CONTENT_RANGE, &format!("bytes {start}-{}/{size}", start + length - 1));
                (StatusCode::PARTIAL_CONTENT, start, length)
            }
            Ranged::Impossible => {
                let mut answer = plain(StatusCode::RANGE_NOT_SATISFIABLE);
                insert(answer.headers_mut(), header::CONTENT_RANGE, &format!("bytes */{size}"));
                return Ok(answer);
            }
        };
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        if request.method() == Method::HEAD {
            return Ok(answer(status, headers, body::empty()));
        }
        if start > 0 {
            file.seek(SeekFrom::Start(start))?;
        }
        let body = if length <= READ_AT_ONCE {
            let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
            file.read_exact(&mut bytes)?;
            body::full(bytes)
        } else {
            stream(file, length, slot)
        };
        Ok(answer(status, headers, body))
    }
}

/// A file piece by piece; the request counts as in flight until the last.
fn stream(file: File, length: u64, slot: Slot) -> Body {
    let pieces = ReaderStream::with_capacity(tokio::fs::File::from_std(file).take(length), PIECE);
    let pieces = pieces.map(move |piece| {
        let _held = &slot;
        piece.map(http_body::Frame::data).map_err(Into::into)
    });
    StreamBody::new(pieces).boxed_unsync()
}

fn answer(status: StatusCode, headers: HeaderMap, body: Body) -> Response<Body> {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    answer
}

fn insert(headers: &mut HeaderMap, name: header::HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

/// A short text that says the status.
fn plain(status: StatusCode) -> Response<Body> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    let text = format!("{} {}\n", status.as_u16(), status.canonical_reason().unwrap_or_default());
    answer(status, headers, body::full(Bytes::from(text)))
}

/// To the same folder with a slash at its end. Only the path is named, in one piece: `//host` would be another host.
fn redirect(uri: &http::Uri) -> Response<Body> {
    let mut answer = plain(StatusCode::MOVED_PERMANENTLY);
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let target = format!("/{}/{query}", uri.path().trim_matches('/'));
    insert(answer.headers_mut(), header::LOCATION, &target);
    answer
}

/// The same address by `https`, at the host that the client named.
fn to_https(request: &http::Request<()>) -> Response<Body> {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).or_else(|| request.uri().host());
    let Some(host) = host else { return plain(StatusCode::BAD_REQUEST) };
    let host = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit())).map_or(host, |(host, _)| host);
    let mut answer = plain(StatusCode::MOVED_PERMANENTLY);
    let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    insert(answer.headers_mut(), header::LOCATION, &format!("https://{host}{path}"));
    answer
}

/// The path inside the site: decoded, without empty parts. `None` for what no site serves: parents, hidden files (but
/// `.well-known`) unless it wants them served, bytes that are no text.
fn inside(path: &str, with_hidden: bool) -> Option<String> {
    let decoded = percent_decode_str(path).decode_utf8().ok()?;
    let mut inside = String::with_capacity(decoded.len());
    for part in decoded.split('/').filter(|part| !part.is_empty() && *part != ".") {
        let is_hidden = part.starts_with('.') && part != ".well-known";
        if part.contains('\0') || part == ".." || part == MADE_COMPRESSED || (is_hidden && !with_hidden) {
            return None;
        }
        if !inside.is_empty() {
            inside.push('/');
        }
        inside.push_str(part);
    }
    Some(inside)
}

fn content_type(path: &str) -> String {
    let kind = mime_guess::from_path(path).first_or_octet_stream();
    let is_text = kind.type_() == mime_guess::mime::TEXT || matches!(kind.subtype().as_str(), "javascript" | "json" | "xml");
    if is_text { format!("{kind}; charset=utf-8") } else { kind.to_string() }
}

/// `If-None-Match` (RFC 9110, section 13.1.2; weak comparison).
fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let named = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    named.flat_map(|value| value.split(',')).map(str::trim).any(|named| named == "*" || named.trim_start_matches("W/") == tag)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside_and_hidden_files_hidden() {
        assert_eq!(inside("/", false).as_deref(), Some(""));
        assert_eq!(inside("//a/./b%20c/", false).as_deref(), Some("a/b c"));
        assert_eq!(inside("/.well-known/x", false).as_deref(), Some(".well-known/x"));
        for path in ["/..", "/a/../../b", "/%2e%2e/b", "/..%2fb", "/.git/config", "/%00", "/%ff"] {
            assert_eq!(inside(path, false), None, "{path}");
        }
    }

    #[test]
    fn hidden_files_may_be_wanted_and_parents_never() {
        assert_eq!(inside("/.git/config", true).as_deref(), Some(".git/config"));
        for path in ["/..", "/a/%2e%2e/b", "/.virga-compressed/a.gz"] {
            assert_eq!(inside(path, true), None, "{path}");
        }
    }

    #[test]
    fn a_redirect_never_leaves_the_host() {
        let target = |uri: &str| redirect(&uri.parse().unwrap()).headers()[header::LOCATION].to_str().unwrap().to_owned();
        assert_eq!(target("/docs?x=1"), "/docs/?x=1");
        assert_eq!(target("http://h//evil.example/.."), "/evil.example/../");
    }
}
