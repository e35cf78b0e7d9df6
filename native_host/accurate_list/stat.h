/*
 * <stat> of an attributes record: numbers in radix 64, parted by spaces. As filed/wire/attributes.py reads it.
 */
#ifndef ACCURATE_STAT_H
#define ACCURATE_STAT_H
#include <stdbool.h>
#include <stdint.h>

enum { STAT_DEV, STAT_INO, STAT_MODE, STAT_NLINK, STAT_UID, STAT_GID, STAT_RDEV, STAT_SIZE, STAT_BLKSIZE, STAT_BLOCKS,
       STAT_ATIME, STAT_MTIME, STAT_CTIME, STAT_FIELDS = 16 };

/* Its sign and 64 bits beside it: more than any C integer has. */
typedef struct number { uint64_t magnitude; bool negative; } number;

/* false: it is none. */
bool stat_read(const uint8_t *text, uint32_t length, number fields[STAT_FIELDS]);

static inline bool is_unsigned(const number *n, uint64_t value)
{
  return n->magnitude == value && (!n->negative || !value);
}

static inline bool is_signed(const number *n, int64_t value)
{
  return value < 0 ? n->negative && n->magnitude == -(uint64_t)value : is_unsigned(n, (uint64_t)value);
}

#endif
