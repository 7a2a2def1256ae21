//! What the operator says about staging's sandbox and network.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::path::PathBuf;

/// How staging is held, and what it may reach.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StagingPolicy {
    /// How programs and scripts of users are held.
    pub sandbox: SandboxPolicy,
    /// What package clients may reach.
    pub network: NetworkPolicy,
    /// Further folders that builds may read, such as a language installed outside of `/usr`; where one has a `bin`, that is on
    /// their `PATH`.
    pub readable: Vec<PathBuf>,
}

/// How programs and scripts of users are held while they are staged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SandboxPolicy {
    /// In namespaces of their own, by the program `bwrap`; where that does not work, they are not run.
    #[default]
    Bubblewrap,
    /// Not at all.
    EveryDeveloperIsTrusted,
}

const BUBBLEWRAP: &str = "bubblewrap";
/// The words an operator must write to have no sandbox.
pub(crate) const TRUSTED: &str = "none, every developer is trusted";

impl Serialize for SandboxPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Bubblewrap => BUBBLEWRAP,
            Self::EveryDeveloperIsTrusted => TRUSTED,
        })
    }
}

impl<'de> Deserialize<'de> for SandboxPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            BUBBLEWRAP => Ok(Self::Bubblewrap),
            TRUSTED => Ok(Self::EveryDeveloperIsTrusted),
            other => Err(serde::de::Error::custom(format!("'{other}' is neither \"{BUBBLEWRAP}\" nor \"{TRUSTED}\""))),
        }
    }
}

/// What package clients may reach while they stage an app.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum NetworkPolicy {
    /// The registries that the package clients of this machine are set up for.
    #[default]
    Registries,
    /// Nothing.
    None,
    /// Hosts of these names; `*.` before one means every name under it. Never internal addresses.
    Hosts(Vec<String>),
}

const REGISTRIES: &str = "registries";
const NONE: &str = "none";

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Word(String),
    Hosts(Vec<String>),
}

impl Serialize for NetworkPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Registries => serializer.serialize_str(REGISTRIES),
            Self::None => serializer.serialize_str(NONE),
            Self::Hosts(hosts) => hosts.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for NetworkPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Written::deserialize(deserializer)? {
            Written::Word(word) if word == REGISTRIES => Ok(Self::Registries),
            Written::Word(word) if word == NONE => Ok(Self::None),
            Written::Word(word) => {
                Err(serde::de::Error::custom(format!("'{word}' is neither \"{REGISTRIES}\" nor \"{NONE}\" nor a list of hosts")))
            }
            Written::Hosts(hosts) => match hosts.iter().find(|host| !is_pattern(host)) {
                Some(bad) => {
                    Err(serde::de::Error::custom(format!("'{bad}' is no host; write example.com or *.example.com, without scheme or port")))
                }
                None => Ok(Self::Hosts(hosts.iter().map(|host| host.to_ascii_lowercase()).collect())),
            },
        }
    }
}

fn is_pattern(text: &str) -> bool {
    let name = text.strip_prefix("*.").unwrap_or(text);
    !name.is_empty() && name.len() <= 253 && name.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sandbox(text: &str) -> Result<SandboxPolicy, serde_json::Error> {
        serde_json::from_value(text.into())
    }

    #[test]
    fn no_sandbox_takes_the_very_words() {
        assert_eq!(sandbox("bubblewrap").unwrap(), SandboxPolicy::Bubblewrap);
        assert_eq!(sandbox("none, every developer is trusted").unwrap(), SandboxPolicy::EveryDeveloperIsTrusted);
        assert!(sandbox("none").unwrap_err().to_string().contains("every developer is trusted"));
    }

    #[test]
    fn a_network_is_a_word_or_hosts() {
        let read = |text: &str| serde_json::from_str::<NetworkPolicy>(text);
        assert_eq!(read("\"registries\"").unwrap(), NetworkPolicy::Registries);
        assert_eq!(read("\"none\"").unwrap(), NetworkPolicy::None);
        assert_eq!(read("[\"*.Example.com\"]").unwrap(), NetworkPolicy::Hosts(vec!["*.example.com".into()]));
        for bad in ["\"all\"", "[\"https://example.com\"]", "[\"*\"]", "[\"a.*\"]"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
