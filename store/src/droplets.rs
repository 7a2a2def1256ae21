//! Droplets: staged apps.
