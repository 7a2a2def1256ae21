//! What a new password must look like.

use crate::{
    passwords::MAX_PASSWORD_BYTES,
    refusal::{Refusal, Result},
};
use serde::{Deserialize, Serialize};
use virga_model::Timestamp;
use virga_serve::{Secret, axum::http::StatusCode};

/// Rules for new passwords; passwords that are there already stay good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PasswordPolicy {
    /// Fewest characters.
    pub min_length: u32,
    /// Most bytes, up to 255.
    pub max_length: u32,
    /// Fewest capital letters.
    pub upper_case: u32,
    /// Fewest small letters.
    pub lower_case: u32,
    /// Fewest digits.
    pub digits: u32,
    /// Fewest other characters.
    pub special: u32,
    /// A password this old must be changed at the next login, days; 0 is never.
    pub max_age_days: u32,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self { min_length: 1, max_length: 255, upper_case: 0, lower_case: 0, digits: 0, special: 0, max_age_days: 0 }
    }
}

impl PasswordPolicy {
    pub(crate) fn check_policy(&self) -> Result<(), String> {
        let most = u32::try_from(MAX_PASSWORD_BYTES).unwrap_or(u32::MAX);
        if self.max_length == 0 || self.max_length > most {
            return Err(format!("uaa.password.max_length: must be 1 to {most}"));
        }
        let needed = [self.upper_case, self.lower_case, self.digits, self.special].into_iter().fold(0_u32, u32::saturating_add);
        if self.min_length == 0 || self.min_length.max(needed) > self.max_length {
            return Err(
                "uaa.password.min_length: must be at least 1 and fit into max_length, with every character that is required".to_owned()
            );
        }
        Ok(())
    }

    /// Whether this may be a new password.
    pub(crate) fn check(&self, password: &Secret<String>) -> Result<()> {
        let text = password.expose();
        let many = |fits: fn(char) -> bool| text.chars().filter(|c| fits(*c)).count();
        let least = |least: u32| usize::try_from(least).unwrap_or(usize::MAX);
        let special = |c: char| !c.is_alphanumeric() && !c.is_control();
        let reason = if text.chars().count() < least(self.min_length) {
            format!("Password must be at least {} characters in length.", self.min_length)
        } else if text.len() > least(self.max_length) {
            format!("Password must be no more than {} characters in length.", self.max_length)
        } else if many(char::is_uppercase) < least(self.upper_case) {
            format!("Password must contain at least {} uppercase characters.", self.upper_case)
        } else if many(char::is_lowercase) < least(self.lower_case) {
            format!("Password must contain at least {} lowercase characters.", self.lower_case)
        } else if many(char::is_numeric) < least(self.digits) {
            format!("Password must contain at least {} digit characters.", self.digits)
        } else if many(special) < least(self.special) {
            format!("Password must contain at least {} special characters.", self.special)
        } else {
            return Ok(());
        };
        Err(Refusal::new(StatusCode::BAD_REQUEST, "invalid_password", reason))
    }

    /// Whether a password of then is too old now.
    pub(crate) fn is_expired(&self, changed_at: Timestamp, now: Timestamp) -> bool {
        let age = now.as_second().saturating_sub(changed_at.as_second());
        self.max_age_days > 0 && age >= i64::from(self.max_age_days).saturating_mul(86_400)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_enforced_and_named() {
        let policy = PasswordPolicy { min_length: 8, max_length: 12, upper_case: 1, lower_case: 1, digits: 2, special: 1, max_age_days: 1 };
        policy.check_policy().unwrap();
        let refusal = |text: &str| policy.check(&Secret::new(text.to_owned())).err().map(|refusal| refusal.description().to_owned());
        assert_eq!(refusal("aA12-xyz"), None);
        for (password, word) in [
            ("aA12-xy", "at least 8"),
            ("aA12-xyzxyzxy", "no more than 12"),
            ("aa12-xyz", "uppercase"),
            ("AA12-XYZ", "lowercase"),
            ("aA1--xyz", "digit"),
            ("aA12xyzz", "special"),
        ] {
            assert!(refusal(password).unwrap().contains(word), "{password}");
        }
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(!policy.is_expired(at(0), at(86_399)) && policy.is_expired(at(0), at(86_400)));
        assert!(!PasswordPolicy::default().is_expired(at(0), at(1_000_000_000)));
    }

    #[test]
    fn rules_that_no_password_can_meet_are_refused() {
        let of = |change: fn(&mut PasswordPolicy)| {
            let mut policy = PasswordPolicy::default();
            change(&mut policy);
            policy.check_policy().is_err()
        };
        assert!(of(|policy| policy.min_length = 0));
        assert!(of(|policy| policy.max_length = 256));
        assert!(of(|policy| (policy.max_length, policy.digits, policy.special) = (5, 3, 3)));
        assert!(of(|policy| policy.digits = u32::MAX));
    }
}
