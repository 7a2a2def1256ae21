//! The API server over real sockets and through its routes, the end of a process, and the check of tokens.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod shutdown;
#[cfg(test)]
mod sockets;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tokens;
