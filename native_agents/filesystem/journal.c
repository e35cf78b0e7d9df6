/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "journal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup.h"
#include "events.h"
#include "mounts.h"
#include "speak.h"
#include "state.h"

#define STATE_FORMAT 1
#define MISSED_SHOWN 3u

/* Of each File line. */
typedef struct line {
  char     why[WHY_MAX]; /* it is a rescan; "": it may be directed */
  uint64_t dev, mounts;
  bool     directory, directed, single;
} line;

struct journal {
  const bp_host_api *host;
  const fileset *set;
  state   *state;
  events  *events;
  line    *lines;
  line    *now;
  uint32_t kind, level;
  bool     based;        /* it is known what changed since the base Job */
  uint64_t since;        /* the base Job's look */
  uint64_t number;       /* of the barrier's event; 0: none */
  bool     second;       /* going through again, for hard links */
  bool     settled, finished, sent, broken, insists;
  bool     audits;       /* a Full that finds out what a look at events alone would have missed */
  uint64_t position;     /* of the state in the events */
  uint64_t missed;
  bool     left_out;     /* something is there and was not listed: it is as the base Job has it */
  uint64_t changed, gone, looked_at;
  char     job[128], base_job[128];
  char     path[PATH_BYTES_MAX + 256];
};

/* Is any File line? */
static bool is_directed(const journal *j)
{
  for (uint32_t i = 0; i < j->set->n_items; i++)
    if (j->lines[i].directed)
      return true;
  return false;
}

/*
 * The state cannot be kept. The Job is begun again without it while nothing is sent. Later a walk that looks at everything goes on
 * without it, and calls all that comes changed; one that does not fails.
 */
static bp_status broken(journal *j)
{
  j->broken = true;
  if (is_directed(j) || (j->left_out && !j->sent))
    return bp_failf(j->host, j->sent ? BP_E_FAIL : BP_E_BASE, BP_OS_NONE, 0, "the journal's state cannot be kept: %s",
                    state_error(j->state));
  bp_logf(j->host, BP_MSG_WARNING, "journal: the state cannot be kept: %s; %s", state_error(j->state),
          j->based ? "this Job saves what it may have missed, and may not know what was deleted" : "the next Job walks without it");
  return BP_OK;
}

/* ---- begin ------------------------------------------------------------------------------------------------------------------ */

/* What was sealed with the base Job: "1 <identity> <look>". After a restore there is no state; what that wrote shows as any change. */
static void read_base(journal *j, const bp_begin *how)
{
  char text[128], identity[40];
  unsigned long long look = 0;
  snprintf(j->job, sizeof j->job, "%s", how->job);
  if (how->level == BP_LEVEL_FULL)
    return;
  snprintf(j->base_job, sizeof j->base_job, "%s", how->base_job);
  if (how->state_why == BP_STATE_FOUND && how->state_format == STATE_FORMAT && how->state_len < sizeof text) {
    memcpy(text, how->state, how->state_len);
    text[how->state_len] = 0;
    j->based = sscanf(text, "1 %39s %llu", identity, &look) == 2 && !strcmp(identity, state_identity(j->state))
               && state_reaches(j->state, look);
    j->since = look;
  } else if (how->state_why == BP_STATE_RESTORED) {
    j->based = state_look_of(j->state, how->base_job, &j->since);
  }
  if (j->based)
    return;
  bp_logf(j->host, how->flags & BP_BEGIN_ACCURATE ? BP_MSG_INFO : BP_MSG_WARNING,
          "journal: it does not reach back to the base of this Job, so that all is walked, and what changed is told by time or by the"
          " base's list%s",
          how->flags & BP_BEGIN_ACCURATE ? "" : ": what was moved here with old times may be missing until the next Full");
}

/* Opens what a File line names; -1: it is no directory, or not to be had. */
static int open_line(const fileset_item *item)
{
  return item->len < PATH_MAX ? open(item->len ? item->path : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC | (item->slash ? 0 : O_NOFOLLOW)) : -1;
}

/* Why this File line has to be walked; "" when it need not. */
static void judge(journal *j, const fileset_item *item, line *l, int fd, const char *identity, uint64_t since)
{
  struct stat st;
  seen_row row;
  bool single;
  uint64_t mounts;
  if (!j->based && !j->audits)
    return;
  if (fstat(fd, &st) || !state_find(j->state, item->path, item->len, &row))
    snprintf(l->why, WHY_MAX, "it was not seen before");
  else if (row.ino != st.st_ino || row.dev != st.st_dev || !(row.kind & SEEN_ENTERED) || !row.identity
           || row.identity != journal_identity(fd))
    snprintf(l->why, WHY_MAX, "another directory stands there");
  else if (!state_root(j->state, item->path, item->len, &single, &mounts))
    snprintf(l->why, WHY_MAX, "it was not seen before");
  else if (!single)
    snprintf(l->why, WHY_MAX, "it reaches over more than one file system");
  else if (!l->mounts || mounts != l->mounts)
    snprintf(l->why, WHY_MAX, "something was mounted or unmounted there");
  else if (!identity[0] || strcmp(identity, events_identity(j->events)))
    snprintf(l->why, WHY_MAX, "the watcher was started since the last look");
  else
    (void)events_cover(j->events, fd, since, l->why);
}

/* Finds out what may be directed, and wants what was touched. Nothing that goes wrong here is worse than a rescan. */
static void prepare(journal *j, const char *directory)
{
  char why[WHY_MAX] = "", identity[40] = "";
  uint64_t since = 0;
  bool all_maps;
  bool position = state_position(j->state, identity, &since);
  uint64_t *asked = calloc(j->set->n_items + 1u, sizeof *asked); /* devices whose events are wanted already */
  uint32_t n_asked = 0;
  if (!position)
    identity[0] = 0;
  j->audits = position && j->level == BP_LEVEL_FULL && j->kind == BP_KIND_BACKUP;
  j->position = since;
  if (!mounts_want_hot(j->state, &all_maps)) /* before the barrier: what goes away in between leaves an event before it */
    snprintf(why, WHY_MAX, "%s", state_error(j->state));
  else if (!all_maps && j->insists)
    bp_logf(j->host, BP_MSG_INFO, "journal: the memory maps of some processes cannot be read: what they write through a shared mapping"
                                  " is saved when they close it");
  else if (!all_maps)
    snprintf(why, WHY_MAX, "the memory maps of some processes cannot be read, so that what they write through them would not show");
  if (!why[0])
    j->events = events_open(j->host, directory, why);
  for (uint32_t i = 0; i < j->set->n_items; i++) {
    const fileset_item *item = &j->set->items[i];
    line *l = &j->lines[i];
    int fd = open_line(item);
    struct stat st;
    snprintf(l->why, WHY_MAX, "%s", why);
    l->single = true;
    l->directory = fd >= 0 && !fstat(fd, &st);
    if (!l->directory) {
      snprintf(l->why, WHY_MAX, "it is no directory");
    } else {
      l->dev = st.st_dev;
      l->mounts = mounts_around(item->path, item->len);
      if (!l->why[0])
        (void)events_barrier(j->events, fd, &j->number, l->why);
      if (!l->why[0])
        judge(j, item, l, fd, identity, since);
      if (!l->why[0] && (j->based || j->audits) && asked) {
        bool known = false;
        for (uint32_t k = 0; k < n_asked; k++)
          known |= asked[k] == l->dev;
        if (!known && events_want(j->events, fd, since, j->state, false, l->why))
          asked[n_asked++] = l->dev;
      }
      l->directed = !l->why[0] && j->based && asked;
      j->audits &= !l->why[0] && asked;
    }
    if (fd >= 0)
      close(fd);
  }
  if (j->audits)
    state_audit(j->state);
  free(asked);
}

/* What the report says of how it looks. */
static void announce(const journal *j)
{
  uint32_t told = 0;
  for (uint32_t i = 0; j->based && i < j->set->n_items; i++) {
    shown text;
    const line *l = &j->lines[i];
    if (!l->why[0] || !l->directory)
      continue;
    if (told++ < 3)
      bp_logf(j->host, j->insists ? BP_MSG_WARNING : BP_MSG_INFO, "journal: %s is walked: %s",
              show(&text, j->set->items[i].len ? j->set->items[i].path : "/", j->set->items[i].len ? j->set->items[i].len : 1), l->why);
  }
  if (told > 3)
    bp_logf(j->host, BP_MSG_INFO, "journal: %u more File lines are walked", told - 3);
}

bp_status journal_begin(journal **out, const bp_host_api *host, const bp_begin *how, const fileset *set, journal_use use,
                        const char *directory)
{
  char why[WHY_MAX];
  journal *j;
  *out = NULL;
  if (use == JOURNAL_NO || how->kind == BP_KIND_VERIFY)
    return BP_OK;
  j = calloc(1, sizeof *j);
  if (!j)
    return BP_E_NOMEM;
  *j = (journal){ .host = host, .set = set, .kind = how->kind, .level = how->level, .insists = use == JOURNAL_YES };
  j->lines = calloc(set->n_items + 1u, sizeof *j->lines);
  j->state = j->lines ? state_open(host, directory, how->fileset, how->kind == BP_KIND_ESTIMATE, why, sizeof why) : NULL;
  if (!j->state) {
    bool memory = !j->lines;
    free(j->lines);
    free(j);
    if (bp_cancelled(host))
      return BP_E_CANCELLED;
    if (!memory && why[0])
      bp_logf(host, BP_MSG_WARNING, "journal: not used in this Job: %s", why);
    return memory ? BP_E_NOMEM : BP_OK;
  }
  read_base(j, how);
  if (!state_want_again(j->state) || (j->based && !state_want_changed(j->state, j->since)))
    (void)broken(j);
  else
    prepare(j, directory);
  if (bp_cancelled(host)) {
    journal_end(j);
    return BP_E_CANCELLED;
  }
  announce(j);
  *out = j;
  return BP_OK;
}

void journal_end(journal *j)
{
  if (!j)
    return;
  if (j->events)
    events_close(j->events);
  state_close(j->state, j->broken);
  free(j->lines);
  free(j);
}

/* ---- the walk --------------------------------------------------------------------------------------------------------------------- */

bool journal_item(journal *j, const char *path, uint32_t len)
{
  seen_row row;
  for (uint32_t i = 0; i < j->set->n_items; i++)
    if (j->set->items[i].len == len && !memcmp(j->set->items[i].path, path, len))
      j->now = &j->lines[i];
  return !j->second || state_find(j->state, path, len, &row);
}

bp_status journal_lines_done(journal *j, bool *again)
{
  *again = false;
  if (j->second || j->broken || !(is_directed(j) || j->left_out))
    return BP_OK;
  j->second = true;
  return state_want_linked(j->state, again) ? BP_OK : broken(j);
}

uint64_t journal_identity(int fd)
{
  union { struct file_handle head; uint8_t room[sizeof(struct file_handle) + MAX_HANDLE_SZ]; } h = { .head.handle_bytes = MAX_HANDLE_SZ };
  uint64_t hash = 14695981039346656037u;
  int mount;
  if (fd < 0 || name_to_handle_at(fd, "", &h.head, &mount, AT_EMPTY_PATH))
    return 0;
  hash = (hash ^ (uint32_t)h.head.handle_type) * 1099511628211u;
  for (uint32_t i = 0; i < h.head.handle_bytes; i++) /* an inode's number and its generation, as a rule */
    hash = (hash ^ h.head.f_handle[i]) * 1099511628211u;
  return hash ? hash : 1;
}

bool journal_directs(journal *j, const char *path, uint32_t len, const bp_entry *entry, uint64_t identity, bool top,
                     bool above_is_directed)
{
  bool whole;
  seen_row row;
  if (entry->dev != j->now->dev)
    j->now->single = false;
  if (j->broken || !(j->now->directed || j->second) || !(top || above_is_directed))
    return false;
  (void)state_is_wanted(j->state, path, len, &whole);
  return !whole && state_find(j->state, path, len, &row) && row.ino == entry->ino && row.dev == entry->dev
         && row.kind & SEEN_ENTERED && identity && row.identity == identity;
}

bool journal_next(journal *j, const char *path, uint32_t len, char name[256])
{
  bp_beat(j->host);
  return state_next_wanted(j->state, path, len, name);
}

bp_status journal_entry(journal *j, const char *path, uint32_t len, bp_entry *entry, bool entered, uint64_t identity, bool *listed)
{
  uint32_t kind = SEEN_SAVED | (entry->type == BP_TYPE_DIRECTORY ? SEEN_DIRECTORY : 0) | (entered ? SEEN_ENTERED : 0);
  bool whole, changed, touched;
  *listed = true;
  if (j->broken) {
    entry->flags |= j->based && !(entry->flags & BP_ENTRY_FAILED) ? BP_ENTRY_SELECTED : 0;
    return BP_OK;
  }
  if (entry->flags & BP_ENTRY_FAILED)
    return state_failed(j->state, path, len) ? BP_OK : broken(j);
  touched = state_is_wanted(j->state, path, len, &whole);
  if (j->second && !touched) { /* listed already, or of the next Job */
    state_still_there(j->state, path, len);
    *listed = false;
    return BP_OK;
  }
  if (!state_saw(j->state, path, len, entry, kind, identity, touched, &changed)) {
    entry->flags |= j->based ? BP_ENTRY_SELECTED : 0;
    return broken(j);
  }
  j->looked_at++;
  j->changed += changed;
  if (j->based && changed)
    entry->flags |= BP_ENTRY_SELECTED;
  *listed = changed || !j->based || entry->flags & BP_ENTRY_TOP; /* a File line's own: the host sees that it was looked at */
  j->left_out |= !*listed;
  j->sent |= *listed;
  return BP_OK;
}

bp_status journal_passed(journal *j, const char *path, uint32_t len, const bp_entry *entry, bool entered, uint64_t identity)
{
  bool changed;
  if (j->second)
    state_still_there(j->state, path, len);
  return j->broken || j->second || state_saw(j->state, path, len, entry, SEEN_DIRECTORY | (entered ? SEEN_ENTERED : 0), identity, false, &changed) ? BP_OK : broken(j);
}

bp_status journal_looked(journal *j, const char *path, uint32_t len)
{
  return j->broken || state_looked(j->state, path, len) ? BP_OK : broken(j);
}

/* ---- the end ----------------------------------------------------------------------------------------------------------------------- */

static bp_status keep(journal *j)
{
  char text[128];
  int n;
  for (uint32_t i = 0; i < j->set->n_items; i++) {
    const line *l = &j->lines[i];
    const fileset_item *item = &j->set->items[i];
    if (l->directory && !state_note_root(j->state, item->path, item->len, l->single, l->mounts))
      return broken(j);
  }
  if (!state_note_position(j->state, j->number ? events_identity(j->events) : "", j->number)
      || !state_commit(j->state, j->level == BP_LEVEL_FULL, j->job))
    return broken(j);
  if (j->number)
    events_done(j->events, state_identity(j->state), j->number);
  n = snprintf(text, sizeof text, "%d %s %llu", STATE_FORMAT, state_identity(j->state), (unsigned long long)state_look(j->state));
  return bp_put_state(j->host, text, (uint64_t)n, STATE_FORMAT);
}

/* What is gone since the base, by name alone. */
static bp_status add_gone(journal *j, bp_page *page, bool *all)
{
  *all = true;
  while (j->based && j->level != BP_LEVEL_FULL) {
    bp_entry entry = { .change = BP_CHANGE_DELETED };
    uint32_t len;
    bool directory;
    int there;
    if (page->batch->count == page->batch->max_entries || bp_page_room(page, 1) < PATH_BYTES_MAX + 256 + sizeof entry) {
      *all = false;
      return BP_OK;
    }
    there = state_next_gone(j->state, j->since, j->path, &len, &directory);
    if (there < 0)
      return broken(j); /* what is gone and not listed yet stays: told */
    if (!there)
      return BP_OK;
    entry.type = directory ? BP_TYPE_DIRECTORY : BP_TYPE_REGULAR;
    entry.cookie = UINT64_MAX - bp_page_count(page);
    j->gone++;
    if (bp_page_add(page, &entry, len ? j->path : "/", len ? len : 1, NULL, 0) != BP_OK)
      return BP_E_FAIL;
  }
  return BP_OK;
}

/* Before what was not seen is taken for gone: what was touched while this Job looked counts, too. */
static void prepare_audit(journal *j)
{
  char why[WHY_MAX] = "";
  uint64_t number;
  bool all_maps;
  if (!j->audits)
    return;
  events_go_on(j->events);
  if (!mounts_want_hot(j->state, &all_maps))
    snprintf(why, WHY_MAX, "%s", state_error(j->state));
  for (uint32_t i = 0; i < j->set->n_items && !why[0]; i++) {
    int fd = j->lines[i].directory ? open_line(&j->set->items[i]) : -1;
    if (fd >= 0 && events_barrier(j->events, fd, &number, why) && events_cover(j->events, fd, j->position, why)
        && events_want(j->events, fd, j->position, j->state, false, why))
      (void)events_want(j->events, fd, j->number, j->state, true, why); /* a directory that went meanwhile tells nothing of its names */
    else if (fd < 0 && j->lines[i].directory)
      snprintf(why, WHY_MAX, "a File line's directory cannot be opened any more");
    if (fd >= 0)
      close(fd);
  }
  j->audits = !why[0];
  if (why[0])
    bp_logf(j->host, BP_MSG_INFO, "journal: what it would have missed is not known: %s", why);
}

static void missed(void *ctx, const char *path, uint32_t len)
{
  journal *j = ctx;
  shown text;
  if (j->missed++ < MISSED_SHOWN)
    bp_logf(j->host, BP_MSG_WARNING, "journal: it would have missed %s", show(&text, len ? path : "/", len ? len : 1));
}

static void audit(journal *j, uint64_t gone)
{
  if (j->audits && state_missed(j->state, j->set, missed, j))
    bp_logf(j->host, j->missed ? BP_MSG_WARNING : BP_MSG_INFO, "journal: what it would have missed: %llu of %llu changes%s",
            (unsigned long long)j->missed, (unsigned long long)(j->changed + gone),
            j->missed ? "; please report this, with what is special about these files" : "");
}

bp_status journal_finish(journal *j, bp_page *page, bool *done, bool *complete)
{
  uint64_t gone;
  bp_status status;
  *done = true;
  *complete = !is_directed(j) && !j->left_out;
  if (j->finished || j->broken)
    return BP_OK;
  if (!j->settled) {
    prepare_audit(j);
    if (!state_settle(j->state, j->set, &gone))
      return broken(j);
    audit(j, gone);
  }
  j->settled = true;
  status = add_gone(j, page, done);
  if (status != BP_OK || !*done)
    return status;
  j->finished = true;
  if (j->based)
    bp_logf(j->host, BP_MSG_INFO, "journal: %llu entries looked at, %llu changed, %llu gone since %s",
            (unsigned long long)j->looked_at, (unsigned long long)j->changed, (unsigned long long)j->gone, j->base_job);
  return j->kind == BP_KIND_BACKUP ? keep(j) : BP_OK;
}

void journal_again(journal *j, const char *path, uint32_t len)
{
  if (!j || j->broken || j->kind != BP_KIND_BACKUP)
    return;
  if (!state_again(j->state, path, len)) {
    shown text;
    j->broken = true; /* the next Job begins anew, and does not miss it */
    bp_logf(j->host, BP_MSG_WARNING, "journal: cannot note that %s was not read: %s; the next Job walks without it",
            show(&text, path, len), state_error(j->state));
  }
}
