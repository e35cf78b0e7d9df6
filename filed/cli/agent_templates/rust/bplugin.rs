// SPDX-License-Identifier: MIT
//! bplugin.h for Rust: the same numbers and structs (`repr(C)`), under the header's own names, and a few helpers as
//! bplugin_sdk.h has them. The contract and the meaning of everything here is bplugin.h; `filed agent cflags` prints
//! where it lies. The file that this is a copy of is made from the header.
//!
//!   Host     callbacks, checked          Page     fills a page of entries
//!   guard    no panic leaves a call      define   the one exported symbol
#![allow(non_camel_case_types, dead_code, clippy::missing_safety_doc)]

use std::ffi::c_void;
use std::mem::size_of;
use std::os::raw::c_char;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::ptr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

// ---- made by abi/layout.py from bplugin.h: do not edit ----
pub type bp_status = i32;

/// An instance, a Job, the host: only pointers to them travel, yours to cast (`instance`, `job`).
pub enum bp_agent {}
pub enum bp_job {}
pub enum bp_ctx {}
pub enum bp_stream {}

pub const BP_HEADER_VERSION: u32 = bp_version(1, 1);
pub const BP_MAGIC: [u8; 8] = *b"BPLUGIN\0";
pub const BP_SIZE_UNKNOWN: u64 = u64::MAX;
pub const BP_MAX_STATE: u32 = 524288;
pub const BP_MAX_LARGE_STATE: u32 = 16777216;
pub const BP_MAX_HOLD: u32 = 4096;
pub const BP_MIN_READ: u32 = 65536;
pub const BP_MIN_PAGE: u32 = 1048576;
pub const BP_BATCH_COMPLETE: u32 = 1;
pub const BP_BATCH_GAP: u32 = 2;
pub const BP_CHUNK_LAST: u32 = 1;
pub const BP_PHASES_1: &[u8] = b"bp.phases/1\0";
pub const BP_PLAN_1: &[u8] = b"bp.plan/1\0";
pub const BP_STREAMS_1: &[u8] = b"bp.streams/1\0";
// Status
pub const BP_OK: bp_status = 0;
pub const BP_END: bp_status = 1;
pub const BP_E_ENTRY: bp_status = -1;
pub const BP_E_NOTFOUND: bp_status = -2;
pub const BP_E_ACCESS: bp_status = -3;
pub const BP_E_CHANGED: bp_status = -4;
pub const BP_E_IO: bp_status = -5;
pub const BP_E_FAIL: bp_status = -20;
pub const BP_E_NOMEM: bp_status = -21;
pub const BP_E_NOSPACE: bp_status = -22;
pub const BP_E_CORRUPT: bp_status = -23;
pub const BP_E_CANCELLED: bp_status = -24;
pub const BP_E_BASE: bp_status = -40;
pub const BP_E_BUSY: bp_status = -41;
pub const BP_E_VERSION: bp_status = -42;
pub const BP_E_UNSUPPORTED: bp_status = -43;
pub const BP_E_INVAL: bp_status = -44;
pub const BP_E_SEQUENCE: bp_status = -45;
pub const BP_E_TOO_BIG: bp_status = -46;
pub const BP_E_HOST: bp_status = -60;
pub const BP_E_VIOLATION: bp_status = -61;
// Kind
pub const BP_KIND_BACKUP: u32 = 1;
pub const BP_KIND_RESTORE: u32 = 2;
pub const BP_KIND_ESTIMATE: u32 = 3;
pub const BP_KIND_VERIFY: u32 = 4;
// Level
pub const BP_LEVEL_NONE: u32 = 0;
pub const BP_LEVEL_FULL: u32 = 1;
pub const BP_LEVEL_DIFFERENTIAL: u32 = 2;
pub const BP_LEVEL_INCREMENTAL: u32 = 3;
// StateWhy
pub const BP_STATE_NONE: u32 = 0;
pub const BP_STATE_FOUND: u32 = 1;
pub const BP_STATE_FIRST: u32 = 2;
pub const BP_STATE_LOST: u32 = 3;
pub const BP_STATE_RESTORED: u32 = 4;
pub const BP_STATE_FILESET_CHANGED: u32 = 5;
pub const BP_STATE_UNNAMED: u32 = 6;
pub const BP_STATE_GAP: u32 = 7;
// BeginFlag
pub const BP_BEGIN_ACCURATE: u32 = 1;
pub const BP_BEGIN_PART: u32 = 2;
pub const BP_BEGIN_OLDEST_FIRST: u32 = 4;
pub const BP_BEGIN_DRY_RUN: u32 = 8;
// Outcome
pub const BP_OUTCOME_DONE: u32 = 0;
pub const BP_OUTCOME_FAILED: u32 = 1;
pub const BP_OUTCOME_CANCELLED: u32 = 2;
// Verdict
pub const BP_VERDICT_NONE: u32 = 0;
pub const BP_VERDICT_TAKE: u32 = 1;
pub const BP_VERDICT_SKIP: u32 = 2;
pub const BP_VERDICT_DESCEND: u32 = 3;
pub const BP_VERDICT_PRUNE: u32 = 4;
// Severity
pub const BP_MSG_DEBUG: i32 = 1;
pub const BP_MSG_INFO: i32 = 2;
pub const BP_MSG_WARNING: i32 = 3;
pub const BP_MSG_ERROR: i32 = 4;
// OsDomain
pub const BP_OS_NONE: i32 = 0;
pub const BP_OS_ERRNO: i32 = 1;
pub const BP_OS_WIN32: i32 = 2;
pub const BP_OS_HRESULT: i32 = 3;
pub const BP_OS_AGENT: i32 = 4;
// EntryType
pub const BP_TYPE_REGULAR: u32 = 1;
pub const BP_TYPE_DIRECTORY: u32 = 2;
pub const BP_TYPE_SYMLINK: u32 = 3;
pub const BP_TYPE_HARDLINK: u32 = 4;
pub const BP_TYPE_FIFO: u32 = 5;
pub const BP_TYPE_CHARDEV: u32 = 6;
pub const BP_TYPE_BLOCKDEV: u32 = 7;
pub const BP_TYPE_OBJECT: u32 = 8;
// Change
pub const BP_CHANGE_NONE: u32 = 0;
pub const BP_CHANGE_DELETED: u32 = 1;
pub const BP_CHANGE_RENAMED: u32 = 2;
// EntryFlag
pub const BP_ENTRY_SELECTED: u32 = 1;
pub const BP_ENTRY_REREAD: u32 = 2;
pub const BP_ENTRY_FAILED: u32 = 4;
pub const BP_ENTRY_TOP: u32 = 8;
// Has
pub const BP_HAS_MODE: u64 = 1;
pub const BP_HAS_OWNER: u64 = 2;
pub const BP_HAS_SIZE: u64 = 4;
pub const BP_HAS_BLOCKS: u64 = 8;
pub const BP_HAS_INO: u64 = 16;
pub const BP_HAS_NLINK: u64 = 32;
pub const BP_HAS_RDEV: u64 = 64;
pub const BP_HAS_ATIME: u64 = 128;
pub const BP_HAS_MTIME: u64 = 256;
pub const BP_HAS_CHTIME: u64 = 512;
pub const BP_HAS_BTIME: u64 = 1024;
pub const BP_HAS_ATTRS: u64 = 2048;
pub const BP_HAS_FSTYPE: u64 = 4096;
// Attr
pub const BP_ATTR_NODUMP: u32 = 1;
// AgentStream
pub const BP_STREAM_DATA: u32 = 0;
pub const BP_STREAM_ACL_ACCESS: u32 = 1;
pub const BP_STREAM_ACL_DEFAULT: u32 = 2;
pub const BP_STREAM_XATTR: u32 = 3;
pub const BP_STREAM_OBJECT: u32 = 4;
// WantOption
pub const BP_OPT_NOATIME: u64 = 1;
pub const BP_OPT_KEEPATIME: u64 = 2;
pub const BP_OPT_READFIFO: u64 = 4;
pub const BP_OPT_CHECK_CHANGES: u64 = 8;
pub const BP_OPT_SPARSE: u64 = 16;
// Replace
pub const BP_REPLACE_ALWAYS: u32 = 1;
pub const BP_REPLACE_IFNEWER: u32 = 2;
pub const BP_REPLACE_IFOLDER: u32 = 3;
pub const BP_REPLACE_NEVER: u32 = 4;
// Action
pub const BP_ACTION_NONE: u32 = 0;
pub const BP_ACTION_SKIP: u32 = 1;
pub const BP_ACTION_CREATED: u32 = 2;
pub const BP_ACTION_WANT: u32 = 3;
pub const BP_ACTION_HOST: u32 = 4;
// Release
pub const BP_RELEASE_BEGUN: u32 = 1;
pub const BP_RELEASE_FAILED: u32 = 2;
pub const BP_RELEASE_LEFT: u32 = 3;
// Feature
pub const BP_FEATURE_PLAIN_FILES: u64 = 1;
pub const BP_FEATURE_VERBATIM: u64 = 2;
pub const BP_FEATURE_BROWSE: u64 = 4;
// OptionFlag
pub const BP_OPTION_REQUIRED: u32 = 1;
pub const BP_OPTION_SECRET: u32 = 2;
pub const BP_OPTION_REPEATS: u32 = 4;
pub const BP_OPTION_FROM_DIRECTOR: u32 = 8;
pub const BP_OPTION_AT_RESTORE: u32 = 16;
// OptionType
pub const BP_OPTION_STRING: u32 = 1;
pub const BP_OPTION_BOOL: u32 = 2;
pub const BP_OPTION_INT: u32 = 3;
pub const BP_OPTION_SIZE: u32 = 4;
pub const BP_OPTION_DURATION: u32 = 5;
pub const BP_OPTION_PATH: u32 = 6;
pub const BP_OPTION_ENUM: u32 = 7;

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct bp_time {
    pub sec: i64,
    pub nsec: u32,
    pub reserved: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct bp_entry {
    pub name_off: u32,
    pub name_len: u32,
    pub link_off: u32,
    pub link_len: u32,
    pub old_name_off: u32,
    pub old_name_len: u32,
    pub inline_off: u32,
    pub inline_len: u32,
    pub tlv_off: u32,
    pub tlv_len: u32,
    pub cookie: u64,
    pub streams: u64,
    pub valid: u64,
    pub size: u64,
    pub blocks: u64,
    pub ino: u64,
    pub dev: u64,
    pub rdev: u64,
    pub atime: bp_time,
    pub mtime: bp_time,
    pub chtime: bp_time,
    pub btime: bp_time,
    pub r#type: u32,
    pub change: u32,
    pub flags: u32,
    pub mode: u32,
    pub nlink: u32,
    pub uid: u32,
    pub gid: u32,
    pub attrs: u32,
    pub blksize: u32,
    pub fs_type: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct bp_want {
    pub cookie: u64,
    pub streams: u64,
    pub options: u64,
}

#[repr(C)]
pub struct bp_batch {
    pub struct_size: u32,
    pub stride: u32,
    pub buf: *mut c_void,
    pub cap: u64,
    pub max_entries: u32,
    pub count: u32,
    pub heap_low: u64,
    pub flags: u32,
    pub reserved: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct bp_chunk {
    pub offset: u64,
    pub len: u64,
    pub flags: u32,
    pub reserved: u32,
}

#[repr(C)]
pub struct bp_begin {
    pub struct_size: u32,
    pub kind: u32,
    pub level: u32,
    pub state_why: u32,
    pub flags: u32,
    pub state_format: u32,
    pub since: bp_time,
    pub job: *const c_char,
    pub base_job: *const c_char,
    pub state: *const c_void,
    pub state_len: u64,
    pub fileset: *const c_char,
    pub r#where: *const c_char,
    pub keep_from: u64,
    pub saved_job: *const c_char,
    pub saved_base: *const c_char,
    pub saved_at: bp_time,
    pub saved_entries: u64,
    pub saved_bytes: u64,
    pub saved_jobs: u32,
    pub reserved: u32,
    pub browse: *const c_char,
}

#[repr(C)]
pub struct bp_host_api {
    pub struct_size: u32,
    pub version: u32,
    pub features: u64,
    pub ctx: *mut bp_ctx,
    pub cancel: *const u32,
    pub heartbeat: *mut u64,
    pub message: Option<unsafe extern "C" fn(*mut bp_ctx, i32, *const c_char, u32) -> bp_status>,
    pub fail: Option<unsafe extern "C" fn(*mut bp_ctx, bp_status, i32, i64, *const c_char, u32) -> bp_status>,
    pub r#match: Option<unsafe extern "C" fn(*mut bp_ctx, *const c_char, u32, *const bp_entry, *mut u32) -> bp_status>,
    pub put_state: Option<unsafe extern "C" fn(*mut bp_ctx, *const c_void, u64, u32) -> bp_status>,
    pub secret: Option<unsafe extern "C" fn(*mut bp_ctx, *const c_char, *mut c_void, u32, *mut u32) -> bp_status>,
    pub defer: Option<unsafe extern "C" fn(*mut bp_ctx, u32) -> bp_status>,
    pub extension: Option<unsafe extern "C" fn(*mut bp_ctx, *const c_char, *mut *const c_void) -> bp_status>,
    pub expect: Option<unsafe extern "C" fn(*mut bp_ctx, u64, u64) -> bp_status>,
    pub watermark: Option<unsafe extern "C" fn(*mut bp_ctx, u64) -> bp_status>,
    pub hold: Option<unsafe extern "C" fn(*mut bp_ctx, *const c_void, u32) -> bp_status>,
}

#[repr(C)]
pub struct bp_agent_api {
    pub struct_size: u32,
    pub reserved: u32,
    pub create: Option<unsafe extern "C" fn(*const bp_host_api, *mut *mut bp_agent) -> bp_status>,
    pub option: Option<unsafe extern "C" fn(*mut bp_agent, *const c_char, *const c_char) -> bp_status>,
    pub ready: Option<unsafe extern "C" fn(*mut bp_agent) -> bp_status>,
    pub extension: Option<unsafe extern "C" fn(*mut bp_agent, *const c_char, *mut *const c_void) -> bp_status>,
    pub begin: Option<unsafe extern "C" fn(*mut bp_agent, *const bp_host_api, *const bp_begin, *mut *mut bp_job) -> bp_status>,
    pub next_entries: Option<unsafe extern "C" fn(*mut bp_job, *mut bp_batch) -> bp_status>,
    pub fetch: Option<unsafe extern "C" fn(*mut bp_job, *const bp_want, u32, *mut bp_batch) -> bp_status>,
    pub open_stream: Option<unsafe extern "C" fn(*mut bp_job, u64, u32, u64, *mut u64) -> bp_status>,
    pub read: Option<unsafe extern "C" fn(*mut bp_job, *mut c_void, u64, *mut bp_chunk) -> bp_status>,
    pub close_stream: Option<unsafe extern "C" fn(*mut bp_job, bp_status) -> bp_status>,
    pub restore_entry: Option<unsafe extern "C" fn(*mut bp_job, *const bp_entry, *const c_void, *const c_char, u32, *mut u32) -> bp_status>,
    pub restore_stream: Option<unsafe extern "C" fn(*mut bp_job, u32, u64) -> bp_status>,
    pub write: Option<unsafe extern "C" fn(*mut bp_job, *const c_void, *const bp_chunk) -> bp_status>,
    pub restore_done: Option<unsafe extern "C" fn(*mut bp_job, bp_status) -> bp_status>,
    pub commit: Option<unsafe extern "C" fn(*mut bp_job) -> bp_status>,
    pub cancel: Option<unsafe extern "C" fn(*mut bp_job) -> bp_status>,
    pub end: Option<unsafe extern "C" fn(*mut bp_job, u32) -> bp_status>,
    pub confirmed: Option<unsafe extern "C" fn(*mut bp_agent, *const c_char, *const c_void, u64, u32) -> bp_status>,
    pub destroy: Option<unsafe extern "C" fn(*mut bp_agent)>,
}

#[repr(C)]
pub struct bp_error {
    pub struct_size: u32,
    pub os_domain: i32,
    pub os_error: i64,
    pub text: *mut c_char,
    pub cap: u32,
    pub len: u32,
}

#[repr(C)]
pub struct bp_streams {
    pub struct_size: u32,
    pub most: u32,
    pub open: Option<unsafe extern "C" fn(*mut bp_job, u64, u32, *mut u64, *mut *mut bp_stream, *mut bp_error) -> bp_status>,
    pub read: Option<unsafe extern "C" fn(*mut bp_stream, *mut c_void, u64, *mut bp_chunk, *mut bp_error) -> bp_status>,
    pub close: Option<unsafe extern "C" fn(*mut bp_stream, bp_status, *mut bp_error) -> bp_status>,
}

#[repr(C)]
pub struct bp_phases {
    pub struct_size: u32,
    pub seconds: u32,
    pub prepare: Option<unsafe extern "C" fn(*mut bp_agent) -> bp_status>,
    pub release: Option<unsafe extern "C" fn(*mut bp_agent, u32, *const c_void, u32) -> bp_status>,
}

#[repr(C)]
pub struct bp_plan {
    pub struct_size: u32,
    pub reserved: u32,
    pub plan: Option<unsafe extern "C" fn(*mut bp_job) -> bp_status>,
}

#[repr(C)]
pub struct bp_option {
    pub key: *const c_char,
    pub help: *const c_char,
    pub choices: *const c_char,
    pub initial: *const c_char,
    pub r#type: u32,
    pub flags: u32,
}

#[repr(C)]
pub struct bp_descriptor {
    pub magic: [u8; 8],
    pub struct_size: u32,
    pub header: u32,
    pub min_version: u32,
    pub max_version: u32,
    pub features: u64,
    pub needs: u64,
    pub threads: u32,
    pub option_size: u32,
    pub format: u32,
    pub reserved: u32,
    pub id: *const c_char,
    pub version: *const c_char,
    pub vendor: *const c_char,
    pub license: *const c_char,
    pub aliases: *const *const c_char,
    pub claims: *const *const c_char,
    pub options: *const bp_option,
    pub n_options: u64,
    pub api: *const bp_agent_api,
}
// ---- to here ----

pub const fn bp_version(major: u32, minor: u32) -> u32 {
    major << 16 | minor
}
/// Bytes of a bp_entry of version 1.0, which no host's stride is below.
const RECORD_1_0: u32 = 208;
pub const fn bp_stream_bit(stream: u32) -> u64 {
    1 << stream
}

// ---- helpers --------------------------------------------------------------------------------------------------------

/// A string for C, in a constant.
#[macro_export]
macro_rules! cstr {
    ($text:expr) => {
        concat!($text, "\0").as_ptr() as *const std::os::raw::c_char
    };
}

/// Constants that hold pointers to constants: nobody writes to them.
pub struct Constant<T>(pub T);
unsafe impl<T> Sync for Constant<T> {}

/// `define!(DESCRIPTOR)`: the one exported symbol. Refuses hosts whose versions do not meet the descriptor's.
#[macro_export]
macro_rules! define {
    ($descriptor:expr) => {
        #[no_mangle]
        pub extern "C" fn bplugin_query_v1(host_min: u32, host_max: u32) -> *const $crate::bplugin::bp_descriptor {
            let d = &$descriptor.0;
            if d.max_version >= host_min && d.min_version <= host_max { d } else { std::ptr::null() }
        }
    };
}

/// What a call says when it is not all right; `?` hands it on.
pub type Done<T = ()> = Result<T, bp_status>;

/// The body of every call: Ok is BP_OK, Err the status, and a panic BP_E_FAIL instead of the process' end.
pub fn guard(body: impl FnOnce() -> Done) -> bp_status {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => BP_OK,
        Ok(Err(status)) => status,
        Err(_) => BP_E_FAIL,
    }
}

/// The instance or the Job behind a pointer that `hand_over` made.
pub unsafe fn instance<'a, T>(agent: *mut bp_agent) -> &'a mut T {
    &mut *(agent as *mut T)
}
pub unsafe fn job<'a, T>(job: *mut bp_job) -> &'a mut T {
    &mut *(job as *mut T)
}

/// Gives a value to the host as a pointer, until `take_back`.
pub fn hand_over<T, P>(value: T, out: *mut *mut P) {
    unsafe { *out = Box::into_raw(Box::new(value)) as *mut P }
}
pub unsafe fn take_back<T, P>(pointer: *mut P) -> Box<T> {
    Box::from_raw(pointer as *mut T)
}

/// Text of the host's: bytes up to its NUL.
pub unsafe fn bytes<'a>(text: *const c_char) -> &'a [u8] {
    std::ffi::CStr::from_ptr(text).to_bytes()
}

/// The host's callbacks. A table lives until `destroy`, a Job's until `end`.
#[derive(Clone, Copy)]
pub struct Host(pub *const bp_host_api);

impl Host {
    fn table(&self) -> &bp_host_api {
        unsafe { &*self.0 }
    }

    /// Stop now, return BP_E_CANCELLED. Costs one read; look at least every second.
    pub fn cancelled(&self) -> bool {
        unsafe { (*(self.table().cancel as *const AtomicU32)).load(Relaxed) != 0 }
    }

    /// "I am alive": in any loop that makes no callback.
    pub fn beat(&self) {
        let word = unsafe { &*(self.table().heartbeat as *const AtomicU64) };
        word.store(word.load(Relaxed).wrapping_add(1), Relaxed);
    }

    pub fn message(&self, severity: i32, text: &str) {
        if let Some(call) = self.table().message {
            unsafe { call(self.table().ctx, severity, text.as_ptr() as *const c_char, text.len() as u32) };
        }
    }

    /// Says why `status` is about to be returned, and returns it: `return Err(host.fail(BP_E_IO, "..."))`.
    pub fn fail(&self, status: bp_status, text: &str) -> bp_status {
        if let Some(call) = self.table().fail {
            let table = self.table();
            unsafe { call(table.ctx, status, BP_OS_NONE, 0, text.as_ptr() as *const c_char, text.len() as u32) };
        }
        status
    }

    /// The same with what the system said; the host adds its text.
    pub fn fail_io(&self, status: bp_status, error: &std::io::Error, text: &str) -> bp_status {
        let number = error.raw_os_error().unwrap_or(0) as i64;
        if let Some(call) = self.table().fail {
            let table = self.table();
            unsafe { call(table.ctx, status, BP_OS_ERRNO, number, text.as_ptr() as *const c_char, text.len() as u32) };
        }
        status
    }

    /// May this directory be saved and entered? One of BP_VERDICT_TAKE to BP_VERDICT_PRUNE.
    pub fn matches(&self, path: &[u8], entry: &bp_entry) -> Done<u32> {
        let mut verdict = BP_VERDICT_NONE;
        let call = self.table().r#match.ok_or(BP_E_UNSUPPORTED)?;
        answer(unsafe { call(self.table().ctx, path.as_ptr() as *const c_char, path.len() as u32, entry, &mut verdict) })?;
        if verdict == BP_VERDICT_NONE { Err(BP_E_HOST) } else { Ok(verdict) }
    }

    /// In a backup, until END: found again when this Job is the base of another.
    pub fn put_state(&self, state: &[u8], format: u32) -> Done {
        let call = self.table().put_state.ok_or(BP_E_UNSUPPORTED)?;
        answer(unsafe { call(self.table().ctx, state.as_ptr() as *const c_void, state.len() as u64, format) })
    }

    /// No sign of life for up to so many seconds.
    pub fn defer(&self, seconds: u32) -> Done {
        let call = self.table().defer.ok_or(BP_E_UNSUPPORTED)?;
        answer(unsafe { call(self.table().ctx, seconds) })
    }
}

fn answer(status: bp_status) -> Done {
    match status {
        BP_OK => Ok(()),
        error if error < 0 => Err(error),
        _ => Err(BP_E_HOST), // a host has no positive status
    }
}

/// A page being filled: records from its start, names and data from its end. Complete after each call.
pub struct Page<'a> {
    batch: &'a mut bp_batch,
    heap: u64,
}

impl<'a> Page<'a> {
    pub unsafe fn new(batch: *mut bp_batch) -> Done<Page<'a>> {
        let batch = &mut *batch;
        if batch.buf.is_null() || batch.stride % 8 != 0 || batch.stride < RECORD_1_0 {
            return Err(BP_E_INVAL);
        }
        let heap = batch.cap.min(u32::MAX as u64 - 7); // offsets have 32 bits
        batch.count = 0;
        batch.heap_low = heap;
        batch.flags = 0;
        Ok(Page { batch, heap })
    }

    /// Adds an entry with its name and, for a link, where it leads (else b""). False: the page is full, keep the entry
    /// for the next one. Err: it never fits, or a name holds a NUL.
    pub fn add(&mut self, entry: &bp_entry, name: &[u8], link: &[u8]) -> Done<bool> {
        if name.contains(&0) || link.contains(&0) {
            return Err(BP_E_INVAL);
        }
        let records = (self.batch.count as u64 + 1) * self.batch.stride as u64;
        let need = (name.len() + link.len()) as u64;
        if self.batch.count >= self.batch.max_entries || self.heap < records + need {
            return if self.batch.count > 0 { Ok(false) } else { Err(BP_E_TOO_BIG) };
        }
        let mut record = *entry;
        record.name_len = name.len() as u32;
        record.name_off = self.put(name);
        record.link_len = link.len() as u32;
        record.link_off = self.put(link);
        unsafe {
            let at = (self.batch.buf as *mut u8).add((records - self.batch.stride as u64) as usize);
            let bytes = size_of::<bp_entry>().min(self.batch.stride as usize);
            ptr::copy_nonoverlapping(&record as *const bp_entry as *const u8, at, bytes);
        }
        self.batch.count += 1;
        Ok(true)
    }

    fn put(&mut self, data: &[u8]) -> u32 {
        if data.is_empty() {
            return 0;
        }
        self.heap -= data.len() as u64;
        self.batch.heap_low = self.heap;
        unsafe { ptr::copy_nonoverlapping(data.as_ptr(), (self.batch.buf as *mut u8).add(self.heap as usize), data.len()) };
        self.heap as u32
    }

    pub fn count(&self) -> u32 {
        self.batch.count
    }

    /// `return page.end(complete)` from next_entries after the last entry of all. complete: every name there is was
    /// listed since `begin`, new or not; what only the base has is then deleted. After a list of news: false.
    pub fn end(self, complete: bool) -> Done {
        self.batch.flags = if complete { BP_BATCH_COMPLETE } else { 0 };
        Err(BP_END) // no error: a status other than BP_OK
    }
}

/// One answer of `read`: `last` ends the stream at offset + len.
pub unsafe fn set_chunk(chunk: *mut bp_chunk, offset: u64, len: u64, last: bool) -> Done {
    *chunk = bp_chunk { offset, len, flags: if last { BP_CHUNK_LAST } else { 0 }, reserved: 0 };
    Ok(())
}
