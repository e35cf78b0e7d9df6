/* SPDX-License-Identifier: Apache-2.0 */
/* Do the logs that are there continue what the base Job has? By generation, time of creation and signature, never by clock. */
#ifndef EXCHANGE_CHAIN_H
#define EXCHANGE_CHAIN_H

#include "group.h"
#include "text.h"

/* Does the base have each database that is wanted now, the same one? False: why says what is missing. */
bool chain_has_databases(const group *g, const group_record *base, text *why);

/* Do the wanted logs follow each other without a hole? False: why says where it is. */
bool chain_is_whole(const group *g, text *why);

/* And do they follow the base's highest? Asked of logs listed with their heads, the base's highest among them if it is there. */
bool chain_continues(const group *g, const group_record *base, text *why);

/* Says so when the Director's clock would have chosen other logs than the generations do. */
void chain_tell_clock(const group *g, const group_record *base);

#endif
