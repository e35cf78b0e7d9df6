/* SPDX-License-Identifier: MIT */
/* A unit test of an agent, as its author writes it: the agent's source, the fake host, and no filed. */
#include AGENT
#include "bplugin_fake.h"

static unsigned saved, bytes;

static void each(void *user, const bp_fake_entry *one)
{
  saved++;
  bytes += (unsigned)one->len;
  printf("%s%s: %.*s", (const char *)user, one->name, (int)one->len, (const char *)one->data);
}

int main(int argc, char **argv)
{
  static bp_fake host; /* half a megabyte */
  bp_begin why = bp_fake_begin(BP_KIND_BACKUP, BP_LEVEL_FULL);
  bp_agent *agent;
  if (!bp_fake_open(&host) || argc < 2)
    return 1;
  if (bp_fake_agent(&host, "no=such option", NULL))
    return 2;
  agent = bp_fake_agent(&host, argv[1], NULL);
  if (!agent || bp_fake_backup(&host, agent, &why, each, "full ") != BP_OK)
    return 3;
  printf("state %.*s\n", (int)host.context.state_len, (const char *)host.context.state);
  why.level = BP_LEVEL_INCREMENTAL;
  why.state_why = BP_STATE_FOUND;
  why.state = "1 4";
  why.state_len = 3;
  why.state_format = host.context.state_format;
  if (bp_fake_backup(&host, agent, &why, each, "more ") != BP_OK)
    return 4;
  why.state = "nonsense";
  why.state_len = 8;
  printf("a state of somebody else: %d, %s\n", (int)bp_fake_backup(&host, agent, &why, each, ""), host.context.failed);
  host.d->api->destroy(agent);
  return saved == 3 && bytes > 0 ? 0 : 5;
}
