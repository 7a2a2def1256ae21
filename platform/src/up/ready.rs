//! What `virga up` prints when everything answers: for people, or one line of JSON for scripts.

use crate::cli::ui::Ui;
use serde::Serialize;
use std::net::SocketAddr;

/// The facts about a platform that is ready.
#[derive(Debug, Serialize)]
pub struct Ready {
    /// The API at the bare address.
    pub api: String,
    /// The API by name.
    pub api_by_name: String,
    /// Name of the administrator.
    pub user: &'static str,
    /// The administrator's password, where this start made it up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// Organization of the first start.
    pub organization: &'static str,
    /// Space of the first start.
    pub space: &'static str,
    /// Domain of apps.
    pub apps_domain: String,
    /// Where the sample answers, if it was pushed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_url: Option<String>,
    /// The public address.
    pub listen: SocketAddr,
    /// Process id of the control process.
    pub pid: u32,
    /// Number of worker processes.
    pub workers: u32,
}

impl Ready {
    /// One line of JSON.
    pub fn print_json(&self) -> anyhow::Result<()> {
        Ok(Ui::stdout().line(serde_json::to_string(self)?)?)
    }

    /// For people.
    pub fn print(&self) -> std::io::Result<()> {
        let ui = Ui::stdout();
        let Self { api, user, .. } = self;
        ui.blank()?;
        ui.line(format!("Virga is ready at {api} (also {}).\n", self.api_by_name))?;
        match &self.password {
            Some(password) => {
                ui.line(format!("  user      {user}"))?;
                ui.line(format!("  password  {password}   (made for this first start; kept nowhere in clear and not shown again)\n"))?;
                ui.line(format!("  virga login -a {api} -u {user} -p {password}"))?;
                ui.line(format!("  cf login -a {api} -u {user} -p {password}"))?;
            }
            None => {
                ui.line(format!("  virga login -a {api} -u {user}"))?;
                ui.line(format!("  cf login -a {api} -u {user}"))?;
            }
        }
        ui.blank()?;
        if let Some(url) = &self.sample_url {
            ui.line(format!("  sample    {url}"))?;
            let host = url.trim_start_matches("http://").trim_start_matches("https://").trim_end_matches('/');
            ui.line(format!("            curl -H 'Host: {host}' {api}/   (where names under localhost do not resolve)\n"))?;
        }
        ui.line("Ctrl-C stops it.")
    }
}
