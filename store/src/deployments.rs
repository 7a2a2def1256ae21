//! Deployments: one replacement of an app's web process each.
