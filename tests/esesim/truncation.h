/* SPDX-License-Identifier: Apache-2.0 */
/* Which logs a session is offered, when it is refused, and which logs truncation deletes. */
#ifndef ESESIM_TRUNCATION_H
#define ESESIM_TRUNCATION_H

#include "pages.h"

/* Of logs only: every mounted database has a Full, and no log since the last Full or Incremental is gone. */
ese_result truncation_precondition(const group *of);
/* Logs below *below may go. taken: per database of the group, whether this session, a Full, has it; NULL: logs only.
 * high: the newest log of this session. */
ese_result truncation_bound(const group *of, const bool *taken, uint32_t high, uint32_t *below);
/* Oldest first, so that a crash leaves a contiguous tail. die_after: 0 never. */
ese_result truncation_delete(const group *of, uint32_t below, uint32_t die_after);

#endif
