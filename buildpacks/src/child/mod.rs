//! Children of the platform that work on what users sent: staging and compiling. Each is the platform's own program in
//! another role, in a process group of its own, with a cleared environment and limits on everything.

pub(crate) mod command;
pub(crate) mod entry;
pub(crate) mod protocol;
pub(crate) mod run;
pub(crate) mod staging;
pub(crate) mod usage;
