//! Builds: one staging of a package each.
