//! The pages, each a file in `templates`. What is put into them is escaped.

use askama::Template;

/// A link on the login page.
pub(crate) struct ProviderLink<'a> {
    pub(crate) origin: &'a str,
    pub(crate) text: &'a str,
    pub(crate) href: String,
}

#[derive(Template)]
#[template(path = "login.html")]
pub(crate) struct Login<'a> {
    pub(crate) csrf: String,
    pub(crate) next: &'a str,
    pub(crate) username: &'a str,
    pub(crate) message: Option<&'a str>,
    pub(crate) providers: Vec<ProviderLink<'a>>,
}

#[derive(Template)]
#[template(path = "passcode.html")]
pub(crate) struct Passcode<'a> {
    pub(crate) passcode: &'a str,
    pub(crate) minutes: u32,
}

/// What a client may do, on the page of the account.
pub(crate) struct ApprovedClient {
    pub(crate) client_id: String,
    pub(crate) scopes: String,
}

#[derive(Template)]
#[template(path = "profile.html")]
pub(crate) struct Profile<'a> {
    pub(crate) csrf: String,
    pub(crate) username: &'a str,
    pub(crate) origin: &'a str,
    pub(crate) has_password: bool,
    pub(crate) clients: Vec<ApprovedClient>,
    pub(crate) message: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "approve.html")]
pub(crate) struct Approve<'a> {
    pub(crate) csrf: String,
    pub(crate) username: &'a str,
    pub(crate) client: &'a str,
    pub(crate) open: &'a [String],
    pub(crate) granted: &'a [String],
    pub(crate) request: &'a str,
}

#[derive(Template)]
#[template(path = "change_password.html")]
pub(crate) struct ChangePassword<'a> {
    pub(crate) csrf: String,
    pub(crate) next: &'a str,
    pub(crate) username: &'a str,
    pub(crate) required: bool,
    pub(crate) message: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "reset_password.html")]
pub(crate) struct ResetPassword<'a> {
    pub(crate) csrf: String,
    pub(crate) code: &'a str,
    pub(crate) message: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "forgot_password.html")]
pub(crate) struct ForgotPassword;

#[derive(Template)]
#[template(path = "failure.html")]
pub(crate) struct Failure<'a> {
    pub(crate) message: &'a str,
}
