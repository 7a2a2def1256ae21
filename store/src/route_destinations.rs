//! Destinations: which apps a route leads to.
