/* What a catalog knows of the entries of one Job: 64 bits each, a keyed hash of its attributes and one of its digest. */
#ifndef KNOWN_H
#define KNOWN_H
#include "whole_entries.h"

/* Of one FileIndex: 0 where nothing is known. */
uint64_t known_of(const plan *p, int32_t file_index);

/* Has it ACLs or extended attributes there? true also where the catalog does not say. */
bool known_metadata(const plan *p, int32_t file_index);

/* The high half: of `<type> NUL <path> NUL <stat> NUL <link> NUL <extended>`. The low half: of the digest behind its stream's byte. */
uint64_t known_hash(const uint64_t key[2], const uint8_t *attributes, uint64_t length, const uint8_t *digest, uint64_t digest_length);

#endif
