//! Processes of apps: what is desired.
