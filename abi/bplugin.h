/* SPDX-License-Identifier: MIT */
/*
 * bplugin.h, version 1.1: the contract between `filed`, the host, and an agent.
 *
 * An agent is a library, `<id>.so` or `<id>.dll`, that knows one kind of thing to back up: a file system, a database, a
 * mail store. The host loads it into the process of one Job, asks it for entries page by page, stores them, and hands
 * them back in a restore. Matching filesets, digests, compression, encryption, the network and the Volume are the
 * host's; what exists, what changed and how to read and put it back are the agent's.
 *
 * This header is all there is: nothing to link, one symbol to export. bplugin_sdk.h has helpers, none of them needed.
 *
 *
 * THE ORDER OF CALLS
 *
 *   bplugin_query_v1                     may be asked at any time, also by `filed agent info`: no effects
 *   create  extension*  option*  ready   one instance for an agent's File lines, one for each Plugin line
 *   confirmed?                           an earlier Job turned out to count
 *   begin(BACKUP)                        also ESTIMATE and VERIFY, with the differences told at bp_begin.kind
 *     ( next_entries                     a page: what exists. After its last entry was read, put_state, then END
 *       fetch*                           small files, ACLs, attributes of those wanted, as pages
 *       ( open_stream read* close_stream )* )*      the rest, one stream at a time
 *   commit?                              the Storage side has everything
 *   end                                  always, once for each begin that returned BP_OK
 *   begin(RESTORE)
 *     ( restore_entry ( restore_stream write* )* restore_done )*
 *   commit?  end
 *   destroy
 *
 * A call out of this order is answered BP_E_SEQUENCE, by either side. A call that ends the Job (an error of the Job, a
 * cancel) is followed by close_stream, if a stream is open, and `end`: neither restore_done nor commit. A process that
 * dies makes no further calls: do not keep in memory what has to outlive it.
 *
 *
 * RULES FOR EVERYTHING BELOW
 *
 * Threads     [job]  the one thread that drives the agent. No two [job] calls of an instance ever overlap.
 *             [any]  any thread, also beside a [job] call.
 *             The host never calls an agent from inside a callback. An agent may start threads from `ready` on; they
 *             use [any] callbacks only, sparingly (a callback from a foreign thread costs 8 us), and are gone when
 *             `end`, or for those of an instance `destroy`, returns. The words cancel and heartbeat are memory and
 *             cost nothing.
 * Memory      Who allocates frees; neither side ever frees the other's. A pointer given to a call is valid until that
 *             call returns, unless its comment says longer. Copy what you keep.
 * Text        Host to agent: bytes ended by NUL. Agent to host: bytes with a length, no NUL needed. For people: UTF-8.
 * Names       Bytes, as the system has them: raw on POSIX, on Windows UTF-8 (a lone surrogate encoded the same way).
 *             They begin with `/` or, on Windows, `X:/`; relative ones are for agents that take no File lines. Parts
 *             are separated by one `/`; none is empty, `.` or `..`; no `/` at the end, except that `/` itself is a
 *             name. No NUL. A newline or a control is allowed.
 * Times       Seconds and nanoseconds (below 1 000 000 000) since 1970 UTC, seconds possibly negative.
 * Numbers     Never reused. Writers set `reserved` and undefined bits to 0. Of what the agent writes the host refuses
 *             unknown numbers and bits, except where "ignored" is said; readers ignore `reserved`.
 * Sizes       Each struct that may grow begins with struct_size, or travels with a stride: its writer's size. What
 *             lies beyond it does not exist; check before reading a field or calling a slot newer than 1.0. A struct
 *             that comes without a size (the bp_entry of `match` and `restore_entry`, the bp_want of `fetch`) has no
 *             field that is newer than host->version.
 * Layout      Pointers have 64 bits; other targets are refused at compile time. Flat structs have no pointers.
 * Absence     A NULL slot means "not supported". It is never called to find out.
 * Checks      The host checks all that an agent writes as if it came from the network. What breaks a rule here is
 *             BP_E_VIOLATION: the Job fails, and its message names agent, call, entry and rule. What an agent says and
 *             what it then does are compared as well: less content than announced, a regular file without DATA, a name
 *             listed twice in a Job or as a file and a folder, one that is not below its claims or lines, an inode of
 *             files that differ, a Full that lists nothing, COMPLETE after a list of news alone, `fail` before a
 *             success, a restore in which it skips everything under BP_REPLACE_ALWAYS, or after which files that it
 *             says it restored to `dest` are not there, with their length and time. Each is a warning of the Job; what
 *             came is stored.
 * Manners     The process belongs to the host. Do not exit or abort, fork without exec, change working directory,
 *             umask, locale, user or signal handlers, touch descriptors 0 to 2 or any you did not open, or let a C++
 *             exception or longjmp cross the border. Open with O_CLOEXEC. A library, once loaded, is never unloaded.
 * Children    A program that an agent starts inherits what exec does not reset. SIGINT, SIGPIPE and SIGXFSZ are
 *             ignored: set them to SIG_DFL between fork and exec, or a pipeline never ends. It runs as the user that
 *             the agent runs as (`User` in the conf), gains no rights by set-uid or file capabilities (unless the conf
 *             has New Privileges), writes no core file, opens at most 4096 descriptors, and is in the Job's process
 *             group, which is killed with the Job. Wait for it before `end` returns.
 *
 *
 * VERSIONS
 *
 * A minor version appends: slots, fields at the end, numbers. A major version would be another symbol. Host and agent
 * both state a range of versions they speak; the highest common one is used, and each side then behaves as that version
 * says. Define BP_TARGET_VERSION, as BP_VERSION(1, 0), before the include to compile against an older contract than the
 * header's own: what came later is then invisible, and the agent runs on hosts of that age.
 *
 * An agent that is compiled against a newer contract and says min_version 1.0 runs on hosts of 1.0, too, if it looks
 * before it uses what is newer: a field by struct_size, a slot by struct_size and NULL (the SDK's functions do), a flag
 * or number by host->version. What is new since 1.0 says so where it stands, with what to do on an older host.
 */
#ifndef BPLUGIN_H
#define BPLUGIN_H
#include <stdint.h>

#if UINTPTR_MAX != UINT64_MAX
# error "bplugin.h: its layouts are for 64-bit pointers"
#endif

/* Fits #if and has type unsigned: major << 16 | minor. */
#define BP_VERSION(major, minor) ((major) * 65536u + (minor))
#define BP_HEADER_VERSION BP_VERSION(1, 1)

#ifndef BP_TARGET_VERSION
# define BP_TARGET_VERSION BP_HEADER_VERSION
#endif
#if BP_TARGET_VERSION < BP_VERSION(1, 0) || BP_TARGET_VERSION > BP_HEADER_VERSION
# error "BP_TARGET_VERSION: this header knows 1.0 to BP_HEADER_VERSION"
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* bp_descriptor.magic, its NUL included. */
#define BP_MAGIC "BPLUGIN"

/* Every function of the contract has this calling convention; everything but bplugin_query_v1 should be hidden. */
#if defined(_WIN32) || defined(__CYGWIN__)
# define BPLUGIN_CALL __cdecl
# define BPLUGIN_EXPORT __declspec(dllexport)
#else
# define BPLUGIN_CALL
# define BPLUGIN_EXPORT __attribute__((visibility("default")))
#endif
#define BP_FN(ret, name) ret (BPLUGIN_CALL *name)

/* ==== status ========================================================================================================
 *
 * What every call returns. Other positive values are violations. Unknown negative values down to -999, and an agent's
 * own below -1000, count as BP_E_FAIL. Say why with the callback `fail` before returning one.
 */
typedef int32_t bp_status;

#define BP_OK              0
#define BP_END             1    /* next_entries: that was all */

/* About one entry or stream: counted, told as a warning, the Job goes on. For data that is worth nothing in part (a
 * dump) return BP_E_FAIL instead: bytes already sent cannot be called back. */
#define BP_E_ENTRY        (-1)  /* any other reason */
#define BP_E_NOTFOUND     (-2)  /* it is gone */
#define BP_E_ACCESS       (-3)  /* not permitted */
#define BP_E_CHANGED      (-4)  /* close_stream: it changed while it was read; the data is kept, and counted as above */
#define BP_E_IO           (-5)  /* a read or write error */

/* About the Job: it is cancelled and ended with BP_OUTCOME_FAILED. */
#define BP_E_FAIL        (-20)
#define BP_E_NOMEM       (-21)
#define BP_E_NOSPACE     (-22)
#define BP_E_CORRUPT     (-23)  /* to restore_done: the stored digest does not match what was written */
#define BP_E_CANCELLED   (-24)  /* the cancel word was seen; ends the Job as cancelled (nobody cancelled: BP_E_FAIL) */

/* About the call; the Job fails unless the call's comment says otherwise. */
#define BP_E_BASE        (-40)  /* begin, next_entries: cannot continue from the base given */
#define BP_E_BUSY        (-41)  /* begin: the service takes one backup at a time */
#define BP_E_VERSION     (-42)  /* create: not with this host; final */
#define BP_E_UNSUPPORTED (-43)
#define BP_E_INVAL       (-44)  /* an argument is wrong: an option's key or value, a NULL */
#define BP_E_SEQUENCE    (-45)  /* not now: the order of calls forbids it */
#define BP_E_TOO_BIG     (-46)  /* it does not fit and never will */

/* The host's. An agent that gets BP_E_HOST from a callback cleans up and returns it. */
#define BP_E_HOST        (-60)  /* a callback failed; the host knows why */
#define BP_E_VIOLATION   (-61)  /* the contract was broken; an agent never returns it */

/* ==== numbers =================================================================================================== */

/* bp_begin.kind */
#define BP_KIND_BACKUP   1
#define BP_KIND_RESTORE  2
#define BP_KIND_ESTIMATE 3      /* next_entries only, from the base's state; puts none, no snapshot, no command started;
                                   cheap, or refuse it (BP_E_UNSUPPORTED) */
#define BP_KIND_VERIFY   4      /* as a backup, but the host compares: no base, no state, no commit */

/* bp_begin.level */
#define BP_LEVEL_NONE         0 /* a restore */
#define BP_LEVEL_FULL         1
#define BP_LEVEL_DIFFERENTIAL 2 /* since the last Full */
#define BP_LEVEL_INCREMENTAL  3 /* since the last backup of any level */

/* bp_begin.state_why: how `state` came about. All but FOUND come with an empty state: a Differential or Incremental
 * then has no base of the agent's own, and all is to be sent (a superset restores correctly, a hole does not). */
#define BP_STATE_NONE            0   /* a Full: no base is wanted */
#define BP_STATE_FOUND           1   /* `state` is what this instance sealed in `base_job` */
#define BP_STATE_FIRST           2   /* this instance never sealed one */
#define BP_STATE_LOST            3   /* it did, but not in `base_job`: the catalog was lost, the machine re-installed */
#define BP_STATE_RESTORED        4   /* a restore ran since: what is there is no longer what was saved */
#define BP_STATE_FILESET_CHANGED 5   /* the base was taken with another fileset */
#define BP_STATE_UNNAMED         6   /* the Director named no base job */
#define BP_STATE_GAP             7   /* begun again, after BP_E_BASE */

/* bp_begin.flags */
#define BP_BEGIN_ACCURATE  1u   /* the host has the base's list: deletions are found by comparing */
#if BP_TARGET_VERSION >= BP_VERSION(1, 1)
#define BP_BEGIN_PART         2u /* restore: only some of the entries were chosen; without it all, or it is not known */
#define BP_BEGIN_OLDEST_FIRST 4u /* restore: the order told at restore_entry is certain. A Director may give another */
#define BP_BEGIN_DRY_RUN      8u /* restore: only to be planned, see bp_plan: change nothing, `end` follows */
#endif

/* end: outcome */
#define BP_OUTCOME_DONE      0  /* stored and sealed; not yet "the Director has it", that is `confirmed` */
#define BP_OUTCOME_FAILED    1
#define BP_OUTCOME_CANCELLED 2

/* match: *verdict, about a directory */
#define BP_VERDICT_NONE    0    /* no answer: the host has failed. Return BP_E_HOST, whatever the status said */
#define BP_VERDICT_TAKE    1    /* save it and go in */
#define BP_VERDICT_SKIP    2    /* neither save it nor go in */
#define BP_VERDICT_DESCEND 3    /* go in, but do not save it */
#define BP_VERDICT_PRUNE   4    /* save it, but do not go in: another file system, recurse = no */

/* message: severity. There is no "fatal": return an error. */
#define BP_MSG_DEBUG   1
#define BP_MSG_INFO    2
#define BP_MSG_WARNING 3        /* the Job ends "with warnings" */
#define BP_MSG_ERROR   4        /* and counts as an error in its report */

/* fail: os_domain, what os_error is a number of */
#define BP_OS_NONE    0
#define BP_OS_ERRNO   1
#define BP_OS_WIN32   2         /* GetLastError */
#define BP_OS_HRESULT 3
#define BP_OS_AGENT   4         /* the service's own */

/* bp_entry.type */
#define BP_TYPE_REGULAR   1
#define BP_TYPE_DIRECTORY 2
#define BP_TYPE_SYMLINK   3     /* link: where it leads, any bytes but NUL; at least one */
#define BP_TYPE_HARDLINK  4     /* restore only: link is the final path of the first name */
#define BP_TYPE_FIFO      5     /* has data only where an option says so: BP_OPT_READFIFO */
#define BP_TYPE_CHARDEV   6
#define BP_TYPE_BLOCKDEV  7     /* has data only when named by a File line itself */
#define BP_TYPE_OBJECT    8     /* a restore object: bytes without a file, in stream OBJECT */

/* bp_entry.change, for agents that know their changes from a journal. What is gone is gone with all that the base has
 * below it, but for names that this Job lists as well; so a directory needs one entry. What a renamed directory brought
 * along is at new names, and those are listed one by one: a move changes none of the times that the host compares, so
 * flag them SELECTED. A host without the base's list (no BP_BEGIN_ACCURATE) cannot mark anything as deleted. */
#define BP_CHANGE_NONE    0
#define BP_CHANGE_DELETED 1     /* the base has it, it is gone: no data; only the name and this count */
#define BP_CHANGE_RENAMED 2     /* old_name is gone and this is it; the data must be readable, it may be asked for */

/* bp_entry.flags */
#define BP_ENTRY_SELECTED 1u    /* the agent's own sequence chose it: it is not compared with the base. If it cannot be
                                   saved, the Job seals no newer state than the base's: see put_state. So flag what a
                                   state accounts for in a Full, too */
#define BP_ENTRY_REREAD   2u    /* may be opened again, and at any offset */
#define BP_ENTRY_FAILED   4u    /* could not be read, the message is out: counted; it and all below it still exist */
#define BP_ENTRY_TOP      8u    /* named by a File line itself */

/* bp_entry.valid: which fields are set; one without its bit is ignored. type, change, flags, streams always count. */
#define BP_HAS_MODE   (1ull << 0)
#define BP_HAS_OWNER  (1ull << 1)    /* uid and gid */
#define BP_HAS_SIZE   (1ull << 2)
#define BP_HAS_BLOCKS (1ull << 3)    /* blocks and blksize */
#define BP_HAS_INO    (1ull << 4)    /* ino and dev */
#define BP_HAS_NLINK  (1ull << 5)
#define BP_HAS_RDEV   (1ull << 6)
#define BP_HAS_ATIME  (1ull << 7)
#define BP_HAS_MTIME  (1ull << 8)
#define BP_HAS_CHTIME (1ull << 9)    /* of the last change of attributes: ctime on POSIX */
#define BP_HAS_BTIME  (1ull << 10)   /* of birth */
#define BP_HAS_ATTRS  (1ull << 11)
#define BP_HAS_FSTYPE (1ull << 12)

/* bp_entry.attrs */
#define BP_ATTR_NODUMP 1u       /* the user asked that it be left out of dumps; the fileset decides */

/* Streams of an entry: numbers below 64; in a mask the bit BP_STREAM_BIT(number). Their bytes on a Volume and back:
 *   DATA         the content
 *   ACL_ACCESS   the access list, libacl's long text form without a NUL; ACL_DEFAULT a directory's default one
 *   XATTR        one extended attribute: u32 length of the name, name, value. One stream each, and only as a TLV
 *   OBJECT       the bytes of a restore object; at most BP_MAX_STATE
 * 5 to 11 are kept for Windows: security descriptor, alternate data stream, reparse point, object id, EFS, sparse map,
 * short name. */
#define BP_STREAM_DATA        0
#define BP_STREAM_ACL_ACCESS  1
#define BP_STREAM_ACL_DEFAULT 2
#define BP_STREAM_XATTR       3
#define BP_STREAM_OBJECT      4
#define BP_STREAM_BIT(n) (1ull << (n))

/* bp_want.options: of the fileset's options, those about reading */
#define BP_OPT_NOATIME       (1ull << 0)   /* leave the access time alone while reading (O_NOATIME) */
#define BP_OPT_KEEPATIME     (1ull << 1)   /* set it back after reading */
#define BP_OPT_READFIFO      (1ull << 2)   /* read a FIFO's data instead of saving the node */
#define BP_OPT_CHECK_CHANGES (1ull << 3)   /* look again when done: BP_E_CHANGED from close_stream */
#define BP_OPT_SPARSE        (1ull << 4)   /* holes are of use: report them where it is cheap */

/* bp_batch.flags */
#define BP_BATCH_COMPLETE 1u    /* with BP_END: every name that this instance has below its claims or lines was
                                   listed, new or not (or lies below a FAILED entry), so what only the base has there is
                                   deleted. Never after a list of news alone. Without it, only DELETED and RENAMED
                                   entries delete. When in doubt, leave it out */
#if BP_TARGET_VERSION >= BP_VERSION(1, 1)
#define BP_BATCH_GAP      2u    /* with BP_END, never with COMPLETE: what was listed is good, and something may have been
                                   missed since `begin`: a journal that overflowed, a log that was recycled. The Job is
                                   good and warned; no state of this instance is sealed, whatever was put, so the next
                                   Job lists all. Before anything was sent BP_E_BASE is better. On a host of 1.0: put no
                                   state */
#endif
/* bp_chunk.flags */
#define BP_CHUNK_LAST     1u    /* the stream ends at offset + len */

#define BP_SIZE_UNKNOWN   UINT64_MAX       /* open_stream, restore_stream: *size, size */

/* restore_entry: replace, for a file that exists */
#define BP_REPLACE_ALWAYS  1
#define BP_REPLACE_IFNEWER 2    /* when the entry is newer than the file */
#define BP_REPLACE_IFOLDER 3    /* when the entry is older than the file */
#define BP_REPLACE_NEVER   4

/* restore_entry: *action */
#define BP_ACTION_NONE    0     /* no answer: a violation when the status is BP_OK */
#define BP_ACTION_SKIP    1     /* left alone (replace); no streams, no restore_done */
#define BP_ACTION_CREATED 2     /* made, without DATA; other streams and restore_done follow. For what has no content:
                                   what is stored and not taken is an error of this entry, counted */
#define BP_ACTION_WANT    3     /* made; send DATA and the rest, then restore_done */
#define BP_ACTION_HOST    4     /* plain file, never a restore object: the agent `filesystem` restores it to dest, with
                                   its parents, under the same `replace`; nothing follows here. What goes wrong there is
                                   an error of this file in the Job's report; this agent does not learn of it */

/* bp_descriptor.features: an unknown bit is ignored */
#define BP_FEATURE_PLAIN_FILES (1ull << 0) /* its entries are files of this machine. They are stored without a word of
                                              this agent (no id, no options, no `format`), and the agent `filesystem`
                                              restores them: restore_entry of any other is never called for them. All
                                              names begin with `/` */
#define BP_FEATURE_VERBATIM    (1ull << 1) /* its Plugin line is not parsed into options: it comes whole, in fileset */
#if BP_TARGET_VERSION >= BP_VERSION(1, 1)
#define BP_FEATURE_BROWSE      (1ull << 2) /* it can list one directory alone: see bp_begin.browse */
#endif
/* bp_host_api.features, bp_descriptor.needs: none are defined in 1.0; an unknown bit in needs refuses the agent */

/* bp_option.type, of its value as text */
#define BP_OPTION_STRING   1
#define BP_OPTION_BOOL     2    /* handed over as "yes" or "no" */
#define BP_OPTION_INT      3    /* decimal, possibly negative */
#define BP_OPTION_SIZE     4    /* bytes, decimal: the host has multiplied the unit out */
#define BP_OPTION_DURATION 5    /* seconds, decimal; likewise */
#define BP_OPTION_PATH     6    /* absolute */
#define BP_OPTION_ENUM     7    /* one of `choices` */
/* bp_option.flags */
#define BP_OPTION_REQUIRED      1u
#define BP_OPTION_SECRET        2u  /* masked everywhere; the agent asks `secret` for it by its key when it needs it */
#define BP_OPTION_REPEATS       4u  /* may be given more than once; option() is called for each, in order */
#define BP_OPTION_FROM_DIRECTOR 8u  /* may come from a Director's Plugin line. Others only from this machine's conf */
#if BP_TARGET_VERSION >= BP_VERSION(1, 1)
#define BP_OPTION_AT_RESTORE   16u  /* may be chosen for one restore (`filed restore --option`): comes by option() like all
                                       others, and replaces what the conf has. On a host of 1.0: in the conf alone */
#endif

/* Limits */
#define BP_MIN_PAGE  1048576u   /* bytes a host's page has at least */
#define BP_MIN_READ  65536u     /* bytes a buffer for `read` has at least */
#define BP_MAX_STATE 524288u    /* bytes of a state or a restore object */
#if BP_TARGET_VERSION >= BP_VERSION(1, 1)
#define BP_MAX_LARGE_STATE 16777216u /* bytes of a state that is small when it is compressed: see put_state */
#define BP_MAX_HOLD  4096u      /* bytes of a token of `hold` */
#endif

/* ==== types ===================================================================================================== */

typedef struct bp_agent bp_agent;   /* an instance: the agent's memory, from create to destroy */
typedef struct bp_job   bp_job;     /* a Job in it: the agent's memory, from begin to end */
typedef struct bp_ctx   bp_ctx;     /* the host's, given back to it untouched */

typedef struct bp_time {
  int64_t  sec;
  uint32_t nsec, reserved;
} bp_time;

/*
 * One thing that exists. Flat: no pointers, each 64-bit field on a multiple of 8, the same bytes on every platform.
 * Offsets count from the start of the page (bp_batch.buf), in a restore from `base`; a part with length 0 is not there.
 */
typedef struct bp_entry {
  uint32_t name_off, name_len;
  uint32_t link_off, link_len;          /* types SYMLINK and HARDLINK */
  uint32_t old_name_off, old_name_len;  /* change RENAMED */
  uint32_t inline_off, inline_len;      /* the whole DATA; inline_off 0: none (an empty file: off != 0, len 0) */
  uint32_t tlv_off, tlv_len;            /* small streams, see below; tlv_off is a multiple of 8 */
  uint64_t cookie;                      /* the agent's key: comes back in bp_want and open_stream. Unique in its page */
  uint64_t streams;                     /* mask of what it has. Given inline or as a TLV already: not opened again. In a
                                           restore, of a directory: what was saved of it if it had any; 0: not known */
  uint64_t valid;                       /* mask of BP_HAS_* */
  uint64_t size;                        /* of DATA, as far as known now; what `read` ends at decides. Less than this
                                           or than open_stream announced is a warning, unless close_stream says
                                           BP_E_CHANGED; so is more than this inline */
  uint64_t blocks;                      /* of 512 bytes, allocated */
  uint64_t ino, dev;                    /* with nlink: the host finds hard links by them. dev: which file system. ino 0
                                           is no inode. Names of one inode that differ in type, size or mtime are
                                           stored as files of their own, with a warning */
  uint64_t rdev;                        /* CHARDEV, BLOCKDEV: st_rdev */
  bp_time  atime, mtime, chtime, btime;
  uint32_t type, change, flags;
  uint32_t mode;                        /* permission, set-id and sticky bits, 07777; others are ignored */
  uint32_t nlink, uid, gid;
  uint32_t attrs;                       /* mask of BP_ATTR_*; unknown bits are ignored */
  uint32_t blksize;
  uint32_t fs_type;                     /* directories: Linux f_type of statfs(2); else without its bit */
} bp_entry;
/*
 * Small streams: TLVs, one after another, tlv_len bytes in all. Each: u32 stream, u32 length, that many bytes, zeros up
 * to a multiple of 8. Native byte order; order is kept.
 */

/* What the host wants of a listed entry. Flat. */
typedef struct bp_want {
  uint64_t cookie;
  uint64_t streams;                     /* never more than the entry offered */
  uint64_t options;                     /* mask of BP_OPT_*; unknown bits are ignored */
} bp_want;

/*
 * A page: host memory that the agent fills during one call. Records grow upwards from buf, `stride` bytes apart; their
 * names and data (the heap) grow downwards from buf + cap, down to heap_low:
 *
 *   buf [ entry 0 | entry 1 | ... count * stride      free      heap_low ... names, links, data ... cap ]
 *
 * The record area comes zeroed. Write min(stride, sizeof(bp_entry)) bytes of each record. All offsets an entry holds
 * lie in [heap_low, cap], and their ends too; entries may share heap bytes.
 */
typedef struct bp_batch {
  uint32_t struct_size, stride;         /* in: stride a multiple of 8, at least the size of a 1.0 bp_entry */
  void    *buf;                         /* in: aligned to 8, this call only */
  uint64_t cap;                         /* in: at least BP_MIN_PAGE, below 4 GiB */
  uint32_t max_entries;                 /* in: at least 1 */
  uint32_t count;                       /* out */
  uint64_t heap_low;                    /* out: lowest heap byte used; cap when none is */
  uint32_t flags, reserved;             /* out: BP_BATCH_* */
} bp_batch;

/* Part of a stream: `len` bytes that stand at `offset` in it. */
typedef struct bp_chunk {
  uint64_t offset, len;
  uint32_t flags, reserved;             /* BP_CHUNK_* */
} bp_chunk;

/* Why a Job runs; filled by the host, const for the agent, valid until `begin` returns with all it points to. */
typedef struct bp_begin {
  uint32_t struct_size, kind;
  uint32_t level, state_why;
  uint32_t flags;                       /* BP_BEGIN_* */
  uint32_t state_format;                /* the number that went with the state */
  bp_time  since;                       /* when the base began, on this machine's clock; seconds 0: none. To compare
                                           file times with, never an identity: that is base_job */
  const char *job, *base_job;           /* unique names; base_job "" when there is none or it is not known */
  const void *state; uint64_t state_len;/* by put_state in base_job, if state_why is FOUND; else NULL, 0 */
  const char *fileset;                  /* see below */
  const char *where;                    /* restore: the directory everything goes to, "" for where it came from. Already
                                           in every `dest`; an agent may trust it and what leads to it */
#if BP_TARGET_VERSION >= BP_VERSION(1, 1)

  /* Since 1.1. Of a backup: */
  uint64_t keep_from;                   /* the lowest `watermark` of all states of this instance that a Job may still
                                           name as its base: what lies below is needed by none. 0: not known, keep all */
  /* Of a restore: texts "", numbers 0 where it is not known */
  const char *saved_job, *saved_base;   /* unique names: the Job whose moment is restored, and the base it was taken on */
  bp_time  saved_at;                    /* when it began */
  uint64_t saved_entries, saved_bytes;  /* how much is to come, of all agents and Jobs */
  uint32_t saved_jobs;                  /* of how many Jobs it comes: a Full and what was saved since */
  uint32_t reserved;

  /* Of an ESTIMATE, for an agent with BP_FEATURE_BROWSE: list only what lies directly in this directory, for a person who
   * chooses what to save; "": the topmost names. Nothing deeper, and no COMPLETE. NULL: list all. */
  const char *browse;
#endif
} bp_begin;
/*
 * fileset: NUL-terminated text, this instance's part of the FileSet; in a restore "", but for an agent with
 * BP_FEATURE_VERBATIM, which gets the Plugin line that its entries were saved by. Lines in the letters of Bacula's
 * wire, each `<letters> <item>` ending in '\n'; letters alone when there is no item. Within an item, a backslash is
 * written as two, a newline as backslash and n. An agent acts on
 *   I         an Include block begins
 *   Z <name>  a directory that has an entry of this name is not saved at all, nor what is in it
 *   F <path>  save this, and what is below it. Several lines may overlap
 *   P <text>  the Plugin line itself, to an agent with BP_FEATURE_VERBATIM
 *   N         the end of a list
 * and skips all other lines: patterns and options (O, W, WD, WF, R, RD, RF, X..) and the Exclude block (E), with the F
 * lines in it, are the host's, who filters pages and answers `match` by them.
 */

/* ==== the host's side ===============================================================================================
 *
 * Filled by the host, const for the agent. `create` gets a table of the instance, valid until `destroy` has returned;
 * `begin` gets one of the Job, valid until `end` has returned. match and put_state belong to a Job: BP_E_SEQUENCE in
 * the instance's table. Preset every out-parameter to a value that is no answer: a callback that fails leaves it alone.
 */
typedef struct bp_host_api {
  uint32_t struct_size;
  uint32_t version;                     /* the one agreed on; behave as it says */
  uint64_t features;
  bp_ctx  *ctx;                         /* first argument of every callback */

  /* [any] Non-zero: stop and return BP_E_CANCELLED. Poll it at least every second. Never NULL. Read it with one aligned
   * relaxed load of 32 bits (bp_cancelled of the SDK): another process sets it while the agent runs. */
  const volatile uint32_t *cancel;

  /* [any] Add 1 in any loop that makes no callback: an agent that shows no life for the configured time (10 minutes) is
   * cancelled, and 30 seconds later killed. Callbacks and returns show life too. Never NULL. Use one aligned relaxed
   * load and one such store, of 64 bits (bp_beat of the SDK): where two threads beat at once, one beat counts. */
  volatile uint64_t *heartbeat;

  /* [any] Text for the Job's report, or the log outside a Job. Copied. No format strings: the SDK formats. */
  BP_FN(bp_status, message)(bp_ctx *, int32_t severity, const char *utf8, uint32_t len);

  /* [any] Detail of the error that is about to be returned; the last one before the return counts.
   * Followed by BP_OK or BP_END, it is a warning of the Job. errno is not read by the host: hand it
   * over here. Copied. */
  BP_FN(bp_status, fail)(bp_ctx *, bp_status, int32_t os_domain, int64_t os_error,
                         const char *utf8, uint32_t len);

  /* [job] May this directory be saved, and entered? Ask once for each directory before going in, with at least type,
   * dev and fs_type in the entry and flag TOP where it applies (offsets are ignored). Files need no asking: list them,
   * the host filters pages. *verdict: preset to BP_VERDICT_NONE. */
  BP_FN(bp_status, match)(bp_ctx *, const char *path, uint32_t len, const bp_entry *,
                          uint32_t *verdict);

  /* [job] In a backup, until END: the state to find again when this Job is the base of another. Replaces the one
   * before; copied; at most BP_MAX_STATE bytes, else BP_E_TOO_BIG. Since 1.1 more, up to BP_MAX_LARGE_STATE, where it
   * fits compressed into a restore object: about 1 MB; else BP_E_TOO_BIG. Nothing is kept unless the Job ends well. format:
   * the agent's own version number of it. BP_E_SEQUENCE in other kinds of Job and after END.
   * A state says that everything up to it is saved; so it is put when that is known: in the call of next_entries that
   * returns BP_END with an empty page, after the entries of the pages before were read. It leaves out what failed. As a
   * safeguard, when an entry flagged SELECTED could not be saved, the host seals the base's state once more (none,
   * without a base) and warns: the next Job lists all since then again. */
  BP_FN(bp_status, put_state)(bp_ctx *, const void *, uint64_t len, uint32_t format);

  /* [job] Copies the secret of this name (an option's key) into buf and its length to *len. BP_E_TOO_BIG: *len is what
   * it takes. BP_E_NOTFOUND. Ask when it is needed and wipe it then; neither side logs it. */
  BP_FN(bp_status, secret)(bp_ctx *, const char *name, void *buf, uint32_t cap, uint32_t *len);

  /* [any] "No sign of life for up to this many seconds": a service that freezes, a mount that waits. Once per call. */
  BP_FN(bp_status, defer)(bp_ctx *, uint32_t seconds);

  /* [job] A further table by its name and revision, "bp.something/1"; lives as long as this one. NULL is written when
   * the host has none, with BP_E_UNSUPPORTED. None is defined in 1.0. */
  BP_FN(bp_status, extension)(bp_ctx *, const char *id, const void **out);
#if BP_TARGET_VERSION >= BP_VERSION(1, 1)

  /* [any] Since 1.1. In a backup: this instance expects to list so many entries with so many bytes in all; 0: not
   * known. For the progress that people see; the last word counts. Nothing depends on it. */
  BP_FN(bp_status, expect)(bp_ctx *, uint64_t entries, uint64_t bytes);

  /* [job] Since 1.1. In a backup, until END: how far back the state that was put, or will be, reaches: a number of the
   * source's own that only rises (a sequence, an LSN), at least 1, below 2^63. The lowest of all states that a Job may
   * still name comes back as bp_begin.keep_from; a journal, a slot, a log is kept from there on. BP_E_SEQUENCE as of
   * put_state. On a host of 1.0: release by `confirmed` alone, and keep what a Full's state needs. */
  BP_FN(bp_status, watermark)(bp_ctx *, uint64_t position);

  /* [job] Since 1.1, for an agent with the table bp.phases/1, in its `prepare` and `release` and in a backup: remember
   * this token, at most BP_MAX_HOLD bytes, until it is replaced by another or by none (len 0). It says what the agent
   * is about to hold that outlives this process: a frozen file system, a snapshot, a slot. Call it before: when it
   * returns BP_OK the token is on the disk, and if the process dies, another gives it to `release`. No secrets in it. */
  BP_FN(bp_status, hold)(bp_ctx *, const void *token, uint32_t len);
#endif
} bp_host_api;

/* ==== the agent's side ==============================================================================================
 *
 * Required: create, begin, end, destroy, and of the two groups at least one whole:
 *   backup   next_entries, open_stream, read, close_stream
 *   restore  restore_entry, restore_stream, write, restore_done
 * All others may be NULL.
 */
typedef struct bp_agent_api {
  uint32_t struct_size, reserved;

  /* ---- the instance ---- */

  /* [job] Makes an instance; no effects outside of memory. host->version is what was agreed. BP_E_VERSION refuses. */
  BP_FN(bp_status, create)(const bp_host_api *, bp_agent **);

  /* [job] After create, before ready: one option, checked against bp_option and in its form. A key in the conf that is
   * not declared never gets here; an agent that takes any (no bp_option at all) answers an unknown one BP_E_INVAL. An
   * error fails the Job before any data moves. */
  BP_FN(bp_status, option)(bp_agent *, const char *key, const char *value);

  /* [job] All options are set: check them together, reach the service. The last place to fail cleanly. */
  BP_FN(bp_status, ready)(bp_agent *);

  /* [job] A further table of the agent by name; NULL has to be written to *out when there is none. Asked for between
   * `create` and the first `option`, if at all: see "extensions"; 1.0 defines none, and asks for none. */
  BP_FN(bp_status, extension)(bp_agent *, const char *id, const void **out);

  /* ---- a Job ---- */

  /* [job] Begins a Job; the host table is this Job's. BP_E_BASE: the base cannot be continued from (the journal
   * wrapped, a log is missing, the snapshot is gone). The host then begins again with BP_STATE_GAP, or fails, as
   * configured; never guess. BP_E_BUSY; BP_E_UNSUPPORTED, for a kind this agent does not do. After an
   * error there is no `end`. */
  BP_FN(bp_status, begin)(bp_agent *, const bp_host_api *, const bp_begin *, bp_job **);

  /* [job] Fills a page with names and attributes; data only if it is in memory already, since most of it may not be
   * wanted. Asked again only when each entry of the last page was read or dropped: an agent may open its next phase
   * then, and knows what became of that page.
   *   BP_OK, count > 0    a page
   *   BP_OK, count 0      nothing yet, ask again (soon; the host sees to the rate)
   *   BP_END              that was all; count may be > 0. See BP_BATCH_COMPLETE
   *   BP_E_BASE           as in begin; works only while nothing has been sent
   *   BP_E_TOO_BIG        an entry does not fit into an empty page. One that does not fit now waits for the next
   * Directories come after what is in them. Journal agents list each changed name once, in its final state. */
  BP_FN(bp_status, next_entries)(bp_job *, bp_batch *);

  /* [job] Optional. Wanted entries of the last page, in the order of the page, as many as fit, at least one: each again
   * with name and cookie, its attributes as of when it was opened, and what of `streams` is small: DATA inline, others
   * as TLVs. What is too large for the page comes without DATA and is opened afterwards. An entry that cannot be read
   * comes with BP_ENTRY_FAILED. BP_OK; the host asks again for the rest. */
  BP_FN(bp_status, fetch)(bp_job *, const bp_want *, uint32_t count, bp_batch *);

  /* [job] Opens one stream of an entry of the last page. One is open at a time; each is opened once and at offset 0,
   * unless the entry is REREAD. *size: what is expected, or BP_SIZE_UNKNOWN, which it is preset to. An error about the
   * entry skips it. */
  BP_FN(bp_status, open_stream)(bp_job *, uint64_t cookie, uint32_t stream, uint64_t offset,
                                uint64_t *size);

  /* [job] The next bytes into buf, cap of at least BP_MIN_READ; fewer than cap are fine. chunk->offset never lies
   * before the end of the last chunk; a gap is a hole. BP_CHUNK_LAST on the last one, whose end is the stream's length
   * (len 0 after a hole at the end, or in an empty stream). No bytes and no LAST is a violation, and so is BP_END. When
   * the call returns, buf is the host's again: who writes into it then crashes. */
  BP_FN(bp_status, read)(bp_job *, void *buf, uint64_t cap, bp_chunk *);

  /* [job] After each open_stream that returned BP_OK. how: BP_OK, it was read to its end; BP_E_CANCELLED; else an error
   * ended it: BP_E_IO of this entry, BP_E_FAIL of the Job. BP_E_CHANGED: told as "changed while read". */
  BP_FN(bp_status, close_stream)(bp_job *, bp_status how);

  /* [job] Prepare this file. dest: its final path, renames applied; the entry's name is the one it had, its link is
   * final; offsets count from base. The agent makes missing parents, obeys `replace`, and never follows a symbolic link
   * below `where` on the way. *action: BP_ACTION_*. An error about the entry skips it.
   * Order: a restore of several Jobs (a Full and what was saved since) comes Job by Job, the oldest first, each in the
   * order in which it was stored; of each name only what the last Job that has it saved. So a directory comes after
   * what its own Job saved in it, but before or after what other Jobs did, or not at all. All names of a hard link are
   * of one Job, the first name first. The restore objects of a Job come before its first entry, also when only some of
   * its entries are restored. */
  BP_FN(bp_status, restore_entry)(bp_job *, const bp_entry *, const void *base,
                                  const char *dest, uint32_t replace, uint32_t *action);

  /* [job] The next stream of this file, in the order they were stored. size may be BP_SIZE_UNKNOWN. BP_E_UNSUPPORTED:
   * told once, its bytes are dropped. */
  BP_FN(bp_status, restore_stream)(bp_job *, uint32_t stream, uint64_t size);

  /* [job] Writes all of it or fails. Offsets ascend, gaps are holes, BP_CHUNK_LAST as in read. */
  BP_FN(bp_status, write)(bp_job *, const void *buf, const bp_chunk *);

  /* [job] After each restore_entry that answered CREATED or WANT, unless the Job ends first. how: BP_OK, the file is
   * complete: apply its attributes and close it. Where `dest` then is a regular file of this machine, the host looks
   * whether it has the size, and at samples of what was written; what is not at its offset is a warning. BP_E_CORRUPT, it is not what was saved: the digest or signature stored
   * behind the data does not match, a part of it is damaged, or a `write` failed. Keep it: its owner decides.
   * Attributes of a directory wait for `commit`. */
  BP_FN(bp_status, restore_done)(bp_job *, bp_status how);

  /* [job] Optional, once, and never in a Job that failed or was cancelled, nor in ESTIMATE or VERIFY.
   *   Backup: the Storage side has all and the states are sealed. Do now what cannot be undone (truncate logs) if it
   *     has to happen inside this session; what can wait waits for `confirmed`. Too late for a cancel. An error is
   *     counted.
   *   Restore: after the last file of all. Attributes of directories, recovery, services. An error fails the Job. */
  BP_FN(bp_status, commit)(bp_job *);

  /* [any] Optional, at most once, while a call of this Job may be running; never beside or after `end`. Makes a call
   * that blocks return soon. Must not block and must not free. The cancel word is set before. */
  BP_FN(bp_status, cancel)(bp_job *);

  /* [job] Releases the bp_job, even when returning an error, which is only logged. Nothing long. */
  BP_FN(bp_status, end)(bp_job *, uint32_t outcome);

  /* [job] Optional, outside of Jobs: the Director has named this earlier Job as a base, so it is in its catalog.
   * Release what waited for that: logs, slots, snapshots, though nothing that a state still to be named needs (a
   * Differential goes back to the Full; bp_begin.keep_from says how far). May come late, twice, or never. */
  BP_FN(bp_status, confirmed)(bp_agent *, const char *job, const void *state, uint64_t len,
                              uint32_t format);

  /* [job] The last call of an instance, after every create that returned BP_OK. */
  BP_FN(void, destroy)(bp_agent *);
} bp_agent_api;

#if BP_TARGET_VERSION >= BP_VERSION(1, 1)
/* ==== extensions ====================================================================================================
 *
 * Since 1.1. Tables of an agent that may be there: the host asks `extension` for each by its name, once for each
 * instance, between `create` and the first `option`. A table is constant and lives as long as the library. A host that
 * does not know one never asks, and works by the calls above: they have to be there, too.
 */

/* What a call says about the error that it is about to return, where `fail` would not know whose it is. Comes with len 0
 * and os_domain BP_OS_NONE; may be left so. */
typedef struct bp_error {
  uint32_t struct_size;                 /* in */
  int32_t  os_domain;                   /* out: BP_OS_* */
  int64_t  os_error;                    /* out */
  char    *text;                        /* in: room for `cap` bytes of UTF-8 */
  uint32_t cap, len;                    /* in, out */
} bp_error;

/*
 * Parallel streams, for a source that is slow one by one and fast in parallel: a network, a tape robot, a dump for each
 * database. The host then reads the DATA of entries by these calls instead of open_stream, read and close_stream: those
 * of one page are opened ahead, up to `most` at a time, and each is read on a thread of its own, while another is
 * stored. What is read ahead waits in memory and in files of the host; when they are full the host stops reading, for
 * minutes maybe: a stream has to bear that, as with `read`. Streams of other kinds than DATA go by open_stream, at any
 * time between these calls.
 *
 * [stream]  a thread of the host's: calls about one stream never overlap, those about two streams do, and so do [job]
 *           calls. Only [any] callbacks, and not `fail`: say it in bp_error.
 */
#define BP_STREAMS_1 "bp.streams/1"

typedef struct bp_stream bp_stream;     /* an open stream: the agent's memory, from open to close */

typedef struct bp_streams {
  uint32_t struct_size;
  uint32_t most;                        /* streams that may be open at once, at least 1; the host may use fewer */

  /* [job] As open_stream, at offset 0. *out: given back in the calls below. An error leaves nothing to be closed. */
  BP_FN(bp_status, open)(bp_job *, uint64_t cookie, uint32_t stream, uint64_t *size, bp_stream **out, bp_error *);

  /* [stream] As `read`, of this stream. `cancel` of the Job makes all that block return. */
  BP_FN(bp_status, read)(bp_stream *, void *buf, uint64_t cap, bp_chunk *, bp_error *);

  /* [job] As close_stream, once for each open that returned BP_OK, when no `read` of this stream runs; it frees it.
   * Called before the next page is asked for and before `end`, also when a Job fails: how is BP_E_CANCELLED then, and
   * for a stream that was opened ahead and is not wanted. */
  BP_FN(bp_status, close)(bp_stream *, bp_status how, bp_error *);
} bp_streams;

/*
 * Phases across agents, for what has to be saved as of one moment: a database that is flushed and frozen while a file
 * system takes its snapshot. In a backup with an agent that has this table, the order of calls becomes
 *
 *   create option* ready     of all instances
 *   prepare                  of those with this table
 *   begin                    of all: the moment, with every prepared agent holding still
 *   release(BEGUN)           of those with this table, the last prepared one first
 *   next_entries ..          one instance after the other, as ever
 *
 * What is held for the Job's whole length, a snapshot that is read from, stays after BEGUN and goes in `end`. A host of
 * 1.0 begins and reads one instance after the other, and never prepares: `begin` then is the moment of this instance.
 */
#define BP_PHASES_1 "bp.phases/1"

/* release: when */
#define BP_RELEASE_BEGUN  1     /* all have begun: let go what was held for that alone */
#define BP_RELEASE_FAILED 2     /* the Job ends before that. `end` follows, if this instance has begun */
#define BP_RELEASE_LEFT   3     /* after the Job, or in a later process on a new instance: let go of all that the token
                                   names, as far as it is still held. May come for what is released already */

typedef struct bp_phases {
  uint32_t struct_size;
  uint32_t seconds;                     /* the longest time that may lie between prepare and release; 0: 60. When it is
                                           over the Job is cancelled, and released; a process that goes on for 5 seconds
                                           more is killed, and another one releases */

  /* [job] Hold still from now on, after a word with `hold` if it outlives this process. An error fails the Job. */
  BP_FN(bp_status, prepare)(bp_agent *);

  /* [job] After each prepare that was called, whatever it returned. token, len: with LEFT what `hold` had; else NULL, 0.
   * An error is reported and counted; with LEFT the host keeps the token, and tries again with the next Job. */
  BP_FN(bp_status, release)(bp_agent *, uint32_t when, const void *token, uint32_t len);
} bp_phases;

/*
 * A restore plan: what an agent can say before anything has changed.
 */
#define BP_PLAN_1 "bp.plan/1"

typedef struct bp_plan {
  uint32_t struct_size, reserved;

  /* [job] In a restore, after `begin` and before the first restore_entry. Look whether it can be done as it was asked
   * for: is the target there, empty, of the right version, is its service stopped, is there room for saved_bytes? An
   * error fails the Job, with the text of `fail`, and nothing is harmed. What a person should know goes out by `message`.
   * In a dry run (BP_BEGIN_DRY_RUN) this call is all of the restore: an error is a line of its report. Change nothing. */
  BP_FN(bp_status, plan)(bp_job *);
} bp_plan;
#endif

/* ==== the descriptor ============================================================================================ */

/* One option an agent has. The host parses, checks, and prints the help. */
typedef struct bp_option {
  const char *key, *help;               /* key: [a-z][a-z0-9_-]*; help: one line */
  const char *choices;                  /* ENUM: "a|b|c"; else NULL */
  const char *initial;                  /* value when not set, as text, for the help only; NULL: none */
  uint32_t type, flags;
} bp_option;

/* What the agent is: constant, valid as long as the library is loaded. The texts are never NULL. */
typedef struct bp_descriptor {
  char     magic[8];                    /* BP_MAGIC */
  uint32_t struct_size, header;         /* sizeof(bp_descriptor), BP_HEADER_VERSION */
  uint32_t min_version, max_version;    /* contracts this agent can speak; max_version BP_TARGET_VERSION */
  uint64_t features, needs;             /* BP_FEATURE_*; host features it does not run without */
  uint32_t threads;                     /* 0: [job] calls are serial, as told above. No other value in 1.0 */
  uint32_t option_size;                 /* sizeof(bp_option) */
  uint32_t format, reserved;            /* version of its entries on a Volume: written now, read from 0 to this */
  const char *id;                       /* [a-z0-9][a-z0-9-]{0,31}, the library's file name without its suffix */
  const char *version, *vendor, *license; /* for people */
  const char *const *aliases;           /* other ids whose Volumes it restores and whose Plugin lines it takes, NULL at
                                           the end; or NULL */
  const char *const *claims;            /* File lines it takes, by how they begin ("" takes any), NULL at the end; or
                                           NULL: only Plugin lines that name it */
  const bp_option *options; uint64_t n_options;
  const bp_agent_api *api;
} bp_descriptor;

/*
 * [any] The one exported symbol. The descriptor, or NULL when the agent refuses a host that speaks host_min to
 * host_max. Pure: no effects, the same answer each time, and nothing of the agent has run before. BPLUGIN_DEFINE of
 * the SDK writes it.
 */
BPLUGIN_EXPORT const bp_descriptor *BPLUGIN_CALL bplugin_query_v1(uint32_t host_min,
                                                                  uint32_t host_max);
#ifdef __cplusplus
}
#endif
#endif
