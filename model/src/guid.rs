//! The registry of typed guids. A bare `Uuid` or `String` id never crosses a function boundary elsewhere.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A text that is not a guid where one was needed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a guid")]
pub struct InvalidGuid(pub String);

macro_rules! guids {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(uuid::Uuid);

        impl $name {
            /// A new random (version 4) guid.
            #[must_use]
            pub fn random() -> Self {
                Self(uuid::Uuid::new_v4())
            }

            /// The guid with these 128 bits; for guids derived from another guid (a web process shares its app's).
            #[must_use]
            pub fn from_u128(bits: u128) -> Self {
                Self(uuid::Uuid::from_u128(bits))
            }

            /// The 128 bits of this guid.
            #[must_use]
            pub fn as_u128(self) -> u128 {
                self.0.as_u128()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidGuid;

            fn from_str(text: &str) -> Result<Self, InvalidGuid> {
                uuid::Uuid::try_parse(text).map(Self).map_err(|_| InvalidGuid(text.to_owned()))
            }
        }
    )*};
}

guids! {
    /// An organization.
    OrgGuid,
    /// A space.
    SpaceGuid,
    /// An app.
    AppGuid,
    /// A process of an app; the first `web` process shares the app's bits.
    ProcessGuid,
    /// A package of source bits.
    PackageGuid,
    /// One staging of a package.
    BuildGuid,
    /// A staged droplet.
    DropletGuid,
    /// A deployment.
    DeploymentGuid,
    /// A revision of an app.
    RevisionGuid,
    /// A route.
    RouteGuid,
    /// A destination of a route.
    DestinationGuid,
    /// A domain.
    DomainGuid,
    /// A background job.
    JobGuid,
    /// A user, as known to the UAA.
    UserGuid,
    /// A role of a user in an organization or space.
    RoleGuid,
    /// An audit event.
    EventGuid,
    /// An organization or space quota.
    QuotaGuid,
    /// A buildpack.
    BuildpackGuid,
    /// A stack.
    StackGuid,
    /// A security group.
    SecurityGroupGuid,
    /// One actual instance of a process; new for every start.
    InstanceGuid,
    /// A task of an app.
    TaskGuid,
    /// A sidecar of an app.
    SidecarGuid,
    /// An isolation segment.
    IsolationSegmentGuid,
    /// A group of ports for TCP routes.
    RouterGroupGuid,
    /// A group of users in the UAA.
    UaaGroupGuid,
    /// An instance of a service.
    ServiceInstanceGuid,
    /// What gives an app, or a key, the credentials of a service instance.
    ServiceCredentialBindingGuid,
    /// What puts a route service in the way of a route.
    ServiceRouteBindingGuid,
    /// A broker of services.
    ServiceBrokerGuid,
    /// What a broker offers.
    ServiceOfferingGuid,
    /// One way to have an offering.
    ServicePlanGuid,
}

impl UserGuid {
    /// The guid under which a client of the UAA has roles like a user: derived from its id, so that its tokens name it.
    #[must_use]
    pub fn of_client(client_id: &str) -> Self {
        let digest = Sha256::new().chain_update(b"uaa client\0").chain_update(client_id).finalize();
        let bits = digest.iter().take(16).fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        Self(uuid::Builder::from_custom_bytes(bits.to_be_bytes()).into_uuid())
    }
}

impl From<AppGuid> for ProcessGuid {
    /// Cloud Foundry gives an app's first `web` process the app's own guid.
    fn from(app: AppGuid) -> Self {
        Self::from_u128(app.as_u128())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_reads_back_what_it_writes() {
        let guid = AppGuid::random();
        assert_eq!(guid.to_string().parse::<AppGuid>(), Ok(guid));
        assert_eq!("nope".parse::<AppGuid>(), Err(InvalidGuid("nope".into())));
    }

    #[test]
    fn a_client_has_one_guid_that_no_random_one_is() {
        let guid = UserGuid::of_client("ci");
        assert_eq!(guid, UserGuid::of_client("ci"));
        assert_ne!(guid, UserGuid::of_client("cd"));
        // Version 8; random ones are version 4.
        assert_eq!(guid.to_string().as_bytes()[14], b'8');
    }

    #[test]
    fn the_first_web_process_shares_the_apps_guid() {
        let app = AppGuid::random();
        assert_eq!(ProcessGuid::from(app).to_string(), app.to_string());
    }
}
