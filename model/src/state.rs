//! The state words of Cloud Foundry's resources, exactly as they stand on the wire and in the database.

/// A word that is none of those a state knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{word}' is not one of {known}")]
pub struct UnknownWord {
    /// What was given.
    pub word: String,
    /// The words there are, comma separated.
    pub known: &'static str,
}

/// An enum of unit variants with one word each: `Display`, `FromStr`, serde as that word, and `as_str`.
#[macro_export]
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// Every value, in declaration order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word on the wire.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::state::UnknownWord;

            fn from_str(word: &str) -> Result<Self, $crate::state::UnknownWord> {
                match word {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::state::UnknownWord { word: word.to_owned(), known: concat!($($word, " ",)+) }),
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                word.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

words! {
    /// What the user wants of an app.
    AppState { Stopped = "STOPPED", Started = "STARTED", }
    /// Where the bits of a package are.
    PackageState {
        AwaitingUpload = "AWAITING_UPLOAD", ProcessingUpload = "PROCESSING_UPLOAD", Ready = "READY",
        Failed = "FAILED", Copying = "COPYING", Expired = "EXPIRED",
    }
    /// One staging.
    BuildState { Staging = "STAGING", Staged = "STAGED", Failed = "FAILED", }
    /// Who may still use a stack.
    StackState { Active = "ACTIVE", Restricted = "RESTRICTED", Deprecated = "DEPRECATED", Disabled = "DISABLED", }
    /// A droplet.
    DropletState {
        AwaitingUpload = "AWAITING_UPLOAD", ProcessingUpload = "PROCESSING_UPLOAD", Staging = "STAGING",
        Copying = "COPYING", Staged = "STAGED", Failed = "FAILED", Expired = "EXPIRED",
    }
    /// A background job.
    JobState { Processing = "PROCESSING", Polling = "POLLING", Complete = "COMPLETE", Failed = "FAILED", }
    /// An actual instance, as `cf app` shows it.
    InstanceState {
        Starting = "STARTING", Running = "RUNNING", Crashed = "CRASHED", Down = "DOWN", Stopping = "STOPPING",
    }
    /// One run of a task.
    TaskState {
        Pending = "PENDING", Running = "RUNNING", Succeeded = "SUCCEEDED", Canceling = "CANCELING", Failed = "FAILED",
    }
    /// A deployment's internal state (`states` filter); the API shows it as `status.value` and `status.reason`.
    DeploymentState {
        Deploying = "DEPLOYING", Prepaused = "PREPAUSED", Paused = "PAUSED", Deployed = "DEPLOYED",
        Canceling = "CANCELING", Canceled = "CANCELED", Superseded = "SUPERSEDED",
    }
    /// How a deployment replaces the old web process.
    DeploymentStrategy { Rolling = "rolling", Canary = "canary", }
    /// The eight roles of the v3 API.
    RoleType {
        OrganizationUser = "organization_user", OrganizationAuditor = "organization_auditor",
        OrganizationManager = "organization_manager", OrganizationBillingManager = "organization_billing_manager",
        SpaceAuditor = "space_auditor", SpaceDeveloper = "space_developer", SpaceManager = "space_manager",
        SpaceSupporter = "space_supporter",
    }
}

impl RoleType {
    /// Whether the role is held in an organization (otherwise in a space).
    #[must_use]
    pub fn is_organization_role(self) -> bool {
        matches!(self, Self::OrganizationUser | Self::OrganizationAuditor | Self::OrganizationManager | Self::OrganizationBillingManager)
    }
}
