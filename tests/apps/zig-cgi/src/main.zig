//! A CGI program: one process for each request, the answer on stdout.

const std = @import("std");
const Io = std.Io;

pub fn main(init: std.process.Init) !void {
    var buffer: [16 << 10]u8 = undefined;
    var file: Io.File.Writer = .init(.stdout(), init.io, &buffer);
    const out = &file.interface;
    const variables = init.environ_map;

    const method = variables.get("REQUEST_METHOD") orelse return task(init, out);
    const path = if (variables.get("PATH_INFO")) |given| (if (given.len > 0) given else "/") else "/";
    std.debug.print("{s} {s}\n", .{ method, path });

    if (std.mem.eql(u8, path, "/")) {
        try head(out, "200 OK", "text/plain");
        try out.writeAll("Hello from Zig on Virga\n");
    } else if (std.mem.startsWith(u8, path, "/env/")) {
        const value = variables.get(path["/env/".len..]);
        try head(out, if (value == null) "404 Not Found" else "200 OK", "text/plain");
        try out.writeAll(value orelse "no such variable\n");
    } else if (std.mem.eql(u8, path, "/echo") and std.mem.eql(u8, method, "POST")) {
        try echo(init, out);
    } else if (std.mem.eql(u8, path, "/stream")) {
        try head(out, "200 OK", "text/plain");
        for (1..6) |number| {
            try out.print("chunk {d}\n", .{number});
            try out.flush();
        }
    } else if (std.mem.eql(u8, path, "/random")) {
        try random(init, out);
    } else if (std.mem.eql(u8, path, "/count")) {
        // Each request is a process of its own.
        try head(out, "200 OK", "text/plain");
        try out.writeAll("1\n");
    } else {
        try head(out, "404 Not Found", "text/plain");
        try out.print("404: nothing at {s}\n", .{path});
    }
    try out.flush();
}

fn head(out: *Io.Writer, status: []const u8, kind: []const u8) !void {
    try out.print("Status: {s}\r\nContent-Type: {s}\r\n\r\n", .{ status, kind });
}

fn echo(init: std.process.Init, out: *Io.Writer) !void {
    const kind = init.environ_map.get("CONTENT_TYPE") orelse "application/octet-stream";
    try head(out, "200 OK", kind);
    var buffer: [16 << 10]u8 = undefined;
    var file: Io.File.Reader = .initStreaming(.stdin(), init.io, &buffer);
    _ = try file.interface.streamRemaining(out);
}

fn random(init: std.process.Init, out: *Io.Writer) !void {
    var bytes: [16]u8 = undefined;
    init.io.random(&bytes);
    try head(out, "200 OK", "text/plain");
    try out.print("{x}\n", .{&bytes});
}

fn task(init: std.process.Init, out: *Io.Writer) !void {
    const words = try init.minimal.args.toSlice(init.arena.allocator());
    try out.writeAll("task done");
    for (words[@min(1, words.len)..]) |word| try out.print(" {s}", .{word});
    try out.writeAll("\n");
    try out.flush();
}
