//! The UAA through its routes, on a real database, with a clock that the tests move.

#[cfg(test)]
mod access;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod databases;
#[cfg(test)]
mod grants;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod inspection;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod lockout;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod providers;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod users;
