//! The files of ours that go into the toolchain's folder and into guests.

/// The toolchain's.
pub(super) const TOOLCHAIN: &[(&str, &str)] = &[
    ("package.json", include_str!("toolchain/package.json")),
    ("package-lock.json", include_str!("toolchain/package-lock.json")),
    ("prepare.mjs", include_str!("toolchain/prepare.mjs")),
    ("tags.mjs", include_str!("toolchain/tags.mjs")),
    ("engine.mjs", include_str!("toolchain/engine.mjs")),
    ("build.mjs", include_str!("toolchain/build.mjs")),
    ("engine/handles.wat", include_str!("toolchain/engine/handles.wat")),
    ("engine/host.wat", include_str!("toolchain/engine/host.wat")),
    ("engine/wasi.wat", include_str!("toolchain/engine/wasi.wat")),
    ("engine/component.wat", include_str!("toolchain/engine/component.wat")),
];

/// What starts the app while the snapshot is made.
pub(super) const START: &[(&str, &str)] = &[
    ("boot.rb", include_str!("guest/boot.rb")),
    ("bridge.rb", include_str!("guest/bridge.rb")),
    ("start.rb", include_str!("guest/start.rb")),
    ("command.rb", include_str!("guest/command.rb")),
];

/// Libraries that stand in for those that cannot be in the guest.
pub(super) const LIBRARY: &[(&str, &str)] = &[
    ("bundler.rb", include_str!("guest/lib/bundler.rb")),
    ("bundler/setup.rb", include_str!("guest/lib/bundler/setup.rb")),
    ("io/wait.rb", include_str!("guest/lib/io/wait.rb")),
    ("rack/handler/falcon.rb", include_str!("guest/lib/rack/handler/falcon.rb")),
    ("rack/handler/puma.rb", include_str!("guest/lib/rack/handler/puma.rb")),
    ("rack/handler/thin.rb", include_str!("guest/lib/rack/handler/thin.rb")),
    ("rack/handler/webrick.rb", include_str!("guest/lib/rack/handler/webrick.rb")),
    ("rackup/handler/falcon.rb", include_str!("guest/lib/rackup/handler/falcon.rb")),
    ("rackup/handler/puma.rb", include_str!("guest/lib/rackup/handler/puma.rb")),
    ("rackup/handler/thin.rb", include_str!("guest/lib/rackup/handler/thin.rb")),
    ("rackup/handler/webrick.rb", include_str!("guest/lib/rackup/handler/webrick.rb")),
    ("socket.rb", include_str!("guest/lib/socket.rb")),
    ("virga_handler.rb", include_str!("guest/lib/virga_handler.rb")),
    ("virga_threads.rb", include_str!("guest/lib/virga_threads.rb")),
];
