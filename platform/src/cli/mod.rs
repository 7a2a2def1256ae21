//! The commands for those without `cf`: its words, its flags, the look of its output, over the same v3 API.
//! One file per command; each talks only to [`crate::client`].

mod app;
mod apps;
pub mod args;
mod confirm;
mod curl;
mod delete;
mod deployment;
mod droplet;
mod environment;
mod instances;
mod lifecycle;
mod login;
mod logs;
mod orgs;
pub mod push;
mod restage;
mod routes;
mod scale;
pub mod target;
pub mod ui;

use crate::client::{Client, Session, session};
use args::Command;
use ui::Ui;

/// Runs one client command.
pub async fn run(command: Command) -> anyhow::Result<()> {
    let file = session::default_path()?;
    let client = Client::new(Session::load(&file)?, Some(file.clone()))?;
    let ui = Ui::stdout();
    match command {
        Command::Login(args) => login::run(file, ui, args).await,
        Command::Logout => login::log_out(&client, ui).await,
        Command::Target(args) => target::run(&client, ui, args).await,
        Command::Push(args) => push::run(&client, ui, *args).await,
        Command::Apps => apps::run(&client, ui).await,
        Command::App(args) => app::run(&client, ui, args).await,
        Command::Logs(args) => logs::run(&client, ui, args).await,
        Command::Scale(args) => scale::run(&client, ui, args).await,
        Command::Start(args) => lifecycle::start(&client, ui, &args.name).await,
        Command::Stop(args) => lifecycle::stop(&client, ui, &args.name).await,
        Command::Restart(args) => lifecycle::restart(&client, ui, args).await,
        Command::Restage(args) => restage::run(&client, ui, &args.name).await,
        Command::Delete(args) => delete::run(&client, ui, args).await,
        Command::Droplet(command) => droplet::run(&client, ui, command).await,
        Command::Env(args) => environment::env(&client, ui, &args.name).await,
        Command::SetEnv(args) => environment::set(&client, ui, args).await,
        Command::UnsetEnv(args) => environment::unset(&client, ui, args).await,
        Command::Routes => routes::run(&client, ui).await,
        Command::Orgs => orgs::orgs(&client, ui).await,
        Command::Spaces => orgs::spaces(&client, ui).await,
        Command::OauthToken => login::oauth_token(&client, ui).await,
        Command::Curl(args) => curl::run(&client, ui, args).await,
    }
}
