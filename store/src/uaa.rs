//! Users, groups, clients, keys and refresh tokens of the UAA.
