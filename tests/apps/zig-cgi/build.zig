const std = @import("std");

pub fn build(b: *std.Build) void {
    const program = b.addExecutable(.{
        .name = "app",
        .root_module = b.createModule(.{
            .root_source_file = b.path("src/main.zig"),
            .target = b.standardTargetOptions(.{}),
            .optimize = b.standardOptimizeOption(.{}),
        }),
    });
    // Of the 16 MiB that Zig gives otherwise, each request's own instance would have all.
    program.stack_size = 1 << 20;
    b.installArtifact(program);
}
