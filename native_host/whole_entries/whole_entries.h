/*
 * What the records of small entries are turned into a page with, and what came of it: `Plan` of job/decode/native_entries.py.
 *
 * Python decides what is read, where it goes, what a catalog knows and which libraries expand and digest; this follows. It takes an entry
 * only when all is plainly well with it. Every other stays for job/decode/whole_entries.py and those behind it, which say what is wrong.
 */
#ifndef WHOLE_ENTRIES_H
#define WHOLE_ENTRIES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PAGE_ENTRIES = 256, DIGESTS = 4, MOST_DIGEST_BYTES = 64, KNOWN_IN_BLOCK = 128 };
enum { PAGE_BYTES = 1 << 20, MOST_ENTRY_BYTES = 96 << 10, MOST_CONTENT_BYTES = 64 << 10, MOST_RECORDS = 8 };

enum { PURPOSE_RESTORE, PURPOSE_CHECK };            /* CHECK: nothing is laid out */
enum { WHY_MORE, WHY_FULL, WHY_NOT_PLAIN };         /* the records end in an entry | the page is full | the next entry is not for us */

enum { TYPE_HARD_LINK = 1, TYPE_EMPTY = 2, TYPE_REGULAR = 3, TYPE_SYMLINK = 4, TYPE_DIRECTORY = 5, TYPE_SPECIAL = 6 };

/* Of libcrypto, as hashlib has it, and of libdeflate, as the package `deflate` has it. */
typedef int digest_init(void *context, const void *kind, void *engine);
typedef int digest_update(void *context, const void *data, size_t size);
typedef int digest_final(void *context, unsigned char *digest, unsigned *size);
typedef int inflate_all(void *inflator, const void *in, size_t in_size, void *out, size_t room, size_t *taken, size_t *made);

typedef struct plan {
  digest_init   *init;
  digest_update *update;
  digest_final  *final;
  void          *digest_context;
  const void    *digests[DIGESTS];          /* EVP_MD of MD5, SHA-1, SHA-256, SHA-512; NULL: unknown here */
  inflate_all   *inflate;
  void          *inflator;
  const uint8_t *where;                     /* names go below it */
  uint64_t       where_length;
  /* what a catalog knows, see known.h */
  const uint32_t *blocks;                   /* their numbers, ascending */
  const uint64_t *const *known;
  const uint32_t *const *metadata;          /* NULL in it: none in that block */
  uint64_t       block_count;
  uint64_t       key[2];
  const int32_t *renamed;                   /* FileIndexes that get other names, ascending */
  uint64_t       renamed_count;
  uint32_t       purpose;
  int32_t        last_index;                /* the largest FileIndex that came */
  /* the page */
  uint8_t       *page;
  uint64_t       room, used;
  uint32_t       entries;
  uint32_t       why;
  uint64_t       ends[PAGE_ENTRIES];
  int64_t        times[PAGE_ENTRIES];
  int32_t        file_indexes[PAGE_ENTRIES];
  uint32_t       types[PAGE_ENTRIES];
  /* what it has seen, of the page */
  uint64_t       proofs;                    /* bit n: a digest of stream n proved something */
  uint64_t       undigested;                /* contents without one */
  uint64_t       content_bytes;
  uint64_t       found;                     /* entries that the catalog knows */
} plan;

/* All records of one entry, in the order they came: attributes, content, digest. Nothing else is plain. */
typedef struct entry {
  int32_t  file_index;
  uint64_t size;                            /* of its records, with their headers */
  const uint8_t *attributes, *content, *digest; /* NULL: there is none */
  uint32_t attributes_size, content_size, digest_size;
  uint32_t content_stream, digest_stream;
} entry;

#endif
