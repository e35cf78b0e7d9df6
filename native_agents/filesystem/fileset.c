/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "fileset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bplugin_sdk.h"
#include "speak.h"

static int compare(const char *a, uint32_t a_len, const char *b, uint32_t b_len)
{
  int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
  return order ? order : (a_len > b_len) - (a_len < b_len);
}

static int compare_items(const void *a, const void *b)
{
  const fileset_item *x = *(fileset_item *const *)a, *y = *(fileset_item *const *)b;
  int order = compare(x->path, x->len, y->path, y->len);
  return order ? order : (x > y) - (x < y);
}

/* Room for one more in an array that doubles at powers of two. */
static bool grow(void **array, uint32_t count, size_t size)
{
  void *larger;
  if (count & (count - 1u))
    return true;
  larger = realloc(*array, (count ? (size_t)count * 2 : 1) * size);
  if (larger)
    *array = larger;
  return larger != NULL;
}

/* Takes empty and "." components and slashes at the end away, in place; true when a ".." was seen. */
static bool squeeze(char *path, uint32_t *len)
{
  bool parents = false;
  uint32_t out = 0;
  for (uint32_t i = 0; i < *len;) {
    uint32_t start, n;
    while (i < *len && path[i] == '/')
      i++;
    for (start = i; i < *len && path[i] != '/'; i++)
      ;
    n = i - start;
    if (!n || (n == 1 && path[start] == '.'))
      continue;
    parents |= n == 2 && path[start] == '.' && path[start + 1] == '.';
    path[out++] = '/';
    memmove(path + out, path + start, n);
    out += n;
  }
  path[out] = 0;
  *len = out;
  return parents;
}

/* "/a/../b" means what the kernel makes of it: the directory is asked for its name. NULL: errno says why. */
static char *without_parents(const char *path)
{
  const char *slash = strrchr(path, '/');
  char *head, *real, *whole;
  if (!strcmp(slash, "/.."))
    return realpath(path, NULL);
  head = slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
  real = head ? realpath(head, NULL) : NULL;
  free(head);
  if (!real)
    return NULL;
  whole = malloc(strlen(real) + strlen(slash) + 1);
  if (whole)
    strcat(strcpy(whole, strcmp(real, "/") ? real : ""), slash);
  free(real);
  return whole;
}

static bp_status add_item(fileset *set, const bp_host_api *host, char *path, uint32_t len)
{
  bool slash = path[len - 1] == '/';
  fileset_item *item;
  shown text;
  if (path[0] != '/') {
    bp_logf(host, BP_MSG_ERROR, "File = %s is not an absolute path and is not saved", show(&text, path, len));
    return BP_OK;
  }
  if (!grow((void **)&set->items, set->n_items, sizeof *set->items))
    return BP_E_NOMEM;
  item = &set->items[set->n_items];
  item->include = set->n_includes - 1;
  item->slash = slash;
  if (squeeze(path, &len)) {
    item->path = without_parents(path);
    if (!item->path) {
      bp_logf(host, BP_MSG_ERROR, "File = %s: %s", show(&text, path, len), strerror(errno));
      return BP_OK;
    }
    len = (uint32_t)strlen(item->path);
    (void)squeeze(item->path, &len);
  } else {
    item->path = malloc(len + 1);
    if (!item->path)
      return BP_E_NOMEM;
    memcpy(item->path, path, len + 1);
  }
  item->len = len;
  set->n_items++;
  return BP_OK;
}

static bp_status add_marker(fileset_include *include, const char *name)
{
  if (!grow((void **)&include->markers, include->n_markers, sizeof *include->markers))
    return BP_E_NOMEM;
  include->markers[include->n_markers] = strdup(name);
  return include->markers[include->n_markers] ? (include->n_markers++, BP_OK) : BP_E_NOMEM;
}

static bp_status read_lines(fileset *set, const bp_host_api *host, const char *text, char *item, uint32_t cap)
{
  bp_fileset lines;
  bool include = false;
  uint32_t len;
  char code[4];
  bp_status status;
  bp_fileset_begin(&lines, text);
  while ((status = bp_fileset_next(&lines, code, item, cap, &len)) == BP_OK) {
    if (!strcmp(code, "I")) {
      if (!grow((void **)&set->includes, set->n_includes, sizeof *set->includes))
        return BP_E_NOMEM;
      set->includes[set->n_includes++] = (fileset_include){ 0 };
      include = true;
    } else if (!strcmp(code, "E")) {
      include = false; /* the host matches; nothing here is ours */
    } else if (include && !strcmp(code, "Z") && len) {
      status = add_marker(&set->includes[set->n_includes - 1], item);
    } else if (include && !strcmp(code, "F") && len) {
      status = add_item(set, host, item, len);
    }
    if (status != BP_OK)
      return status;
  }
  if (status != BP_END)
    return bp_failf(host, BP_E_INVAL, BP_OS_NONE, 0, "the FileSet has a line that cannot be read");
  return BP_OK;
}

/* Builds `sorted` and drops items that repeat an earlier one; a slash of any of them counts. */
static bp_status sort_items(fileset *set)
{
  uint32_t kept = 0;
  if (!set->n_items)
    return BP_OK;
  set->sorted = malloc(set->n_items * sizeof *set->sorted);
  if (!set->sorted)
    return BP_E_NOMEM;
  for (uint32_t i = 0; i < set->n_items; i++)
    set->sorted[i] = &set->items[i];
  qsort(set->sorted, set->n_items, sizeof *set->sorted, compare_items);
  for (uint32_t i = set->n_items - 1; i; i--)
    if (!strcmp(set->sorted[i]->path, set->sorted[i - 1]->path)) {
      set->sorted[i]->include = UINT32_MAX; /* the first of equals has the lowest address */
      set->sorted[i - 1]->slash |= set->sorted[i]->slash;
    }
  for (uint32_t i = 0; i < set->n_items; i++) {
    if (set->items[i].include == UINT32_MAX)
      free(set->items[i].path);
    else
      set->items[kept++] = set->items[i];
  }
  set->n_items = kept;
  for (uint32_t i = 0; i < kept; i++)
    set->sorted[i] = &set->items[i];
  qsort(set->sorted, kept, sizeof *set->sorted, compare_items);
  return BP_OK;
}

bp_status fileset_read(fileset *set, const bp_host_api *host, const char *text)
{
  uint32_t cap = (uint32_t)strlen(text ? text : "") + 1;
  char *item = malloc(cap);
  bp_status status;
  *set = (fileset){ 0 };
  status = item ? read_lines(set, host, text, item, cap) : BP_E_NOMEM;
  free(item);
  if (status == BP_OK)
    status = sort_items(set);
  if (status != BP_OK)
    fileset_free(set);
  return status;
}

/* Index of the first item that is not below `path` in byte order. */
static uint32_t lower_bound(const fileset *set, const char *path, uint32_t len)
{
  uint32_t low = 0, high = set->n_items;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (compare(set->sorted[middle]->path, set->sorted[middle]->len, path, len) < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

bool fileset_names(const fileset *set, const char *path, uint32_t len)
{
  uint32_t i = lower_bound(set, path, len);
  return i < set->n_items && set->sorted[i]->len == len && !memcmp(set->sorted[i]->path, path, len);
}

bool fileset_reaches_below(const fileset *set, const char *directory, uint32_t len)
{
  uint32_t i = lower_bound(set, directory, len);
  return i < set->n_items && set->sorted[i]->len > len && !memcmp(set->sorted[i]->path, directory, len);
}

void fileset_free(fileset *set)
{
  for (uint32_t i = 0; i < set->n_includes; i++) {
    for (uint32_t j = 0; j < set->includes[i].n_markers; j++)
      free(set->includes[i].markers[j]);
    free(set->includes[i].markers);
  }
  for (uint32_t i = 0; i < set->n_items; i++)
    free(set->items[i].path);
  free(set->includes);
  free(set->items);
  free(set->sorted);
  *set = (fileset){ 0 };
}
