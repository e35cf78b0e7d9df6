/* SPDX-License-Identifier: Apache-2.0 */
/* Entries that wait for a page. */
#ifndef EXCHANGE_LISTING_H
#define EXCHANGE_LISTING_H

#include <stdbool.h>

#include "bplugin_sdk.h"
#include "text.h"

typedef struct listed {
  bp_entry entry;
  char    *name;
  text     content;   /* inline DATA of a regular file, or an OBJECT; else empty */
} listed;

/* Zeroed: empty. */
typedef struct listing {
  listed  *at;
  uint32_t count, next;
  uint64_t cookies;   /* given to entries that have no stream to be opened */
} listing;

/* A file whose data is read later by `cookie`. modified: seconds since 1970; size: BP_SIZE_UNKNOWN is fine. False: no memory. */
bool listing_file(listing *l, const char *name, uint64_t cookie, int64_t modified, uint64_t size);
/* A small file, or a restore object, with its content. */
bool listing_content(listing *l, const char *name, uint32_t type, int64_t modified, const text *content);
bool listing_directory(listing *l, const char *name, int64_t modified, bool is_top);

/* Moves what fits onto the page. BP_OK; BP_PAGE_FULL: the rest waits. */
bp_status listing_page(listing *l, bp_page *page);
bool      listing_empty(const listing *l);
void      listing_free(listing *l);

#endif
