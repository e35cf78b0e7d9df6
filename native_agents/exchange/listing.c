/* SPDX-License-Identifier: Apache-2.0 */
#include "listing.h"

#include <stdlib.h>
#include <string.h>

static const uint64_t OWN_COOKIES = 1ull << 48; /* above any number of a file */

static listed *add(listing *l, const char *name, uint32_t type, uint32_t mode, int64_t modified)
{
  listed *larger, *one;
  if (l->next == l->count)
    l->next = l->count = 0;
  larger = realloc(l->at, (l->count + 1) * sizeof *larger);
  if (!larger)
    return NULL;
  l->at = larger;
  one = &larger[l->count];
  memset(one, 0, sizeof *one);
  one->name = strdup(name);
  if (!one->name)
    return NULL;
  one->entry.cookie = OWN_COOKIES + l->cookies++;
  one->entry.type = type;
  one->entry.flags = BP_ENTRY_SELECTED; /* numbers decide here, no clock */
  one->entry.valid = BP_HAS_MODE | BP_HAS_MTIME;
  one->entry.mode = mode;
  one->entry.mtime.sec = modified;
  l->count++;
  return one;
}

bool listing_file(listing *l, const char *name, uint64_t cookie, int64_t modified, uint64_t size)
{
  listed *one = add(l, name, BP_TYPE_REGULAR, 0600, modified);
  if (!one)
    return false;
  one->entry.cookie = cookie;
  one->entry.streams = BP_STREAM_BIT(BP_STREAM_DATA);
  if (size != BP_SIZE_UNKNOWN) {
    one->entry.valid |= BP_HAS_SIZE;
    one->entry.size = size;
  }
  return true;
}

bool listing_content(listing *l, const char *name, uint32_t type, int64_t modified, const text *content)
{
  listed *one = add(l, name, type, 0600, modified);
  if (!one)
    return false;
  one->entry.streams = BP_STREAM_BIT(type == BP_TYPE_OBJECT ? BP_STREAM_OBJECT : BP_STREAM_DATA);
  one->entry.valid |= BP_HAS_SIZE;
  one->entry.size = content->len;
  text_add(&one->content, content->at, content->len);
  return !one->content.failed;
}

bool listing_directory(listing *l, const char *name, int64_t modified, bool is_top)
{
  listed *one = add(l, name, BP_TYPE_DIRECTORY, 0700, modified);
  if (one && is_top)
    one->entry.flags |= BP_ENTRY_TOP;
  return one != NULL;
}

static bp_status put(bp_page *page, const listed *one)
{
  bp_status status = bp_page_add(page, &one->entry, one->name, (uint32_t)strlen(one->name), NULL, 0);
  if (status != BP_OK || !one->content.at)
    return status;
  status = one->entry.type == BP_TYPE_OBJECT
               ? bp_page_tlv(page, BP_STREAM_OBJECT, one->content.at, (uint32_t)one->content.len)
               : bp_page_inline(page, one->content.at, (uint32_t)one->content.len);
  if (status == BP_PAGE_FULL)
    bp_page_undo(page);
  return status;
}

bp_status listing_page(listing *l, bp_page *page)
{
  while (l->next < l->count) {
    listed *one = &l->at[l->next];
    bp_status status = put(page, one);
    if (status != BP_OK)
      return status;
    free(one->name);
    text_free(&one->content);
    l->next++;
  }
  return BP_OK;
}

bool listing_empty(const listing *l)
{
  return l->next == l->count;
}

void listing_free(listing *l)
{
  for (; l->next < l->count; l->next++) {
    free(l->at[l->next].name);
    text_free(&l->at[l->next].content);
  }
  free(l->at);
  memset(l, 0, sizeof *l);
}
