/* SPDX-License-Identifier: Apache-2.0 */
/* What the server tells about itself: the storage groups with their databases, its services. */
#ifndef ESESIM_LISTING_H
#define ESESIM_LISTING_H

#include "store.h"

/* ESE_OK when the store is this server's (NULL, "" or a store without a name: any) and serves this annotation. */
ese_result store_answers(const store *asked, const ese_char *server, const ese_char *annotation);
/* All groups but recovery groups; memory of MEMORY_INSTANCES. */
ese_result listing_instances(const store *of, uint32_t *count, ese_instance_info **instances);

#endif
