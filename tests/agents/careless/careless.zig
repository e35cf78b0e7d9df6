// SPDX-License-Identifier: MIT
//! The mailbox of careless.c once more, in Zig, with one mistake at a time, by the option `flaw`. It lists plain files, which
//! the file system agent restores. bplugin.zig is made from the header's layout by languages.py.

const bp = @import("bplugin.zig");
const std = @import("std");

pub const panic = std.debug.no_panic; // a trap: words would take a while to compile

const sizes = [_]u64{ 0, 1, 100, 1000, 65536, 65537, 70000, 200000, 400, 400, 600, 700 };

// One instance, one Job: the host makes no more of them.
var flaw_text: [32]u8 = undefined;
var flaw_len: usize = 0;
var listed = false;
var message: usize = 0;
var position: u64 = 0;
var dummy: u64 = 0;

fn is(flaw: []const u8) bool {
    return std.mem.eql(u8, flaw_text[0..flaw_len], flaw);
}

fn create(_: [*c]const bp.bp_host_api, out: [*c]?*anyopaque) callconv(.c) i32 {
    out.* = &dummy;
    return bp.BP_OK;
}

fn option(_: ?*anyopaque, _: [*c]const u8, value: [*c]const u8) callconv(.c) i32 {
    const text = std.mem.span(@as([*:0]const u8, @ptrCast(value)));
    flaw_len = @min(text.len, flaw_text.len);
    @memcpy(flaw_text[0..flaw_len], text[0..flaw_len]);
    return bp.BP_OK;
}

fn destroy(_: ?*anyopaque) callconv(.c) void {}

fn begin(_: ?*anyopaque, _: [*c]const bp.bp_host_api, _: [*c]const bp.bp_begin, out: [*c]?*anyopaque) callconv(.c) i32 {
    listed = false;
    out.* = &dummy;
    return bp.BP_OK;
}

fn end(_: ?*anyopaque, _: u32) callconv(.c) i32 {
    return bp.BP_OK;
}

fn next_entries(_: ?*anyopaque, batch: [*c]bp.bp_batch) callconv(.c) i32 {
    const buf: [*]u8 = @ptrCast(batch.*.buf.?);
    var heap: u64 = batch.*.cap;
    if (listed) {
        batch.*.heap_low = heap;
        batch.*.flags = bp.BP_BATCH_COMPLETE;
        return bp.BP_END;
    }
    for (sizes, 0..) |size, i| {
        var name: [12]u8 = "/@CARE/in/00".*;
        name[10] += @intCast(i / 10);
        name[11] += @intCast(i % 10);
        heap -= name.len;
        @memcpy(buf[heap .. heap + name.len], &name);
        var entry: bp.bp_entry = undefined;
        if (!is("undefined")) entry = std.mem.zeroes(bp.bp_entry); // "whoever needs the rest will set it"
        entry.name_off = @intCast(heap);
        entry.name_len = name.len;
        entry.cookie = i;
        entry.type = bp.BP_TYPE_REGULAR;
        entry.mode = 0o640;
        entry.size = size;
        entry.mtime.sec = 1700000000 + @as(i64, @intCast(if (i == 9) 8 else i));
        if (!is("undefined")) {
            entry.valid = bp.BP_HAS_MODE | bp.BP_HAS_SIZE | bp.BP_HAS_MTIME;
            entry.streams = 1;
        }
        @memcpy(buf[i * batch.*.stride ..][0..@sizeOf(bp.bp_entry)], std.mem.asBytes(&entry));
    }
    batch.*.count = sizes.len;
    batch.*.heap_low = heap;
    listed = true;
    return bp.BP_OK;
}

fn open_stream(_: ?*anyopaque, cookie: u64, _: u32, _: u64, size: [*c]u64) callconv(.c) i32 {
    message = cookie;
    position = 0;
    size.* = sizes[message];
    return bp.BP_OK;
}

const Store = error{Gone};

fn fetch(out: []u8) Store!usize {
    if (is("error-is-the-end") and message == 7 and position > 0) return Store.Gone;
    for (out, 0..) |*byte, i| byte.* = @intCast((31 * message + position + i) % 251);
    return out.len;
}

fn read(_: ?*anyopaque, out: ?*anyopaque, cap: u64, chunk: [*c]bp.bp_chunk) callconv(.c) i32 {
    const buf: [*]u8 = @ptrCast(out.?);
    var size = sizes[message];
    if (is("truncate")) size = @as(u16, @truncate(size));
    if (is("overflow")) {
        var checked: u16 = 60000;
        checked += @intCast(message * 1000); // of a u16: message 6 is one too many
        size = @max(size, checked - checked);
    }
    const most: u64 = if (is("error-is-the-end")) 65536 else cap;
    const n = fetch(buf[0..@min(size - position, most)]) catch 0; // "no more, then"
    chunk.*.offset = position;
    chunk.*.len = n;
    position += n;
    chunk.*.flags = if (position == size or n == 0) bp.BP_CHUNK_LAST else 0;
    return bp.BP_OK;
}

fn close_stream(_: ?*anyopaque, _: i32) callconv(.c) i32 {
    return bp.BP_OK;
}

const api = table: {
    var made = std.mem.zeroes(bp.bp_agent_api);
    made.struct_size = @sizeOf(bp.bp_agent_api);
    made.create = create;
    made.option = option;
    made.begin = begin;
    made.next_entries = next_entries;
    made.open_stream = open_stream;
    made.read = read;
    made.close_stream = close_stream;
    made.end = end;
    made.destroy = destroy;
    break :table made;
};
const claims = [_][*c]const u8{ "/@CARE", null };
const options = [_]bp.bp_option{.{ .key = "flaw", .help = "what it does wrong", .choices = null, .initial = null, .type = bp.BP_OPTION_STRING, .flags = 0 }};
const descriptor = made: {
    var d = std.mem.zeroes(bp.bp_descriptor);
    d.magic = "BPLUGIN\x00".*;
    d.struct_size = @sizeOf(bp.bp_descriptor);
    d.header = 1 << 16;
    d.min_version = 1 << 16;
    d.max_version = 1 << 16;
    d.features = bp.BP_FEATURE_PLAIN_FILES;
    d.option_size = @sizeOf(bp.bp_option);
    d.id = "careless-zig";
    d.version = "0.1";
    d.vendor = "filed tests";
    d.license = "MIT";
    d.claims = &claims;
    d.options = &options;
    d.n_options = 1;
    d.api = &api;
    break :made d;
};

export fn bplugin_query_v1(_: u32, _: u32) callconv(.c) [*c]const bp.bp_descriptor {
    return &descriptor;
}
