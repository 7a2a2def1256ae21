//! The app side of the v3 API through the route table, on a real database and blobstore, with a simulated stager and
//! scheduler.

#[cfg(test)]
mod deployments;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod logs;
#[cfg(test)]
mod manifests;
#[cfg(test)]
mod push;
#[cfg(test)]
mod restart;
#[cfg(test)]
mod revisions;
#[cfg(test)]
mod simulated;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tasks;
