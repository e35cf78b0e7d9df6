/* SPDX-License-Identifier: MIT */
#ifndef BPLUGIN_H
#define BPLUGIN_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#define BP_VERSION(major, minor) ((major) * 65536u + (minor))
#define BP_HEADER_VERSION BP_VERSION(1, 0)
#define BP_MAGIC "BPLUGIN"

#if defined(_WIN32) || defined(__CYGWIN__)
# define BPLUGIN_CALL __cdecl
# define BPLUGIN_EXPORT __declspec(dllexport)
#else
# define BPLUGIN_CALL
# define BPLUGIN_EXPORT __attribute__((visibility("default")))
#endif
#define BP_FN(ret, name) ret (BPLUGIN_CALL *name)

/* ---- status: 0 ok, 1 end, negative error ---------------------------------------------- */
typedef int32_t bp_status;
#define BP_OK              0
#define BP_END             1
/* scope: this entry or stream */
#define BP_E_ENTRY        (-1)
#define BP_E_NOTFOUND     (-2)
#define BP_E_ACCESS       (-3)
#define BP_E_CHANGED      (-4)
#define BP_E_IO           (-5)
/* scope: the Job */
#define BP_E_FAIL        (-20)
#define BP_E_NOMEM       (-21)
#define BP_E_NOSPACE     (-22)
#define BP_E_CORRUPT     (-23)
#define BP_E_CANCELLED   (-24)
/* scope: the call */
#define BP_E_BASE        (-40)
#define BP_E_BUSY        (-41)
#define BP_E_VERSION     (-42)
#define BP_E_UNSUPPORTED (-43)
#define BP_E_INVAL       (-44)
#define BP_E_SEQUENCE    (-45)
#define BP_E_TOO_BIG     (-46)
/* host side */
#define BP_E_HOST        (-60)
#define BP_E_VIOLATION   (-61)

/* ---- small numbers ------------------------------------------------------------------------- */
/* bp_begin.kind */
#define BP_KIND_BACKUP   1
#define BP_KIND_RESTORE  2
#define BP_KIND_ESTIMATE 3
#define BP_KIND_VERIFY   4
/* bp_begin.level */
#define BP_LEVEL_NONE         0
#define BP_LEVEL_FULL         1
#define BP_LEVEL_DIFFERENTIAL 2
#define BP_LEVEL_INCREMENTAL  3
/* bp_begin.state_why */
#define BP_STATE_NONE            0   /* a Full: no base is wanted */
#define BP_STATE_FOUND           1
#define BP_STATE_FIRST           2
#define BP_STATE_LOST            3
#define BP_STATE_RESTORED        4
#define BP_STATE_FILESET_CHANGED 5
#define BP_STATE_UNNAMED         6
#define BP_STATE_GAP             7
/* bp_begin.flags */
#define BP_BEGIN_ACCURATE  1u
/* end(): outcome */
#define BP_OUTCOME_DONE      0
#define BP_OUTCOME_FAILED    1
#define BP_OUTCOME_CANCELLED 2
/* match(): verdict */
#define BP_VERDICT_NONE    0   /* no answer: host fault */
#define BP_VERDICT_TAKE    1   /* save it and go in */
#define BP_VERDICT_SKIP    2   /* neither save it nor go in */
#define BP_VERDICT_DESCEND 3   /* go in, but do not save it */
#define BP_VERDICT_PRUNE   4   /* save it, but do not go in */
/* message(): severity */
#define BP_MSG_DEBUG   1
#define BP_MSG_INFO    2
#define BP_MSG_WARNING 3
#define BP_MSG_ERROR   4
/* fail(): os_domain */
#define BP_OS_NONE    0
#define BP_OS_ERRNO   1
#define BP_OS_WIN32   2
#define BP_OS_HRESULT 3
#define BP_OS_AGENT   4
/* bp_entry.type */
#define BP_TYPE_REGULAR   1
#define BP_TYPE_DIRECTORY 2
#define BP_TYPE_SYMLINK   3
#define BP_TYPE_HARDLINK  4   /* restore only: link names the first name's final path */
#define BP_TYPE_FIFO      5
#define BP_TYPE_CHARDEV   6
#define BP_TYPE_BLOCKDEV  7
#define BP_TYPE_OBJECT    8   /* a restore object; its bytes are stream OBJECT */
/* bp_entry.change */
#define BP_CHANGE_NONE    0
#define BP_CHANGE_DELETED 1
#define BP_CHANGE_RENAMED 2
/* bp_entry.flags */
#define BP_ENTRY_SELECTED 1u
#define BP_ENTRY_REREAD   2u
#define BP_ENTRY_FAILED   4u
#define BP_ENTRY_TOP      8u   /* named by a File line itself */
/* bp_entry.valid */
#define BP_HAS_MODE   (1ull << 0)
#define BP_HAS_OWNER  (1ull << 1)
#define BP_HAS_SIZE   (1ull << 2)
#define BP_HAS_BLOCKS (1ull << 3)    /* blocks and blksize */
#define BP_HAS_INO    (1ull << 4)    /* ino and dev */
#define BP_HAS_NLINK  (1ull << 5)
#define BP_HAS_RDEV   (1ull << 6)
#define BP_HAS_ATIME  (1ull << 7)
#define BP_HAS_MTIME  (1ull << 8)
#define BP_HAS_CHTIME (1ull << 9)
#define BP_HAS_BTIME  (1ull << 10)
#define BP_HAS_ATTRS  (1ull << 11)
#define BP_HAS_FSTYPE (1ull << 12)
/* bp_entry.attrs */
#define BP_ATTR_NODUMP 1u
/* streams: numbers below 64; in a mask the bit 1 << number */
#define BP_STREAM_DATA        0
#define BP_STREAM_ACL_ACCESS  1
#define BP_STREAM_ACL_DEFAULT 2
#define BP_STREAM_XATTR       3
#define BP_STREAM_OBJECT      4
#define BP_STREAM_BIT(n) (1ull << (n))
/* bp_want.options */
#define BP_OPT_NOATIME       (1ull << 0)
#define BP_OPT_KEEPATIME     (1ull << 1)
#define BP_OPT_READFIFO      (1ull << 2)
#define BP_OPT_CHECK_CHANGES (1ull << 3)
#define BP_OPT_SPARSE        (1ull << 4)
/* bp_batch.flags, bp_chunk.flags */
#define BP_BATCH_COMPLETE 1u
#define BP_CHUNK_LAST     1u
#define BP_SIZE_UNKNOWN   UINT64_MAX
/* restore_entry(): replace and action */
#define BP_REPLACE_ALWAYS  1
#define BP_REPLACE_IFNEWER 2
#define BP_REPLACE_IFOLDER 3
#define BP_REPLACE_NEVER   4
#define BP_ACTION_NONE    0
#define BP_ACTION_SKIP    1
#define BP_ACTION_CREATED 2
#define BP_ACTION_WANT    3
#define BP_ACTION_HOST    4
/* bp_descriptor.features */
#define BP_FEATURE_PLAIN_FILES (1ull << 0)
#define BP_FEATURE_VERBATIM    (1ull << 1)
/* bp_host_api.features, bp_descriptor.needs: none defined in 1.0 */
/* bp_option.type, .flags */
#define BP_OPTION_STRING   1
#define BP_OPTION_BOOL     2
#define BP_OPTION_INT      3
#define BP_OPTION_SIZE     4
#define BP_OPTION_DURATION 5
#define BP_OPTION_PATH     6
#define BP_OPTION_ENUM     7
#define BP_OPTION_REQUIRED      1u
#define BP_OPTION_SECRET        2u
#define BP_OPTION_REPEATS       4u
#define BP_OPTION_FROM_DIRECTOR 8u

/* ---- types ------------------------------------------------------------------------------------- */
typedef struct bp_agent bp_agent;
typedef struct bp_job   bp_job;
typedef struct bp_ctx   bp_ctx;
typedef struct bp_time { int64_t sec; uint32_t nsec, reserved; } bp_time;

typedef struct bp_entry {
  uint32_t name_off, name_len;
  uint32_t link_off, link_len;
  uint32_t old_name_off, old_name_len;
  uint32_t inline_off, inline_len;      /* inline_off 0: none (an empty file: off != 0, len 0) */
  uint32_t tlv_off, tlv_len;
  uint64_t cookie;
  uint64_t streams, valid;
  uint64_t size, blocks, ino, dev, rdev;
  bp_time  atime, mtime, chtime, btime;
  uint32_t type, change, flags, mode, nlink, uid, gid, attrs, blksize, fs_type;
} bp_entry;

typedef struct bp_want { uint64_t cookie, streams, options; } bp_want;

typedef struct bp_batch {
  uint32_t struct_size, stride;
  void    *buf;
  uint64_t cap;
  uint32_t max_entries, count;
  uint64_t heap_low;
  uint32_t flags, reserved;
} bp_batch;

typedef struct bp_chunk { uint64_t offset, len; uint32_t flags, reserved; } bp_chunk;

typedef struct bp_begin {
  uint32_t struct_size, kind;
  uint32_t level, state_why;
  uint32_t flags, state_format;
  bp_time  since;
  const char *job, *base_job;
  const void *state; uint64_t state_len;
  const char *fileset;
  const char *where;
} bp_begin;

typedef struct bp_host_api {
  uint32_t struct_size, version;
  uint64_t features;
  bp_ctx  *ctx;
  const volatile uint32_t *cancel;
  volatile uint64_t *heartbeat;
  BP_FN(bp_status, message)(bp_ctx *, int32_t severity, const char *utf8, uint32_t len);
  BP_FN(bp_status, fail)(bp_ctx *, bp_status, int32_t os_domain, int64_t os_error,
                         const char *utf8, uint32_t len);
  BP_FN(bp_status, match)(bp_ctx *, const char *path, uint32_t len, const bp_entry *,
                          uint32_t *verdict);
  BP_FN(bp_status, put_state)(bp_ctx *, const void *, uint64_t len, uint32_t format);
  BP_FN(bp_status, secret)(bp_ctx *, const char *name, void *buf, uint32_t cap, uint32_t *len);
  BP_FN(bp_status, defer)(bp_ctx *, uint32_t seconds);
  BP_FN(bp_status, extension)(bp_ctx *, const char *id, const void **out);
} bp_host_api;

typedef struct bp_agent_api {
  uint32_t struct_size, reserved;
  BP_FN(bp_status, create)(const bp_host_api *, bp_agent **);
  BP_FN(bp_status, option)(bp_agent *, const char *key, const char *value);
  BP_FN(bp_status, ready)(bp_agent *);
  BP_FN(bp_status, extension)(bp_agent *, const char *id, const void **out);
  BP_FN(bp_status, begin)(bp_agent *, const bp_host_api *, const bp_begin *, bp_job **);
  BP_FN(bp_status, next_entries)(bp_job *, bp_batch *);
  BP_FN(bp_status, fetch)(bp_job *, const bp_want *, uint32_t count, bp_batch *);
  BP_FN(bp_status, open_stream)(bp_job *, uint64_t cookie, uint32_t stream, uint64_t offset,
                                uint64_t *size);
  BP_FN(bp_status, read)(bp_job *, void *buf, uint64_t cap, bp_chunk *);
  BP_FN(bp_status, close_stream)(bp_job *, bp_status how);
  BP_FN(bp_status, restore_entry)(bp_job *, const bp_entry *, const void *base,
                                  const char *dest, uint32_t replace, uint32_t *action);
  BP_FN(bp_status, restore_stream)(bp_job *, uint32_t stream, uint64_t size);
  BP_FN(bp_status, write)(bp_job *, const void *buf, const bp_chunk *);
  BP_FN(bp_status, restore_done)(bp_job *, bp_status how);
  BP_FN(bp_status, commit)(bp_job *);
  BP_FN(bp_status, cancel)(bp_job *);
  BP_FN(bp_status, end)(bp_job *, uint32_t outcome);
  BP_FN(bp_status, confirmed)(bp_agent *, const char *job, const void *state, uint64_t len,
                              uint32_t format);
  BP_FN(void, destroy)(bp_agent *);
} bp_agent_api;

typedef struct bp_option {
  const char *key, *help;
  const char *choices;                  /* ENUM: "a|b|c"; else NULL */
  const char *initial;                  /* value when not set, as text; NULL: none */
  uint32_t type, flags;
} bp_option;

typedef struct bp_descriptor {
  char     magic[8];
  uint32_t struct_size, header;
  uint32_t min_version, max_version;
  uint64_t features, needs;
  uint32_t threads, option_size;
  uint32_t format, reserved;
  const char *id, *version, *vendor, *license;
  const char *const *aliases;
  const char *const *claims;
  const bp_option *options; uint64_t n_options;
  const bp_agent_api *api;
} bp_descriptor;

BPLUGIN_EXPORT const bp_descriptor *BPLUGIN_CALL bplugin_query_v1(uint32_t host_min,
                                                                  uint32_t host_max);
#ifdef __cplusplus
}
#endif
#endif
