//! The UAA through its routes, on a real database, with a clock that the tests move.

#[cfg(test)]
mod access;
#[cfg(test)]
mod inspection;
#[cfg(test)]
mod lockout;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod users;
