/*
 * A page of whole entries, as the host lays it out for itself: whole_entries and agents/restore_loop.py write it, restore_loop reads it.
 *
 *   page:   item, item, ...
 *   item:   u32 size | u32 streams: where they begin | u32 dest: where it begins | u32 length of dest
 *           bp_entry, its offsets count from itself | name NUL | link NUL | dest NUL | stream, stream, ... up to `size`
 *   stream: u32 number | u32 reserved | u64 announced size | u64 length | that many bytes
 *
 * Offsets count from the item's start; items and streams begin at multiples of 8.
 */
#ifndef RESTORE_PAGE_H
#define RESTORE_PAGE_H
#include <stdint.h>

#include "bplugin.h"

typedef struct item { uint32_t size, streams, dest, dest_len; bp_entry entry; } item;
typedef struct stream { uint32_t number, reserved; uint64_t announced, length; } stream;

static inline uint64_t padded(uint64_t length)
{
  return (length + 7) & ~(uint64_t)7;
}

#endif
