// SPDX-License-Identifier: MIT
//! The mailbox of careless.c once more, in Rust, with one mistake at a time, by the option `flaw`. It lists plain files,
//! which the file system agent restores. bplugin.rs is what `filed agent new` hands out.

#[macro_use]
mod bplugin;

use bplugin::*;
use std::ffi::c_void;
use std::mem::size_of;
use std::os::raw::c_char;
use std::ptr::null;

const SIZES: [u64; 12] = [0, 1, 100, 1000, 65536, 65537, 70000, 200000, 400, 400, 600, 700];

struct Agent {
    flaw: String,
}

struct Job {
    host: Host,
    flaw: String,
    next: usize,
    listed_again: bool,
    message: usize,
    at: u64,
    left: u64,
}

impl Drop for Job {
    fn drop(&mut self) {
        if self.flaw == "state-in-drop" {
            let _ = self.host.put_state(b"12", 1); // when all is over, so that it is surely right
        }
    }
}

unsafe extern "C" fn create(_host: *const bp_host_api, out: *mut *mut bp_agent) -> bp_status {
    guard(|| {
        hand_over(Agent { flaw: String::new() }, out);
        Ok(())
    })
}

unsafe extern "C" fn option(agent: *mut bp_agent, _key: *const c_char, value: *const c_char) -> bp_status {
    guard(|| {
        instance::<Agent>(agent).flaw = String::from_utf8_lossy(bytes(value)).into_owned();
        Ok(())
    })
}

unsafe extern "C" fn destroy(agent: *mut bp_agent) {
    guard(|| {
        drop(take_back::<Agent, _>(agent));
        Ok(())
    });
}

unsafe extern "C" fn begin(
    agent: *mut bp_agent,
    host: *const bp_host_api,
    _why: *const bp_begin,
    out: *mut *mut bp_job,
) -> bp_status {
    guard(|| {
        let flaw = instance::<Agent>(agent).flaw.clone();
        hand_over(Job { host: Host(host), flaw, next: 0, listed_again: false, message: 0, at: 0, left: 0 }, out);
        Ok(())
    })
}

unsafe extern "C" fn end(at: *mut bp_job, _outcome: u32) -> bp_status {
    guard(|| {
        drop(take_back::<Job, _>(at));
        Ok(())
    })
}

/// Names are bytes; a String is not.
fn name(job: &Job, message: usize) -> Vec<u8> {
    let mut raw = format!("/@CARE/in/{:02}", message).into_bytes();
    if job.flaw == "lossy-names" && (3..5).contains(&message) {
        raw.truncate(10);
        raw.push(0xf0 + message as u8);
        raw = String::from_utf8_lossy(&raw).into_owned().into_bytes();
    }
    raw
}

unsafe extern "C" fn next_entries(at: *mut bp_job, batch: *mut bp_batch) -> bp_status {
    guard(|| {
        let job: &mut Job = job(at);
        let mut page = Page::new(batch)?;
        while job.next < SIZES.len() && page.count() < 5 {
            let message = job.next;
            let entry = bp_entry {
                cookie: message as u64,
                r#type: BP_TYPE_REGULAR,
                streams: bp_stream_bit(BP_STREAM_DATA),
                valid: BP_HAS_MODE | BP_HAS_SIZE | BP_HAS_MTIME,
                mode: 0o640,
                size: SIZES[message],
                mtime: bp_time { sec: 1_700_000_000 + if message == 9 { 8 } else { message as i64 }, nsec: 0, reserved: 0 },
                ..Default::default()
            };
            page.add(&entry, &name(job, message), b"")?;
            job.next += 1;
        }
        if page.count() == 5 && job.flaw == "page-again" && !job.listed_again {
            job.listed_again = true;
            job.next -= 5; // "better twice than never"
        }
        if page.count() > 0 {
            return Ok(());
        }
        page.end(true)
    })
}

unsafe extern "C" fn open_stream(at: *mut bp_job, cookie: u64, _stream: u32, _offset: u64, size: *mut u64) -> bp_status {
    let job: &mut Job = job(at);
    job.message = cookie as usize;
    (job.at, job.left) = (0, 0);
    if job.flaw == "panic-is-fine" && cookie == 7 {
        let status = guard(|| panic!("index out of bounds"));
        return if status == BP_E_FAIL { BP_OK } else { status };
    }
    job.left = SIZES[job.message];
    *size = job.left;
    BP_OK
}

unsafe extern "C" fn read(at: *mut bp_job, buf: *mut c_void, cap: u64, chunk: *mut bp_chunk) -> bp_status {
    let job: &mut Job = job(at);
    if job.flaw == "panics" && job.message == 7 {
        let headers: [usize; 0] = [];
        let _ = headers[job.message]; // no guard: it may not unwind into C
    }
    let few = job.flaw == "counts-from-zero";
    let n = job.left.min(if few { 4096 } else { cap });
    let out = std::slice::from_raw_parts_mut(buf as *mut u8, n as usize);
    for (i, byte) in out.iter_mut().enumerate() {
        *byte = ((31 * job.message as u64 + job.at + i as u64) % 251) as u8;
    }
    let offset = if few { 0 } else { job.at };
    job.at += n;
    job.left -= n;
    set_chunk(chunk, offset, n, job.left == 0).err().unwrap_or(BP_OK)
}

unsafe extern "C" fn close_stream(_job: *mut bp_job, _how: bp_status) -> bp_status {
    BP_OK
}

static API: bp_agent_api = bp_agent_api {
    struct_size: size_of::<bp_agent_api>() as u32,
    reserved: 0,
    create: Some(create),
    option: Some(option),
    ready: None,
    extension: None,
    begin: Some(begin),
    next_entries: Some(next_entries),
    fetch: None,
    open_stream: Some(open_stream),
    read: Some(read),
    close_stream: Some(close_stream),
    restore_entry: None,
    restore_stream: None,
    write: None,
    restore_done: None,
    commit: None,
    cancel: None,
    end: Some(end),
    confirmed: None,
    destroy: Some(destroy),
};

static OPTIONS: Constant<[bp_option; 1]> = Constant([bp_option {
    key: cstr!("flaw"),
    help: cstr!("what it does wrong"),
    choices: null(),
    initial: null(),
    r#type: BP_OPTION_STRING,
    flags: 0,
}]);

static CLAIMS: Constant<[*const c_char; 2]> = Constant([cstr!("/@CARE"), null()]);

static DESCRIPTOR: Constant<bp_descriptor> = Constant(bp_descriptor {
    magic: BP_MAGIC,
    struct_size: size_of::<bp_descriptor>() as u32,
    header: BP_HEADER_VERSION,
    min_version: bp_version(1, 0),
    max_version: BP_HEADER_VERSION,
    features: BP_FEATURE_PLAIN_FILES,
    needs: 0,
    threads: 0,
    option_size: size_of::<bp_option>() as u32,
    format: 1,
    reserved: 0,
    id: cstr!("careless-rs"),
    version: cstr!("0.1"),
    vendor: cstr!("filed tests"),
    license: cstr!("MIT"),
    aliases: null(),
    claims: &CLAIMS.0 as *const *const c_char,
    options: &OPTIONS.0 as *const bp_option,
    n_options: 1,
    api: &API,
});

define!(DESCRIPTOR);
