/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "acl.h"

#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { USER_OBJ = 0x01, USER = 0x02, GROUP_OBJ = 0x04, GROUP = 0x08, MASK = 0x10, OTHER = 0x20 };
enum { HEAD_BYTES = 4, ENTRY_BYTES = 8, VERSION = 2, NAME_BYTES = 256 };
#define NO_ID UINT32_MAX

typedef struct acl_entry { uint16_t tag, perm; uint32_t id; } acl_entry;

static uint32_t get32(const uint8_t *p)
{
  return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put32(uint8_t *p, uint32_t n)
{
  for (int i = 0; i < 4; i++)
    p[i] = (uint8_t)(n >> (8 * i));
}

static acl_entry get_entry(const uint8_t *p)
{
  return (acl_entry){ .tag = (uint16_t)(p[0] | p[1] << 8), .perm = (uint16_t)(p[2] | p[3] << 8), .id = get32(p + 4) };
}

static bool is_value(const uint8_t *p, size_t len)
{
  return len >= HEAD_BYTES && (len - HEAD_BYTES) % ENTRY_BYTES == 0 && get32(p) == VERSION;
}

bool acl_is_name(const char *attribute)
{
  return !strcmp(attribute, ACL_ACCESS_NAME) || !strcmp(attribute, ACL_DEFAULT_NAME);
}

bool acl_is_mode(const void *value, size_t len)
{
  const uint8_t *p = value;
  if (!is_value(p, len))
    return false;
  for (size_t at = HEAD_BYTES; at < len; at += ENTRY_BYTES)
    if (get_entry(p + at).tag & (USER | GROUP | MASK))
      return false;
  return true;
}

static const char *word_of(unsigned tag)
{
  return tag & (USER_OBJ | USER) ? "user" : tag & (GROUP_OBJ | GROUP) ? "group" : tag == MASK ? "mask" : "other";
}

size_t acl_text(char *text, size_t cap, const void *value, size_t len)
{
  const uint8_t *p = value;
  size_t used = 0;
  if (!is_value(p, len))
    return 0;
  for (size_t at = HEAD_BYTES; at < len; at += ENTRY_BYTES) {
    acl_entry e = get_entry(p + at);
    char id[11] = "";
    if (cap - used <= ACL_LINE_MAX)
      return 0;
    if (e.tag & (USER | GROUP))
      snprintf(id, sizeof id, "%u", e.id);
    used += (size_t)snprintf(text + used, cap - used, "%s:%s:%c%c%c\n", word_of(e.tag), id, e.perm & 4 ? 'r' : '-',
                             e.perm & 2 ? 'w' : '-', e.perm & 1 ? 'x' : '-');
  }
  return used;
}

/* ---- text to value ---------------------------------------------------------------------------------------------------- */

static bool blank(char c)
{
  return c == ' ' || c == '\t' || c == '\r';
}

/* libacl writes odd bytes of a name as \ooo. */
static void unquote(char *name)
{
  char *out = name;
  for (const char *p = name; *p; p++) {
    if (p[0] == '\\' && p[1] >= '0' && p[1] <= '3' && p[2] >= '0' && p[2] <= '7' && p[3] >= '0' && p[3] <= '7') {
      *out++ = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
      p += 3;
    } else {
      *out++ = *p;
    }
  }
  *out = 0;
}

static bool number(const char *text, uint32_t *id)
{
  uint64_t n = 0;
  if (!*text)
    return false;
  for (; *text; text++) {
    if (*text < '0' || *text > '9' || n > UINT32_MAX)
      return false;
    n = n * 10 + (uint64_t)(*text - '0');
  }
  *id = (uint32_t)n;
  return n < UINT32_MAX;
}

/* The id of a user or group. All digits are a number: a writer of numbers is the rule, a name of digits is not. */
static bool id_of(unsigned tag, char *name, uint32_t *id)
{
  static const size_t most = 1u << 20;
  bool found = false;
  unquote(name);
  if (number(name, id))
    return true;
  for (size_t cap = 4096; cap <= most; cap *= 4) {
    char *room = malloc(cap);
    int wrong;
    if (!room)
      return false;
    if (tag == USER) {
      struct passwd one, *got = NULL;
      wrong = getpwnam_r(name, &one, room, cap, &got);
      if ((found = got != NULL))
        *id = got->pw_uid;
    } else {
      struct group one, *got = NULL;
      wrong = getgrnam_r(name, &one, room, cap, &got);
      if ((found = got != NULL))
        *id = got->gr_gid;
    }
    free(room);
    if (found || !wrong)
      break;
  }
  return found;
}

/* "user:1000:rw-" without blanks around it. */
static bool read_line(const char *line, size_t len, acl_entry *e)
{
  static const struct { const char *word; uint16_t bare, named; } words[] = {
    { "user", USER_OBJ, USER }, { "u", USER_OBJ, USER }, { "group", GROUP_OBJ, GROUP }, { "g", GROUP_OBJ, GROUP },
    { "mask", MASK, 0 },        { "m", MASK, 0 },        { "other", OTHER, 0 },         { "o", OTHER, 0 },
  };
  const char *colon = memchr(line, ':', len), *second;
  char name[NAME_BYTES];
  size_t n;
  if (!colon)
    return false;
  second = memchr(colon + 1, ':', len - (size_t)(colon + 1 - line));
  n = second ? (size_t)(second - colon) - 1 : 0;
  if (n >= sizeof name)
    return false;
  memcpy(name, colon + 1, n);
  name[n] = 0;
  *e = (acl_entry){ .id = NO_ID };
  for (size_t i = 0; i < sizeof words / sizeof *words; i++)
    if (strlen(words[i].word) == (size_t)(colon - line) && !memcmp(line, words[i].word, (size_t)(colon - line)))
      e->tag = n ? words[i].named : words[i].bare;
  if (!e->tag || (n && !id_of(e->tag, name, &e->id)))
    return false;
  for (const char *p = (second ? second : colon) + 1; p < line + len; p++) {
    const char *letters = "xwr", *at = *p == '-' ? NULL : memchr(letters, *p, 3);
    if (!at && *p != '-')
      return false;
    if (at)
      e->perm |= (uint16_t)(1u << (at - letters));
  }
  return true;
}

static int order(const void *a, const void *b)
{
  const acl_entry *x = a, *y = b;
  return x->tag != y->tag ? (x->tag > y->tag) - (x->tag < y->tag) : (x->id > y->id) - (x->id < y->id);
}

size_t acl_value(void *value, size_t cap, const char *text, size_t len, const char **bad)
{
  size_t most = cap < HEAD_BYTES ? 0 : (cap - HEAD_BYTES) / ENTRY_BYTES, count = 0;
  acl_entry *entries = malloc((most ? most : 1) * sizeof *entries);
  uint8_t *out = value;
  bool good = entries && most;
  *bad = text;
  for (size_t at = 0; good && at < len && text[at];) {
    const char *line = text + at, *end = memchr(line, '\n', len - at), *hash;
    size_t n = end ? (size_t)(end - line) : strnlen(line, len - at);
    at += n + 1;
    *bad = line;
    if ((hash = memchr(line, '#', n)))
      n = (size_t)(hash - line);
    while (n && blank(line[n - 1]))
      n--;
    for (; n && blank(*line); n--)
      line++;
    if (n)
      good = count < most && read_line(line, n, &entries[count++]);
  }
  if (!good || !count) {
    free(entries);
    return 0;
  }
  qsort(entries, count, sizeof *entries, order);
  put32(out, VERSION);
  for (size_t i = 0; i < count; i++) {
    uint8_t *p = out + HEAD_BYTES + i * ENTRY_BYTES;
    put32(p, entries[i].tag | (uint32_t)entries[i].perm << 16);
    put32(p + 4, entries[i].id);
  }
  free(entries);
  return HEAD_BYTES + count * ENTRY_BYTES;
}
