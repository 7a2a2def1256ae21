//! Environment variables of every running app, or of every staging.
