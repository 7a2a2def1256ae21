//! File descriptors that are sockets: the preopened listener and what was accepted from it. All others are the engine's.

use super::memory::Errno;
use crate::sockets::{GuestEnd, Listener};
use std::sync::Arc;

/// The first descriptor after the standard streams. Folders come after the listener.
pub(crate) const LISTENER: u32 = 3;
/// Descriptors of connections, from here on: the engine numbers its own from below and never comes so far.
const CONNECTIONS: u32 = 1 << 16;

/// See the module.
#[derive(Default)]
pub(crate) struct Descriptors {
    /// Whether [`LISTENER`] is the listener's, also when that is closed.
    is_reserved: bool,
    listener: Option<Listening>,
    connections: Vec<Option<Connection>>,
    free: Vec<u32>,
}

struct Listening {
    listener: Arc<Listener>,
    waits: bool,
}

struct Connection {
    end: Arc<GuestEnd>,
    waits: bool,
}

/// A socket, for one call.
#[derive(Clone)]
pub(super) enum Socket {
    Listener(Arc<Listener>),
    Connection(Arc<GuestEnd>),
}

impl Descriptors {
    /// With a place for a listener or without.
    pub(crate) fn new(is_reserved: bool) -> Self {
        Self { is_reserved, ..Self::default() }
    }

    /// Puts the listener into its place, if there is one. It does not wait, as with every host of such programs: whoever wants
    /// `sock_accept` to wait says so.
    pub(crate) fn open(&mut self, listener: Arc<Listener>) {
        if self.is_reserved {
            self.listener = Some(Listening { listener, waits: false });
        }
    }

    /// Whether the descriptor is a socket's, or was.
    pub(super) fn has(&self, descriptor: u32) -> bool {
        (descriptor == LISTENER && self.is_reserved) || descriptor >= CONNECTIONS
    }

    fn connection(&self, descriptor: u32) -> Option<&Connection> {
        self.connections.get(place(descriptor)?)?.as_ref()
    }

    pub(super) fn socket(&self, descriptor: u32) -> Result<Socket, Errno> {
        let socket = match descriptor {
            LISTENER => self.listener.as_ref().map(|listening| Socket::Listener(listening.listener.clone())),
            _ => self.connection(descriptor).map(|connection| Socket::Connection(connection.end.clone())),
        };
        socket.ok_or(Errno::BadDescriptor)
    }

    /// Whether calls on it wait; not of one that is none.
    pub(super) fn waits(&self, descriptor: u32) -> bool {
        match descriptor {
            LISTENER => self.listener.as_ref().is_some_and(|listening| listening.waits),
            _ => self.connection(descriptor).is_some_and(|connection| connection.waits),
        }
    }

    pub(super) fn set_waits(&mut self, descriptor: u32, value: bool) -> Result<(), Errno> {
        let waits = match descriptor {
            LISTENER => self.listener.as_mut().map(|listening| &mut listening.waits),
            _ => place(descriptor).and_then(|place| self.connections.get_mut(place)?.as_mut()).map(|connection| &mut connection.waits),
        };
        *waits.ok_or(Errno::BadDescriptor)? = value;
        Ok(())
    }

    /// The descriptor of a connection that was accepted.
    pub(super) fn add(&mut self, end: GuestEnd, waits: bool) -> u32 {
        let connection = Some(Connection { end: Arc::new(end), waits });
        if let Some(descriptor) = self.free.pop()
            && let Some(entry) = place(descriptor).and_then(|place| self.connections.get_mut(place))
        {
            *entry = connection;
            return descriptor;
        }
        // As many as the listener lets in at a time, and no more.
        let descriptor = CONNECTIONS.saturating_add(u32::try_from(self.connections.len()).unwrap_or(u32::MAX));
        self.connections.push(connection);
        descriptor
    }

    pub(super) fn close(&mut self, descriptor: u32) -> Result<(), Errno> {
        if descriptor == LISTENER {
            let listening = self.listener.take().ok_or(Errno::BadDescriptor)?;
            listening.listener.set_listening(false);
            return Ok(());
        }
        let entry = place(descriptor).and_then(|place| self.connections.get_mut(place)).ok_or(Errno::BadDescriptor)?;
        entry.take().ok_or(Errno::BadDescriptor)?;
        self.free.push(descriptor);
        Ok(())
    }
}

fn place(descriptor: u32) -> Option<usize> {
    usize::try_from(descriptor.checked_sub(CONNECTIONS)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn a_closed_connection_leaves_its_number_and_nothing_else() {
        let listener = Listener::new(8080, 9, 16);
        listener.set_listening(true);
        let mut descriptors = Descriptors::new(true);
        assert!(descriptors.socket(LISTENER).is_err());
        descriptors.open(listener.clone());
        let _hosts = (listener.connect(Duration::ZERO).await.unwrap(), listener.connect(Duration::ZERO).await.unwrap());
        let first = descriptors.add(listener.accept().unwrap(), true);
        let second = descriptors.add(listener.accept().unwrap(), false);
        assert!(first != second && descriptors.has(first) && descriptors.waits(first) && !descriptors.waits(second));
        assert_eq!((descriptors.close(first), descriptors.close(first)), (Ok(()), Err(Errno::BadDescriptor)));
        assert_eq!(descriptors.set_waits(first, true), Err(Errno::BadDescriptor));
        let _host = listener.connect(Duration::ZERO).await.unwrap();
        assert_eq!(descriptors.add(listener.accept().unwrap(), true), first);
        assert_eq!((descriptors.close(LISTENER), descriptors.close(LISTENER)), (Ok(()), Err(Errno::BadDescriptor)));
        assert!(descriptors.has(LISTENER) && !listener.is_listening() && !Descriptors::default().has(LISTENER));
    }
}
