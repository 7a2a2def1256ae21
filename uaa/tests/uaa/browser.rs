//! A browser without scripts: cookies, redirects and forms as they stand in the pages.

use crate::support::{Answer, Harness};
use std::collections::BTreeMap;
use virga_serve::axum::{body::Body, http::Request};

pub const HOST: &str = "login.virga.localhost:8080";

pub struct Browser<'a> {
    uaa: &'a Harness,
    pub cookies: BTreeMap<String, String>,
}

/// A form of a page, filled in as the page has it.
#[derive(Debug, Clone)]
pub struct Form {
    pub action: String,
    pub fields: Vec<(String, String)>,
}

impl Form {
    /// The only form of a page, or the one that leads there.
    pub fn of(html: &str, action: &str) -> Self {
        let forms = html.split("<form ").skip(1).map(|rest| rest.split("</form>").next().unwrap());
        let form = forms.into_iter().find(|form| attribute(form, "action") == Some(action.to_owned()));
        let form = form.unwrap_or_else(|| panic!("no form to {action} in {html}"));
        let inputs = form.split("<input ").skip(1).map(|rest| rest.split('>').next().unwrap());
        let sent = inputs.filter(|input| attribute(input, "type").as_deref() != Some("checkbox") || input.ends_with("checked"));
        let field = |input: &str| Some((attribute(input, "name")?, attribute(input, "value").unwrap_or_default()));
        Self { action: action.to_owned(), fields: sent.filter_map(field).collect() }
    }

    /// The same with this typed into a field.
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.fields.retain(|(field, _)| field != name);
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same without this box checked.
    pub fn unchecked(mut self, name: &str, value: &str) -> Self {
        let before = self.fields.len();
        self.fields.retain(|field| *field != (name.to_owned(), value.to_owned()));
        assert_eq!(self.fields.len(), before - 1);
        self
    }
}

pub fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!("{name}=\""))?;
    let value = rest.split('"').next()?;
    Some(value.replace("&#38;", "&").replace("&amp;", "&").replace("&#34;", "\"").replace("&quot;", "\"").replace("&#60;", "<"))
}

impl<'a> Browser<'a> {
    pub fn new(uaa: &'a Harness) -> Self {
        Self { uaa, cookies: BTreeMap::new() }
    }

    async fn send(&mut self, request: virga_serve::axum::http::request::Builder, body: String) -> Answer {
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header("host", HOST).header("accept", "text/html").header("cookie", cookies.join("; "));
        let answer = self.uaa.send(request.body(Body::from(body)).unwrap()).await;
        for cookie in answer.headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"), "{cookie}");
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.send(Request::get(path), String::new()).await
    }

    /// Follows redirects for as long as they stay here.
    pub async fn visit(&mut self, path: &str) -> Answer {
        let mut answer = self.get(path).await;
        for _ in 0..10 {
            match answer.location.clone() {
                Some(location) if location.starts_with('/') => answer = self.get(&location).await,
                _ => return answer,
            }
        }
        panic!("redirects without an end at {path}");
    }

    pub async fn submit(&mut self, form: &Form) -> Answer {
        self.submit_from(form, &format!("http://{HOST}")).await
    }

    /// Sends a form that stands on a page of this origin.
    pub async fn submit_from(&mut self, form: &Form, origin: &str) -> Answer {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&form.fields).finish();
        let request = Request::post(&form.action).header("content-type", "application/x-www-form-urlencoded").header("origin", origin);
        self.send(request, body).await
    }

    /// Logs in on the page that asks for it at `path`, and follows to where that leads.
    pub async fn log_in(&mut self, path: &str, username: &str, password: &str) -> Answer {
        let page = self.visit(path).await;
        let answer = self.submit(&Form::of(&page.html, "/login.do").with("username", username).with("password", password)).await;
        match answer.location.clone() {
            Some(location) if location.starts_with('/') => self.visit(&location).await,
            _ => answer,
        }
    }
}
