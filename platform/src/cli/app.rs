//! `virga app`, and the summary at the end of `push`, `start` and `scale`.

use super::{
    args,
    instances::running,
    target::{Targeted, targeted},
    ui::{Ui, bytes},
};
use crate::client::{
    Client,
    resources::{App, Droplet, Process, Route, Stats, StatsPage},
};

/// `virga app APP_NAME [--guid]`
pub async fn run(client: &Client, ui: Ui, args: args::App) -> anyhow::Result<()> {
    let target = targeted(client)?;
    let app = target.app(client, &args.name).await?;
    if args.guid {
        return Ok(ui.line(app.guid)?);
    }
    ui.line(format!("Showing health and status for app {} in {}...\n", app.name, target.place()))?;
    summary(client, ui, &target, &app.name).await
}

/// The block that describes an app and its instances.
pub async fn summary(client: &Client, ui: Ui, target: &Targeted, name: &str) -> anyhow::Result<()> {
    let app: App = target.app(client, name).await?;
    let routes: Vec<Route> = client.list(&format!("/v3/apps/{}/routes", app.guid)).await?;
    let droplet: Option<Droplet> = client.find(&format!("/v3/apps/{}/droplets/current", app.guid)).await?;
    let urls: Vec<&str> = routes.iter().map(|route| route.url.as_str()).collect();
    let stack = app.lifecycle.data.stack.clone().unwrap_or_default();
    ui.pairs(&[
        ("name:", app.name.clone()),
        ("requested state:", app.state.to_lowercase()),
        ("routes:", urls.join(", ")),
        ("last uploaded:", droplet.as_ref().map(|d| local_time(&d.created_at)).unwrap_or_default()),
        ("stack:", droplet.as_ref().and_then(|d| d.stack.clone()).unwrap_or(stack)),
    ])?;
    show_buildpacks(ui, droplet.as_ref())?;
    let processes: Vec<Process> = client.list(&format!("/v3/apps/{}/processes", app.guid)).await?;
    for process in &processes {
        let stats: StatsPage = client.get(&format!("/v3/processes/{}/stats", process.guid)).await?;
        show_process(client, ui, process, &stats.resources).await?;
    }
    Ok(())
}

/// `Mon 02 Jan 15:04:05 MST 2006`, in the time zone of whoever reads it.
fn local_time(api_time: &str) -> String {
    match api_time.parse::<jiff::Timestamp>() {
        Ok(time) => time.to_zoned(jiff::tz::TimeZone::system()).strftime("%a %d %b %H:%M:%S %Z %Y").to_string(),
        Err(_) => api_time.to_owned(),
    }
}

fn show_buildpacks(ui: Ui, droplet: Option<&Droplet>) -> anyhow::Result<()> {
    let Some(buildpacks) = droplet.and_then(|d| d.buildpacks.as_ref()).filter(|b| !b.is_empty()) else { return Ok(()) };
    ui.line("buildpacks:")?;
    let cell = |text: &Option<String>| text.clone().unwrap_or_default();
    let rows: Vec<Vec<String>> = buildpacks
        .iter()
        .map(|b| vec![format!("\t{}", b.name), cell(&b.version), cell(&b.detect_output), cell(&b.buildpack_name)])
        .collect();
    Ok(ui.table(&["\tname", "version", "detect output", "buildpack name"], &rows)?)
}

async fn show_process(client: &Client, ui: Ui, process: &Process, stats: &[Stats]) -> anyhow::Result<()> {
    // A list hides commands; the process itself shows it to those who may see it.
    let whole: Process = client.get(&format!("/v3/processes/{}", process.guid)).await?;
    ui.blank()?;
    let mut pairs = vec![
        ("type:", process.kind.clone()),
        ("sidecars:", String::new()),
        ("instances:", format!("{}/{}", running(stats), process.instances)),
        ("memory usage:", format!("{}M", process.memory_in_mb)),
    ];
    if let Some(command) = whole.command {
        pairs.push(("start command:", command));
    }
    ui.pairs(&pairs)?;
    if process.instances == 0 {
        return Ok(ui.line("There are no running instances of this process.")?);
    }
    let rows: Vec<Vec<String>> = stats.iter().map(instance_row).collect();
    Ok(ui.table(&["", "state", "since", "cpu", "memory", "disk", "logging", "cpu entitlement", "details"], &rows)?)
}

fn instance_row(stats: &Stats) -> Vec<String> {
    let now = jiff::Timestamp::now();
    let since = now.checked_sub(jiff::SignedDuration::from_secs(i64::try_from(stats.uptime).unwrap_or(0))).unwrap_or(now);
    let rate = match stats.log_rate_limit {
        Some(limit) => u64::try_from(limit).map_or_else(|_| "unlimited".to_owned(), |limit| format!("{}/s", bytes(limit))),
        None => "0B/s".to_owned(),
    };
    vec![
        format!("#{}", stats.index),
        stats.state.to_lowercase(),
        virga_model::time::api_time(since),
        format!("{:.1}%", stats.usage.cpu * 100.0),
        format!("{} of {}", bytes(stats.usage.mem), bytes(stats.mem_quota.unwrap_or(0))),
        format!("{} of {}", bytes(stats.usage.disk), bytes(stats.disk_quota.unwrap_or(0))),
        format!("{}/s of {rate}", bytes(stats.usage.log_rate)),
        stats.usage.cpu_entitlement.map(|share| format!("{:.1}%", share * 100.0)).unwrap_or_default(),
        stats.details.clone().unwrap_or_default(),
    ]
}
