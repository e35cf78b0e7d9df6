/*
 * SipHash-1-3, as Python hashes bytes with: who writes a Volume cannot find two entries of one hash without the key.
 * J.-P. Aumasson, D. J. Bernstein: "SipHash: a fast short-input PRF", 2012.
 */
#include <string.h>

#include "known.h"

enum { METADATA_UNKNOWN = 1 };

#define API __attribute__((visibility("default")))

static uint64_t rotated(uint64_t x, int bits)
{
  return x << bits | x >> (64 - bits);
}

static void round_of(uint64_t v[4])
{
  v[0] += v[1], v[1] = rotated(v[1], 13) ^ v[0], v[0] = rotated(v[0], 32);
  v[2] += v[3], v[3] = rotated(v[3], 16) ^ v[2];
  v[0] += v[3], v[3] = rotated(v[3], 21) ^ v[0];
  v[2] += v[1], v[1] = rotated(v[1], 17) ^ v[2], v[2] = rotated(v[2], 32);
}

static uint64_t word_at(const uint8_t *data, size_t count)
{
  uint64_t word = 0;
  for (size_t i = 0; i < count; i++)
    word |= (uint64_t)data[i] << 8 * i;
  return word;
}

API uint64_t siphash(const uint64_t key[2], const uint8_t *data, uint64_t length);
uint64_t siphash(const uint64_t key[2], const uint8_t *data, uint64_t length)
{
  uint64_t v[4] = { key[0] ^ 0x736f6d6570736575, key[1] ^ 0x646f72616e646f6d, key[0] ^ 0x6c7967656e657261, key[1] ^ 0x7465646279746573 };
  uint64_t left = length, word;
  for (; left >= 8; left -= 8, data += 8) {
    word = word_at(data, 8);
    v[3] ^= word;
    round_of(v);
    v[0] ^= word;
  }
  word = length << 56 | word_at(data, left);
  v[3] ^= word;
  round_of(v);
  v[0] ^= word;
  v[2] ^= 0xff;
  round_of(v);
  round_of(v);
  round_of(v);
  return v[0] ^ v[1] ^ v[2] ^ v[3];
}

API uint64_t known_hash(const uint64_t key[2], const uint8_t *attributes, uint64_t length, const uint8_t *digest, uint64_t digest_length);
uint64_t known_hash(const uint64_t key[2], const uint8_t *attributes, uint64_t length, const uint8_t *digest, uint64_t digest_length)
{
  uint32_t high = (uint32_t)siphash(key, attributes, length);
  return (uint64_t)(high ? high : 1) << 32 | (uint32_t)siphash(key, digest, digest_length);
}

/* Where its block is; block_count: there is none. */
static uint64_t block_of(const plan *p, int32_t file_index)
{
  uint32_t number = (uint32_t)file_index / KNOWN_IN_BLOCK;
  uint64_t low = 0, high = p->block_count;
  while (low < high) {
    uint64_t middle = low + (high - low) / 2;
    if (p->blocks[middle] < number)
      low = middle + 1;
    else
      high = middle;
  }
  return low < p->block_count && p->blocks[low] == number ? low : p->block_count;
}

uint64_t known_of(const plan *p, int32_t file_index)
{
  uint64_t at = block_of(p, file_index);
  return at < p->block_count ? p->known[at][file_index % KNOWN_IN_BLOCK] : 0;
}

bool known_metadata(const plan *p, int32_t file_index)
{
  uint64_t at = block_of(p, file_index);
  uint32_t kept = at < p->block_count && p->metadata[at] ? p->metadata[at][file_index % KNOWN_IN_BLOCK] : 0;
  return kept != 0 && kept != METADATA_UNKNOWN;
}
