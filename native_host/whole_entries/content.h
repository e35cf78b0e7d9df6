/* Content and its proof, by the libraries of the plan. */
#ifndef CONTENT_H
#define CONTENT_H
#include "whole_entries.h"

/* What one data record holds: without its address and its compression. */
typedef struct stored { const uint8_t *at; uint32_t size; bool compressed; } stored;

bool content_stored(const entry *e, stored *found);

/* Its content into `out`, `room` bytes; -1: it is damaged, or larger. */
int64_t content_expand(const plan *p, const stored *s, uint8_t *out, uint64_t room);

bool content_proved(const plan *p, const entry *e, const uint8_t *content, uint64_t size);

bool stream_is_digest(uint32_t stream);
bool stream_is_content(uint32_t stream);
bool stream_is_sparse(uint32_t stream);

#endif
