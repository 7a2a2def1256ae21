//! Backups that developers ask for by parameters of an update: `{"backup": NAME}`, `{"restore": NAME}`, `{"delete_backup": NAME}`. They are copies beside
//! the data, for the time before a migration; that the machine's disk may be lost is the operator's to provide for.

use crate::{Services, catalog::Kind, error::BrokerError};
use serde_json::{Map, Value};
use virga_model::ServiceInstanceGuid;

/// Backups of one instance.
const MAX_BACKUPS: usize = 3;
/// Letters of a name.
const MAX_NAME: usize = 50;

/// What an update may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    Backup,
    Restore,
    Delete,
}

/// What parameters ask for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    action: Action,
    name: String,
}

impl Wanted {
    /// Takes it out of the parameters, whose rest is not ours.
    ///
    /// # Errors
    /// 400 for a name that no file may have, for more than one wish, and where the offering has nothing to back up.
    pub fn take(kind: Kind, parameters: &mut Map<String, Value>) -> Result<Option<Self>, BrokerError> {
        let actions = [("backup", Action::Backup), ("restore", Action::Restore), ("delete_backup", Action::Delete)];
        let mut found = None;
        for (word, action) in actions {
            if !matches!(kind, Kind::KeyValue | Kind::Sqlite) {
                continue;
            }
            let Some(name) = parameters.remove(word) else { continue };
            let is_name = |name: &&str| {
                (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(|letter| letter.is_ascii_alphanumeric() || b"-_".contains(&letter))
            };
            let name = name.as_str().filter(is_name);
            let name = name.ok_or_else(|| BrokerError::bad(format!("\"{word}\" is a name of 1 to {MAX_NAME} letters, digits, - and _")))?;
            if found.replace(Self { action, name: name.to_owned() }).is_some() {
                return Err(BrokerError::bad("one of \"backup\", \"restore\" and \"delete_backup\" at a time"));
            }
        }
        Ok(found)
    }

    /// Does it. Doing it again comes to the same.
    ///
    /// # Errors
    /// 400 where there is no such backup, or too many; those of the disk.
    pub async fn act(self, services: &Services, instance: ServiceInstanceGuid) -> Result<(), BrokerError> {
        let backups = services.stores.backups(instance).await?;
        let (is_there, name) = (backups.contains(&self.name), self.name);
        let missing = || BrokerError::bad(format!("there is no backup \"{name}\""));
        match self.action {
            Action::Backup if !is_there && backups.len() >= MAX_BACKUPS => {
                Err(BrokerError::bad(format!("an instance has at most {MAX_BACKUPS} backups; delete one first")))
            }
            Action::Backup => Ok(services.stores.back_up(instance, name).await?),
            Action::Restore if !is_there => Err(missing()),
            Action::Restore => Ok(services.stores.restore(instance, &name).await?),
            Action::Delete if !is_there => Ok(()),
            Action::Delete => Ok(services.stores.delete_backup(instance, &name).await?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn take(kind: Kind, parameters: Value) -> Result<Option<Wanted>, BrokerError> {
        Wanted::take(kind, &mut parameters.as_object().cloned().unwrap_or_default())
    }

    #[test]
    fn a_wish_has_a_name_that_is_no_path() {
        let wanted = take(Kind::Sqlite, json!({ "restore": "before-2_0" })).unwrap();
        assert_eq!(wanted, Some(Wanted { action: Action::Restore, name: "before-2_0".into() }));
        for wrong in [json!(""), json!("../x"), json!("a/b"), json!("a.b"), json!(1), json!("x".repeat(51))] {
            assert!(take(Kind::Sqlite, json!({ "backup": wrong })).is_err(), "{wrong}");
        }
        assert!(take(Kind::KeyValue, json!({ "backup": "a", "restore": "a" })).is_err());
        assert_eq!(take(Kind::Config, json!({ "backup": "a" })).unwrap(), None);
    }
}
