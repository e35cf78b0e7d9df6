/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that the interface hands out: what came from which call, and went back through the right one. */
#ifndef ESESIM_MEMORY_H
#define ESESIM_MEMORY_H

#include "esebcli2.h"

enum memory_kind { MEMORY_INSTANCES, MEMORY_BACKUP, MEMORY_ENVIRONMENT, MEMORY_NODES, MEMORY_REGISTERED, MEMORY_KINDS };

/* A block for the client; count: of the array in it. NULL: no memory. */
void *memory_give(enum memory_kind kind, size_t size, uint32_t count);
/* More, freed with `block`. */
void *memory_more(void *block, size_t size);
/* UTF-16 of a string, freed with `block`. */
ese_char *memory_text(void *block, const char *text);
/* A block not given by memory_give, or of another kind or count, is noted and left alone. NULL is nothing. */
void memory_take_back(enum memory_kind kind, void *block, uint32_t count);
/* Our own change of mind about a block. */
void memory_drop(void *block);

#endif
