/* The attributes record of one entry, as filed/wire/attributes.py reads it, and what an agent gets of it. */
#ifndef ATTRIBUTES_H
#define ATTRIBUTES_H
#include "../accurate_list/stat.h"
#include "bplugin.h"
#include "whole_entries.h"

enum { STAT_DATA_STREAM = 15 };

typedef struct text { const uint8_t *at; uint32_t length; } text;

typedef struct attributes {
  uint32_t type;
  text type_digits, path, stat, link, extended;
  number fields[STAT_FIELDS];
} attributes;

/* false: not plainly an attributes record of ours or of a Bacula's. */
bool attributes_read(const uint8_t *record, uint32_t size, attributes *found);

/* The fields of a bp_entry from its cookie on. false: a number that is out of bounds, or nothing that is restored. */
bool attributes_restored(const attributes *a, bp_entry *made);

/* Announced with the content; -1: not known. */
int64_t attributes_size(const attributes *a);

#endif
