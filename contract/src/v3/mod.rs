//! Request and answer shapes of the Cloud Foundry v3 API, one file per resource.
