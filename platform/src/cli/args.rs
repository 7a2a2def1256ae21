//! The flags of the client commands, as `cf` has them.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// The client commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Log in to an API
    #[command(visible_alias = "l")]
    Login(Login),
    /// Log out
    #[command(visible_alias = "lo")]
    Logout,
    /// Set or view the targeted org or space
    #[command(visible_alias = "t")]
    Target(Target),
    /// Push a new app or sync changes to an existing app
    #[command(visible_alias = "p")]
    Push(Box<Push>),
    /// List all apps in the target space
    #[command(visible_alias = "a")]
    Apps,
    /// Display health and status for an app
    App(App),
    /// Tail or show recent logs for an app
    Logs(Logs),
    /// Change or view the instance count, disk space limit and memory limit of an app
    Scale(Scale),
    /// Start an app
    #[command(visible_alias = "st")]
    Start(AppName),
    /// Stop an app
    #[command(visible_alias = "sp")]
    Stop(AppName),
    /// Stop all instances of the app, then start them again
    #[command(visible_alias = "rs")]
    Restart(Restart),
    /// Stage the app's latest package into a droplet and restart the app with it
    #[command(visible_alias = "rg")]
    Restage(AppName),
    /// Delete an app
    #[command(visible_alias = "d")]
    Delete(Delete),
    /// Show what an app's droplet is made of and asks for
    #[command(subcommand)]
    Droplet(Droplet),
    /// Show all environment variables of an app
    #[command(visible_alias = "e")]
    Env(AppName),
    /// Set an environment variable of an app
    #[command(visible_alias = "se")]
    SetEnv(SetEnv),
    /// Remove an environment variable of an app
    #[command(visible_alias = "ue")]
    UnsetEnv(UnsetEnv),
    /// List all routes in the target space
    #[command(visible_alias = "r")]
    Routes,
    /// List all orgs
    #[command(visible_alias = "o")]
    Orgs,
    /// List all spaces in the target org
    Spaces,
    /// Print the access token of the current session
    OauthToken,
    /// Send a request to the API
    Curl(Curl),
}

/// The commands about droplets.
#[derive(Debug, Subcommand)]
pub enum Droplet {
    /// Show the newest droplet of an app, and how it differs from the current one
    Show(AppName),
}

/// Flags of `login`.
#[derive(Debug, Default, Args)]
pub struct Login {
    /// API endpoint (e.g. http://127.0.0.1:8080)
    #[arg(short, long)]
    pub api: Option<String>,
    /// Username
    #[arg(short)]
    pub user: Option<String>,
    /// Password; better given at the prompt or in VIRGA_PASSWORD
    #[arg(short, env = "VIRGA_PASSWORD", hide_env_values = true)]
    pub password: Option<String>,
    /// Org
    #[arg(short)]
    pub org: Option<String>,
    /// Space
    #[arg(short)]
    pub space: Option<String>,
    /// Do not check the API's certificate
    #[arg(long)]
    pub skip_ssl_validation: bool,
}

/// Flags of `target`.
#[derive(Debug, Args)]
pub struct Target {
    /// Org
    #[arg(short)]
    pub org: Option<String>,
    /// Space
    #[arg(short)]
    pub space: Option<String>,
}

/// Commands that take an app and nothing else.
#[derive(Debug, Args)]
pub struct AppName {
    /// Name of the app
    #[arg(value_name = "APP_NAME")]
    pub name: String,
}

/// Flags of `app`.
#[derive(Debug, Args)]
pub struct App {
    /// Name of the app
    #[arg(value_name = "APP_NAME")]
    pub name: String,
    /// Print only the app's guid
    #[arg(long)]
    pub guid: bool,
}

/// Flags of `logs`.
#[derive(Debug, Args)]
pub struct Logs {
    /// Name of the app
    #[arg(value_name = "APP_NAME")]
    pub name: String,
    /// Dump recent logs instead of tailing
    #[arg(long)]
    pub recent: bool,
}

/// Flags of `scale`.
#[derive(Debug, Args)]
pub struct Scale {
    /// Name of the app
    #[arg(value_name = "APP_NAME")]
    pub name: String,
    /// Number of instances
    #[arg(short)]
    pub instances: Option<u32>,
    /// Disk limit (e.g. 256M, 1G)
    #[arg(short = 'k', value_name = "DISK")]
    pub disk: Option<String>,
    /// Memory limit (e.g. 256M, 1G)
    #[arg(short)]
    pub memory: Option<String>,
    /// Log rate limit per second (e.g. 16K, -1)
    #[arg(short, allow_hyphen_values = true)]
    pub log_rate_limit: Option<String>,
    /// App process to scale
    #[arg(long, default_value = "web")]
    pub process: String,
    /// Force restart of the app without prompt
    #[arg(short)]
    pub force: bool,
}

/// Flags of `restart`.
#[derive(Debug, Args)]
pub struct Restart {
    /// Name of the app
    #[arg(value_name = "APP_NAME")]
    pub name: String,
    /// Deployment strategy: rolling or canary
    #[arg(long)]
    pub strategy: Option<String>,
    /// How many new instances a rolling restart starts at a time
    #[arg(long)]
    pub max_in_flight: Option<u32>,
}

/// Flags of `delete`.
#[derive(Debug, Args)]
pub struct Delete {
    /// Name of the app
    #[arg(value_name = "APP_NAME")]
    pub name: String,
    /// Force deletion without confirmation
    #[arg(short)]
    pub force: bool,
    /// Also delete any mapped routes
    #[arg(short)]
    pub routes: bool,
}

/// Arguments of `set-env`.
#[derive(Debug, Args)]
pub struct SetEnv {
    /// Name of the app
    #[arg(value_name = "APP_NAME")]
    pub name: String,
    /// Name of the variable
    #[arg(value_name = "ENV_VAR_NAME")]
    pub variable: String,
    /// Its value
    #[arg(value_name = "ENV_VAR_VALUE", allow_hyphen_values = true)]
    pub value: String,
}

/// Arguments of `unset-env`.
#[derive(Debug, Args)]
pub struct UnsetEnv {
    /// Name of the app
    #[arg(value_name = "APP_NAME")]
    pub name: String,
    /// Name of the variable
    #[arg(value_name = "ENV_VAR_NAME")]
    pub variable: String,
}

/// Flags of `curl`.
#[derive(Debug, Args)]
pub struct Curl {
    /// Path, e.g. /v3/apps
    pub path: String,
    /// HTTP method (GET, POST, PUT, DELETE, …)
    #[arg(short = 'X')]
    pub method: Option<String>,
    /// Custom headers to include in the request
    #[arg(short = 'H')]
    pub headers: Vec<String>,
    /// Data to include in the body, or '@' followed by a file name
    #[arg(short)]
    pub data: Option<String>,
    /// Include response headers in the output
    #[arg(short)]
    pub include: bool,
    /// Fail when the server answers with an error status
    #[arg(long, short)]
    pub fail: bool,
    /// Write the body to this file
    #[arg(long)]
    pub output: Option<PathBuf>,
}

/// Flags of `push`.
#[derive(Debug, Default, Args)]
pub struct Push {
    /// Name of the app; taken from the manifest when not given
    #[arg(value_name = "APP_NAME")]
    pub name: Option<String>,
    /// Path to the app's folder, or to a zip, .wasm or .wat file
    #[arg(short, long)]
    pub path: Option<PathBuf>,
    /// Path to the manifest
    #[arg(short = 'f', long)]
    pub manifest: Option<PathBuf>,
    /// Ignore manifest files
    #[arg(long)]
    pub no_manifest: bool,
    /// Variable key-value pair for the manifest, name=value
    #[arg(long = "var", value_name = "NAME=VALUE")]
    pub vars: Vec<String>,
    /// YAML file with variables for the manifest
    #[arg(long = "vars-file")]
    pub vars_files: Vec<PathBuf>,
    /// Memory limit (e.g. 256M, 1G)
    #[arg(short, long)]
    pub memory: Option<String>,
    /// Disk limit (e.g. 256M, 1G)
    #[arg(short = 'k', long)]
    pub disk: Option<String>,
    /// Number of instances
    #[arg(short, long)]
    pub instances: Option<u32>,
    /// Log rate limit per second (e.g. 16K, -1)
    #[arg(short = 'l', long, allow_hyphen_values = true)]
    pub log_rate_limit: Option<String>,
    /// Buildpack by name; may be given several times
    #[arg(short = 'b', long = "buildpack")]
    pub buildpacks: Vec<String>,
    /// Start command; 'default' or 'null' resets to the buildpack's
    #[arg(short = 'c', long = "start-command")]
    pub command: Option<String>,
    /// Stack
    #[arg(short, long)]
    pub stack: Option<String>,
    /// Health check: http, port or process
    #[arg(short = 'u', long)]
    pub health_check_type: Option<String>,
    /// Path of the http health check
    #[arg(long)]
    pub endpoint: Option<String>,
    /// Seconds the app may take to become healthy
    #[arg(short = 't', long)]
    pub app_start_timeout: Option<u32>,
    /// Readiness check: http, port or process
    #[arg(long)]
    pub readiness_health_check_type: Option<String>,
    /// Path of the http readiness check
    #[arg(long)]
    pub readiness_endpoint: Option<String>,
    /// Do not start the app after pushing
    #[arg(long)]
    pub no_start: bool,
    /// Do not wait for more than the first instance
    #[arg(long)]
    pub no_wait: bool,
    /// Do not map a route
    #[arg(long, conflicts_with = "random_route")]
    pub no_route: bool,
    /// Map a random route
    #[arg(long)]
    pub random_route: bool,
    /// Deployment strategy: rolling or canary
    #[arg(long)]
    pub strategy: Option<String>,
    /// How many new instances a deployment starts at a time
    #[arg(long)]
    pub max_in_flight: Option<u32>,
}
