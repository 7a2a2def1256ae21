//! Which registries the package clients of this machine are set up for. Each is asked, or where it has no way to tell, its own
//! files are read. A registry's password stays with the operator: builds get addresses alone.

use super::forward::PORT;
use crate::toolchain::find_program;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};
use url::Url;

/// Time for all of the clients to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// How clients inside of a sandbox are set up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClientSettings {
    pub(crate) environment: BTreeMap<String, String>,
    /// Files under the home folder, by name.
    pub(crate) files: BTreeMap<String, String>,
}

/// What the clients answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Clients {
    /// Hosts with their ports.
    pub(crate) hosts: BTreeSet<(String, u16)>,
    pub(crate) settings: ClientSettings,
}

impl Clients {
    /// Asks all that are on this machine or in these toolchains; one that fails to answer has no registry.
    pub(crate) async fn ask(toolchains: &[PathBuf]) -> Self {
        let places = &Places::new(toolchains);
        let asked = async { tokio::join!(npm(places), pip(places), go(places), gem(places), nuget(places), composer(places)) };
        let mut clients = Self::default();
        match tokio::time::timeout(ANSWER_WITHIN, asked).await {
            Ok((npm, pip, go, gem, nuget, composer)) => {
                [npm, pip, go, gem, nuget, composer].into_iter().for_each(|answer| clients.merge(answer))
            }
            Err(_) => tracing::warn!("staging: package clients did not say in time which registries they use"),
        }
        let files = tokio::task::spawn_blocking(|| (cargo(), maven())).await;
        let ((mut cargo, index), maven) = files.unwrap_or_else(|error| {
            tracing::warn!(%error, "staging: looking for the registries of Cargo and Maven broke off; builds do not reach them");
            Default::default()
        });
        if let Some(index) = index {
            tell_packages(&mut cargo, &index).await;
        }
        [cargo, maven].into_iter().for_each(|answer| clients.merge(answer));
        tracing::info!(hosts = ?clients.hosts, "staging: registries that builds may reach");
        clients
    }

    fn merge(&mut self, other: Self) {
        self.hosts.extend(other.hosts);
        self.settings.environment.extend(other.settings.environment);
        self.settings.files.extend(other.settings.files);
    }

    /// Takes a registry in; gives its address without the operator's name and password.
    fn registry(&mut self, address: &str) -> Option<String> {
        let mut url = Url::parse(address.trim()).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
        let (host, port) = (url.host_str()?.to_ascii_lowercase(), url.port_or_known_default()?);
        self.hosts.insert((host, port));
        if url.set_username("").is_err() || url.set_password(None).is_err() {
            return None;
        }
        Some(url.to_string())
    }

    fn set(&mut self, name: &str, value: String) {
        self.settings.environment.insert(name.to_owned(), value);
    }
}

/// Where clients are looked for besides `PATH`: folders `bin` of toolchains.
struct Places(Vec<PathBuf>);

/// How deep in a toolchain its programs lie.
const DEPTH: usize = 3;

impl Places {
    fn new(toolchains: &[PathBuf]) -> Self {
        let folders = toolchains.iter().flat_map(|toolchain| walkdir::WalkDir::new(toolchain).max_depth(DEPTH).sort_by_file_name());
        Self(folders.flatten().filter(|entry| entry.file_name() == "bin").map(walkdir::DirEntry::into_path).collect())
    }

    fn find(&self, program: &str) -> Option<PathBuf> {
        find_program(program).or_else(|| self.0.iter().map(|folder| folder.join(program)).find(|path| path.is_file()))
    }
}

/// Letters of a client's complaint that are logged.
const MOST_SAID: usize = 500;

/// What a client prints, run as the operator would, where there is nothing of any app. `None` also where there is no such client.
async fn said(places: &Places, program: &str, arguments: &[&str]) -> Option<String> {
    let found = places.find(program)?;
    let output =
        tokio::process::Command::new(found).args(arguments).current_dir("/").stdin(Stdio::null()).kill_on_drop(true).output().await;
    let problem = match output {
        Ok(output) if output.status.success() => match String::from_utf8(output.stdout) {
            Ok(text) => return Some(text),
            Err(error) => error.to_string(),
        },
        Ok(output) => {
            let said: String = String::from_utf8_lossy(&output.stderr).trim().chars().take(MOST_SAID).collect();
            format!("{}: {said}", output.status)
        }
        Err(error) => error.to_string(),
    };
    tracing::warn!(
        program,
        ?arguments,
        problem,
        "staging: a package client does not say which registry it uses; builds may not reach the one that it is set to"
    );
    None
}

async fn npm(places: &Places) -> Clients {
    match said(places, "npm", &["config", "list", "--json"]).await {
        Some(json) => npm_settings(&json),
        None => Clients::default(),
    }
}

fn npm_settings(json: &str) -> Clients {
    let mut clients = Clients::default();
    let settings: BTreeMap<String, serde_json::Value> = serde_json::from_str(json).unwrap_or_default();
    let mut npmrc = String::new();
    for (name, value) in settings {
        if (name == "registry" || name.ends_with(":registry"))
            && let Some(registry) = value.as_str().and_then(|address| clients.registry(address))
        {
            npmrc.push_str(&format!("{name}={registry}\n"));
        }
    }
    clients.settings.files.insert(".npmrc".into(), npmrc);
    clients
}

async fn pip(places: &Places) -> Clients {
    let default = said(
        places,
        "python3",
        &["-I", "-c", "from pip._internal.models.index import PyPI as index; print(index.simple_url, index.file_storage_domain)"],
    )
    .await;
    let config = said(places, "python3", &["-m", "pip", "config", "list"]).await;
    pip_settings(&default.unwrap_or_default(), &config.unwrap_or_default())
}

/// From pip's default index with the host of its files, and from its settings, one a line.
fn pip_settings(default: &str, config: &str) -> Clients {
    let mut clients = Clients::default();
    let set = |name: &str| {
        let of = |line: &str| {
            let (key, value) = line.split_once('=')?;
            let key = key.trim_start_matches(":env:.").rsplit('.').next()?;
            (key == name).then(|| value.trim().trim_matches('\'').replace("\\n", " "))
        };
        config.lines().filter_map(of).next_back()
    };
    let mut words = default.split_whitespace();
    let (index, files) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let chosen = set("index-url").unwrap_or_else(|| index.to_owned());
    if chosen == index && !files.is_empty() {
        clients.hosts.insert((files.to_owned(), 443));
    }
    if let Some(address) = clients.registry(&chosen) {
        clients.set("PIP_INDEX_URL", address);
    }
    for (key, variable) in [("extra-index-url", "PIP_EXTRA_INDEX_URL"), ("find-links", "PIP_FIND_LINKS")] {
        let addresses = set(key).unwrap_or_default();
        let addresses: Vec<String> = addresses.split_whitespace().filter_map(|address| clients.registry(address)).collect();
        if !addresses.is_empty() {
            clients.set(variable, addresses.join(" "));
        }
    }
    clients
}

async fn go(places: &Places) -> Clients {
    match said(places, "go", &["env", "GOPROXY", "GOSUMDB", "GONOSUMDB"]).await {
        Some(text) => go_settings(&text),
        None => Clients::default(),
    }
}

fn go_settings(text: &str) -> Clients {
    let mut clients = Clients::default();
    let mut lines = text.lines().map(str::trim);
    let (proxies, sums, no_sums) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    // Repositories themselves are no registry.
    let reached: Vec<String> = proxies.split([',', '|']).filter_map(|address| clients.registry(address)).collect();
    clients.set("GOPROXY", if reached.is_empty() { "off".to_owned() } else { reached.join(",") });
    let name = sums.split_whitespace().next().and_then(|key| key.split('+').next()).unwrap_or_default();
    let address = sums.split_whitespace().nth(1).map_or_else(|| format!("https://{name}"), str::to_owned);
    if name != "off" {
        clients.registry(&address);
    }
    clients.set("GOSUMDB", sums.to_owned());
    clients.set("GONOSUMDB", no_sums.to_owned());
    clients
}

async fn gem(places: &Places) -> Clients {
    let mut clients = Clients::default();
    let sources = said(places, "gem", &["sources", "--list"]).await.unwrap_or_default();
    let addresses: Vec<String> = sources.lines().filter_map(|line| clients.registry(line)).collect();
    // Bundler asks the default registry's index at a name of its own below it.
    let index: Vec<_> = clients.hosts.iter().map(|(host, port)| (format!("index.{host}"), *port)).collect();
    clients.hosts.extend(index);
    if !addresses.is_empty() {
        let sources: String = addresses.iter().map(|address| format!("- {address}\n")).collect();
        clients.settings.files.insert(".gemrc".into(), format!(":sources:\n{sources}"));
    }
    clients
}

async fn nuget(places: &Places) -> Clients {
    let mut clients = Clients::default();
    let sources = said(places, "dotnet", &["nuget", "list", "source", "--format", "short"]).await.unwrap_or_default();
    for source in sources.lines().filter_map(|line| line.trim().strip_prefix("E ")) {
        clients.registry(source);
    }
    clients
}

async fn composer(places: &Places) -> Clients {
    match said(places, "composer", &["config", "--global", "--list", "--no-interaction"]).await {
        Some(text) => composer_settings(&text),
        None => Clients::default(),
    }
}

/// Repositories, and the hosts of the archives that they name.
fn composer_settings(text: &str) -> Clients {
    let mut clients = Clients::default();
    for (key, value) in text.lines().filter_map(|line| line.strip_prefix('[')?.split_once("] ")) {
        if key.starts_with("repositories.") && key.ends_with(".url") {
            clients.registry(&value.replacen("https?://", "https://", 1));
        } else if key == "github-domains" {
            for domain in
                value.trim_matches(['[', ']']).split(',').map(|domain| domain.trim().trim_matches('"')).filter(|name| !name.is_empty())
            {
                clients.hosts.extend([domain.to_owned(), format!("api.{domain}"), format!("codeload.{domain}")].map(|host| (host, 443)));
            }
        }
    }
    clients
}

/// Cargo has no way to ask: a replacement of its registry stands in its settings, the default in its program. Gives the index as well,
/// where only that can tell where the packages are.
fn cargo() -> (Clients, Option<Url>) {
    let mut clients = Clients::default();
    let mut index = None;
    let Some(home) = env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")))
    else {
        return (clients, None);
    };
    let config = ["config.toml", "config"].iter().find_map(|name| fs::read_to_string(home.join(name)).ok()).unwrap_or_default();
    if let Some((name, replacement)) = cargo_replacement(&config)
        && let Some(address) = registry_of_index(&mut clients, &replacement)
    {
        index = replacement.strip_prefix("sparse+").and_then(|address| address.parse().ok());
        let replaced = format!("[source.crates-io]\nreplace-with = \"{name}\"\n[source.{name}]\nregistry = \"{address}\"\n");
        clients.settings.files.insert(".cargo/config.toml".into(), replaced);
    } else if let Some(default) = cargo_program().and_then(|program| default_index(&fs::read(program).ok()?)) {
        clients.registry(&default);
        index = default.parse().ok();
    }
    // Where an index has its packages stands in a file of it, which cargo keeps once it has asked.
    let kept = fs::read_dir(home.join("registry/index")).into_iter().flatten().flatten();
    for folder in kept {
        let is_ours = folder.file_name().to_str().is_some_and(|name| clients.hosts.iter().any(|(host, _)| name.starts_with(host.as_str())));
        let text = if is_ours { fs::read_to_string(folder.path().join("config.json")).unwrap_or_default() } else { String::new() };
        if packages_of_index(&mut clients, &text) {
            index = None;
        }
    }
    (clients, index)
}

fn packages_of_index(clients: &mut Clients, config: &str) -> bool {
    let json: serde_json::Value = serde_json::from_str(config).unwrap_or_default();
    json.get("dl").and_then(serde_json::Value::as_str).and_then(|address| clients.registry(address)).is_some()
}

/// Asks an index itself where its packages are.
async fn tell_packages(clients: &mut Clients, index: &Url) {
    let mut address = index.clone();
    if !address.path().ends_with('/') {
        address.set_path(&format!("{}/", index.path()));
    }
    let asked = async {
        let client = reqwest::Client::builder().timeout(ANSWER_WITHIN).build().ok()?;
        client.get(address.join("config.json").ok()?).send().await.ok()?.text().await.ok()
    };
    let is_known = asked.await.is_some_and(|config| packages_of_index(clients, &config));
    if !is_known {
        tracing::warn!("staging: cargo's index does not say where its packages are; builds may not reach them");
    }
}

fn registry_of_index(clients: &mut Clients, index: &str) -> Option<String> {
    let sparse = index.strip_prefix("sparse+");
    let address = clients.registry(sparse.unwrap_or(index))?;
    Some(if sparse.is_some() { format!("sparse+{address}") } else { address })
}

fn cargo_replacement(config: &str) -> Option<(String, String)> {
    let config: toml::Table = config.parse().ok()?;
    let sources = config.get("source")?.as_table()?;
    let name = sources.get("crates-io")?.get("replace-with")?.as_str()?;
    let index = sources.get(name)?.get("registry")?.as_str()?;
    Some((name.to_owned(), index.to_owned()))
}

/// The program itself, behind what chooses among installed versions.
fn cargo_program() -> Option<PathBuf> {
    let output = std::process::Command::new(find_program("rustc")?).args(["--print", "sysroot"]).current_dir("/").output().ok()?;
    let program = Path::new(String::from_utf8(output.stdout).ok()?.trim()).join("bin/cargo");
    program.is_file().then_some(program)
}

fn default_index(program: &[u8]) -> Option<String> {
    const PREFIX: &[u8] = b"sparse+https://index.";
    let at = program.windows(PREFIX.len()).position(|window| window == PREFIX)?;
    let rest = program.get(at + b"sparse+".len()..)?.get(..120)?;
    let end = rest.iter().enumerate().skip("https://".len()).find(|(_, byte)| **byte == b'/')?.0;
    String::from_utf8(rest.get(..end)?.to_vec()).ok()
}

/// Maven's mirrors stand in its settings, its default in the parent of all projects, which it brings along.
fn maven() -> Clients {
    let mut clients = Clients::default();
    let Some(home) = find_program("mvn").and_then(|program| Some(program.canonicalize().ok()?.parent()?.parent()?.to_owned())) else {
        return clients;
    };
    let user = env::var_os("HOME").map(|user| PathBuf::from(user).join(".m2/settings.xml"));
    let settings: Vec<String> =
        user.into_iter().chain([home.join("conf/settings.xml")]).filter_map(|path| fs::read_to_string(path).ok()).collect();
    let mut mirrors = String::new();
    for (of, address) in settings.iter().flat_map(|text| maven_mirrors(text)) {
        if let Some(address) = clients.registry(&address) {
            let number = mirrors.matches("<mirror>").count();
            mirrors.push_str(&format!("<mirror><id>mirror-{number}</id><mirrorOf>{of}</mirrorOf><url>{address}</url></mirror>"));
        }
    }
    if mirrors.is_empty() {
        for address in maven_default(&home) {
            clients.registry(&address);
        }
    }
    let proxy = |protocol: &str| {
        format!(
            "<proxy><id>{protocol}</id><active>true</active><protocol>{protocol}</protocol><host>127.0.0.1</host><port>{PORT}</port></proxy>"
        )
    };
    let proxies = proxy("http") + &proxy("https");
    clients
        .settings
        .files
        .insert(".m2/settings.xml".into(), format!("<settings><proxies>{proxies}</proxies><mirrors>{mirrors}</mirrors></settings>\n"));
    clients
}

/// What each mirror is of, and its address. One that is blocked is none: Maven brings one against plain HTTP along.
fn maven_mirrors(settings: &str) -> Vec<(String, String)> {
    let comments = regex::Regex::new("(?s)<!--.*?-->");
    let (Ok(comments), Ok(mirrors)) = (comments, regex::Regex::new("(?s)<mirror>(.*?)</mirror>")) else { return Vec::new() };
    let settings = comments.replace_all(settings, "");
    let field = |mirror: &str, name: &str| {
        let value = mirror.split_once(&format!("<{name}>"))?.1.split_once('<')?.0.trim().to_owned();
        (!value.contains(['>', '&'])).then_some(value)
    };
    let each = mirrors.captures_iter(&settings).filter_map(|found| {
        let mirror = found.get(1)?.as_str();
        if field(mirror, "blocked").as_deref() == Some("true") {
            return None;
        }
        Some((field(mirror, "mirrorOf")?, field(mirror, "url")?))
    });
    each.collect()
}

fn maven_default(home: &Path) -> Vec<String> {
    let jars = fs::read_dir(home.join("lib")).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_model =
        |path: &PathBuf| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("maven-model-builder"));
    let parent = jars.filter(is_model).find_map(|jar| {
        let mut archive = zip::ZipArchive::new(fs::File::open(jar).ok()?).ok()?;
        let mut text = String::new();
        archive.by_name("org/apache/maven/model/pom-4.0.0.xml").ok()?.take(1 << 20).read_to_string(&mut text).ok()?;
        Some(text)
    });
    let Ok(address) = regex::Regex::new("<url>(https://[^<]+)</url>") else { return Vec::new() };
    parent.iter().flat_map(|text| address.captures_iter(text)).filter_map(|found| Some(found.get(1)?.as_str().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(clients: &Clients) -> Vec<String> {
        clients.hosts.iter().map(|(host, port)| format!("{host}:{port}")).collect()
    }

    #[test]
    fn a_registrys_password_stays_behind() {
        let npm = npm_settings(
            r#"{"registry":"https://me:secret@npm.example/repo/","@mine:registry":"http://mine.example:4873/","//npm.example/:_authToken":"(protected)","cache":"/x"}"#,
        );
        assert_eq!(hosts(&npm), ["mine.example:4873", "npm.example:443"]);
        assert_eq!(npm.settings.files[".npmrc"], "@mine:registry=http://mine.example:4873/\nregistry=https://npm.example/repo/\n");
        let pip = pip_settings(
            "https://default.example/simple files.example",
            "global.index-url='https://u:p@pip.example/simple'\n:env:.find-links='/opt/wheels https://more.example/x'\n",
        );
        assert_eq!(hosts(&pip), ["more.example:443", "pip.example:443"]);
        assert_eq!(pip.settings.environment["PIP_INDEX_URL"], "https://pip.example/simple");
        assert_eq!(pip.settings.environment["PIP_FIND_LINKS"], "https://more.example/x");
        assert_eq!(hosts(&pip_settings("https://default.example/simple files.example", "")), ["default.example:443", "files.example:443"]);
    }

    #[test]
    fn go_reaches_its_proxies_and_no_repository() {
        let go = go_settings("https://proxy.example|https://second.example/go,direct\nsum.example+abc https://sums.example\n\n");
        assert_eq!(hosts(&go), ["proxy.example:443", "second.example:443", "sums.example:443"]);
        assert_eq!(go.settings.environment["GOPROXY"], "https://proxy.example/,https://second.example/go");
        let closed = go_settings("direct\noff\n\n");
        assert_eq!((hosts(&closed).len(), closed.settings.environment["GOPROXY"].as_str()), (0, "off"));
    }

    #[test]
    fn composers_archives_have_hosts_of_their_own() {
        let composer = composer_settings(
            "[repositories.main.type] composer\n[repositories.main.url] https?://php.example\n[github-domains] [code.example]\n",
        );
        assert_eq!(hosts(&composer), ["api.code.example:443", "code.example:443", "codeload.code.example:443", "php.example:443"]);
    }

    #[test]
    fn files_of_clients_are_read() {
        let config = "[source.crates-io]\nreplace-with = \"m\"\n[source.m]\nregistry = \"sparse+https://crates.example/index/\"\n";
        assert_eq!(cargo_replacement(config).unwrap(), ("m".into(), "sparse+https://crates.example/index/".into()));
        let program = [b"\0junk sparse+https://index.crates.example/\0".as_slice(), &[0; 200]].concat();
        assert_eq!(default_index(&program).as_deref(), Some("https://index.crates.example"));
        let settings = "<!-- <mirror><url>http://no.example</url></mirror> --><mirror><id>a</id>\n<mirrorOf>*</mirrorOf><url> https://m.example/maven </url></mirror>";
        assert_eq!(maven_mirrors(settings), [("*".to_owned(), "https://m.example/maven".to_owned())]);
        let blocker = "<mirror><mirrorOf>external:http:*</mirrorOf><url>http://0.0.0.0/</url>\n<blocked>true</blocked></mirror>";
        assert!(maven_mirrors(blocker).is_empty());
    }
}
