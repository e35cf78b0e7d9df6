//! @name@: saves each line of a text file as an entry of its own. A stand-in for your source: a queue, a log, a table,
//! anything that has items in an order and can say "all after this one".
//!
//! `filed` loads this library into the process of one Job and makes the calls below, in the order that bplugin.h has on
//! its first page. No panic may leave a call: `guard` turns it into a status. What to change is marked with CHANGE.

#[macro_use]
mod bplugin;

use bplugin::*;
use std::ffi::{c_void, OsStr};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::mem::size_of;
use std::os::raw::c_char;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::ptr::null;

const TOP: &str = "/@@NAME@/"; // all names begin so; see CLAIMS
const FORMAT: u32 = 1; // of the state below; raise it when you change what it means

/// One configured instance, from create to destroy.
struct Agent {
    host: Host,
    source: PathBuf,
}

/// One Job, from begin to end.
struct Job {
    host: Host,
    file: Option<BufReader<File>>, // CHANGE: the source, open; none in a restore
    kind: u32,
    at: Reached,   // CHANGE: how far the listing is
    base: Reached, // how far the base came; zeros: there is none, and everything is listed
    stream_at: u64, // of the open stream: bytes given so far, and to come
    left: u64,
    failed: bool, // an item could not be read
}

#[derive(Clone, Copy, Default)]
struct Reached {
    lines: u64,
    bytes: u64,
}

// ---- the instance ---------------------------------------------------------------------------------------------------

unsafe extern "C" fn create(host: *const bp_host_api, out: *mut *mut bp_agent) -> bp_status {
    guard(|| {
        hand_over(Agent { host: Host(host), source: PathBuf::new() }, out);
        Ok(())
    })
}

/// Called for each option of the conf, checked against OPTIONS below.
unsafe extern "C" fn option(agent: *mut bp_agent, key: *const c_char, value: *const c_char) -> bp_status {
    guard(|| {
        let agent: &mut Agent = instance(agent);
        if bytes(key) != b"source" {
            return Err(agent.host.fail(BP_E_INVAL, "the only option is source"));
        }
        agent.source = PathBuf::from(OsStr::from_bytes(bytes(value)));
        Ok(())
    })
}

unsafe extern "C" fn destroy(agent: *mut bp_agent) {
    guard(|| {
        drop(take_back::<Agent, _>(agent));
        Ok(())
    });
}

// ---- a Job begins ---------------------------------------------------------------------------------------------------

impl Job {
    fn file(&mut self) -> Done<&mut BufReader<File>> {
        self.file.as_mut().ok_or(BP_E_SEQUENCE)
    }

    /// Where the base ended: "<lines> <bytes>". What does not fit the source any more cannot be continued from.
    fn continue_from(&mut self, state: &[u8], format: u32) -> Done {
        let host = self.host;
        let numbers: Vec<u64> = std::str::from_utf8(state)
            .map(|text| text.split(' ').filter_map(|word| word.parse().ok()).collect())
            .unwrap_or_default();
        if format != FORMAT || numbers.len() != 2 {
            return Err(host.fail(BP_E_BASE, "the state is not of this agent"));
        }
        let length = self.file()?.seek(SeekFrom::End(0)).map_err(|e| host.fail_io(BP_E_FAIL, &e, "seek"))?;
        if length < numbers[1] {
            return Err(host.fail(BP_E_BASE, "the source is shorter than it was"));
        }
        self.base = Reached { lines: numbers[0], bytes: numbers[1] };
        self.at = self.base;
        Ok(())
    }

    /// Up to here all is saved. What failed, and all after it, comes again.
    fn state(&self) -> String {
        let saved = if self.failed { self.base } else { self.at };
        format!("{} {}", saved.lines, saved.bytes)
    }

    /// CHANGE: the length of the item at `offset`, its end included; 0: there is none, or it is still being written.
    fn item_length(&mut self, offset: u64) -> Done<u64> {
        let host = self.host;
        let file = self.file()?;
        let failed = |error: std::io::Error| host.fail_io(BP_E_FAIL, &error, "read the source");
        file.seek(SeekFrom::Start(offset)).map_err(failed)?;
        let mut length = 0;
        loop {
            let some = file.fill_buf().map_err(failed)?;
            if let Some(at) = some.iter().position(|&byte| byte == b'\n') {
                return Ok(length + at as u64 + 1);
            }
            if some.is_empty() {
                return Ok(0);
            }
            let taken = some.len();
            file.consume(taken);
            length += taken as u64;
            host.beat(); // "I am alive", in any loop without a callback
        }
    }
}

unsafe extern "C" fn begin(
    agent: *mut bp_agent,
    host: *const bp_host_api,
    why: *const bp_begin,
    out: *mut *mut bp_job,
) -> bp_status {
    guard(|| {
        let (agent, why) = (instance::<Agent>(agent), &*why);
        let host = Host(host);
        let (at, base) = (Reached::default(), Reached::default());
        let mut job = Job { host, file: None, kind: why.kind, at, base, stream_at: 0, left: 0, failed: false };
        if why.kind != BP_KIND_RESTORE {
            let file = File::open(&agent.source).map_err(|e| host.fail_io(BP_E_FAIL, &e, "open the source"))?;
            job.file = Some(BufReader::new(file)); // Rust opens with O_CLOEXEC: no program inherits it
            if why.state_why == BP_STATE_FOUND {
                let state = std::slice::from_raw_parts(why.state as *const u8, why.state_len as usize);
                job.continue_from(state, why.state_format)?; // after an error there is no `end`
            }
        }
        hand_over(job, out);
        Ok(())
    })
}

unsafe extern "C" fn end(at: *mut bp_job, _outcome: u32) -> bp_status {
    guard(|| {
        drop(take_back::<Job, _>(at));
        Ok(())
    })
}

// ---- backup ---------------------------------------------------------------------------------------------------------

unsafe extern "C" fn next_entries(at: *mut bp_job, batch: *mut bp_batch) -> bp_status {
    guard(|| {
        let job: &mut Job = job(at);
        let mut page = Page::new(batch)?;
        loop {
            let length = job.item_length(job.at.bytes)?;
            if length == 0 {
                break;
            }
            if job.host.cancelled() {
                return Err(BP_E_CANCELLED);
            }
            let entry = bp_entry {
                cookie: job.at.bytes, // ours: comes back in open_stream
                r#type: BP_TYPE_REGULAR,
                streams: bp_stream_bit(BP_STREAM_DATA),
                valid: BP_HAS_MODE | BP_HAS_SIZE,
                mode: 0o644,
                size: length,
                flags: BP_ENTRY_SELECTED, // we choose by our own numbers: the host shall not compare times
                ..Default::default()
            };
            let name = format!("{}{:010}", TOP, job.at.lines + 1);
            if !page.add(&entry, name.as_bytes(), b"")? {
                return Ok(()); // full: the next page has it
            }
            job.at.lines += 1;
            job.at.bytes += length;
        }
        if page.count() > 0 {
            return Ok(()); // asked again when these are read: only then it is known what was saved
        }
        if job.kind == BP_KIND_BACKUP {
            // not in an estimate, nor in a verify; found again when this Job is the base of another
            job.host.put_state(job.state().as_bytes(), FORMAT)?;
        }
        // Complete, so that what only the base has is deleted: never after a list of news, which would delete all the rest.
        page.end(job.base.lines == 0)
    })
}

unsafe extern "C" fn open_stream(at: *mut bp_job, cookie: u64, stream: u32, offset: u64, size: *mut u64) -> bp_status {
    guard(|| {
        let job: &mut Job = job(at);
        if stream != BP_STREAM_DATA || offset != 0 {
            return Err(BP_E_INVAL);
        }
        let host = job.host;
        job.left = job.item_length(cookie)?;
        if job.left == 0 {
            job.failed = true;
            return Err(host.fail(BP_E_NOTFOUND, "it is not in the source any more"));
        }
        *size = job.left;
        job.file()?.seek(SeekFrom::Start(cookie)).map_err(|e| host.fail_io(BP_E_IO, &e, "seek"))?;
        job.stream_at = 0;
        Ok(())
    })
}

/// The next bytes of the item. They go straight into the host's buffer.
unsafe extern "C" fn read(at: *mut bp_job, buf: *mut c_void, cap: u64, chunk: *mut bp_chunk) -> bp_status {
    guard(|| {
        let job: &mut Job = job(at);
        let host = job.host;
        let n = cap.min(job.left);
        let buf = std::slice::from_raw_parts_mut(buf as *mut u8, n as usize);
        if job.file()?.read_exact(buf).is_err() {
            // about this entry alone: counted, the Job goes on. BP_E_FAIL would end it
            return Err(host.fail(BP_E_IO, "the source was cut while it was read"));
        }
        let at = job.stream_at;
        job.stream_at += n;
        job.left -= n;
        set_chunk(chunk, at, n, job.left == 0)
    })
}

unsafe extern "C" fn close_stream(at: *mut bp_job, how: bp_status) -> bp_status {
    guard(|| {
        let job: &mut Job = job(at);
        job.failed |= how != BP_OK;
        Ok(())
    })
}

// ---- restore --------------------------------------------------------------------------------------------------------

/// Each entry is an ordinary file: the file system agent brings it back to `dest`. CHANGE to BP_ACTION_WANT to get the
/// bytes yourself, by restore_stream, write and restore_done.
unsafe extern "C" fn restore_entry(
    _job: *mut bp_job,
    _entry: *const bp_entry,
    _base: *const c_void,
    _dest: *const c_char,
    _replace: u32,
    action: *mut u32,
) -> bp_status {
    *action = BP_ACTION_HOST;
    BP_OK
}

unsafe extern "C" fn restore_stream(_job: *mut bp_job, _stream: u32, _size: u64) -> bp_status {
    BP_E_UNSUPPORTED
}

unsafe extern "C" fn write(_job: *mut bp_job, _buf: *const c_void, _chunk: *const bp_chunk) -> bp_status {
    BP_E_UNSUPPORTED
}

unsafe extern "C" fn restore_done(_job: *mut bp_job, _how: bp_status) -> bp_status {
    BP_OK
}

// ---- what it is -----------------------------------------------------------------------------------------------------

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
    restore_entry: Some(restore_entry),
    restore_stream: Some(restore_stream),
    write: Some(write),
    restore_done: Some(restore_done),
    commit: None,
    cancel: None,
    end: Some(end),
    confirmed: None,
    destroy: Some(destroy),
};

static OPTIONS: Constant<[bp_option; 1]> = Constant([bp_option {
    key: cstr!("source"),
    help: cstr!("the text file whose lines are saved"),
    choices: null(),
    initial: null(),
    r#type: BP_OPTION_PATH,
    flags: BP_OPTION_REQUIRED,
}]);

static CLAIMS: Constant<[*const c_char; 2]> = Constant([cstr!("/@@NAME@/"), null()]); // the File lines it takes

static DESCRIPTOR: Constant<bp_descriptor> = Constant(bp_descriptor {
    magic: BP_MAGIC,
    struct_size: size_of::<bp_descriptor>() as u32,
    header: BP_HEADER_VERSION,
    min_version: bp_version(1, 0),
    max_version: BP_HEADER_VERSION,
    features: 0,
    needs: 0,
    threads: 0,
    option_size: size_of::<bp_option>() as u32,
    format: 1,
    reserved: 0,
    id: cstr!("@name@"),
    version: cstr!("0.1"),
    vendor: cstr!("CHANGE"),
    license: cstr!("CHANGE"),
    aliases: null(),
    claims: &CLAIMS.0 as *const *const c_char,
    options: &OPTIONS.0 as *const bp_option,
    n_options: 1,
    api: &API,
});

define!(DESCRIPTOR);
