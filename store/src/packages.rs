//! Packages: source bits of apps.
