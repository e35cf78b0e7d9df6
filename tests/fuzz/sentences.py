"""Bytes of a fuzzer as what a Director says: whole sentences of its own, so that a few bytes lead deep into a visit, and anything else."""

from __future__ import annotations

import zlib

from filed.wire.frame import Packet, Signal

SIGNALS = tuple(Signal)
_SENTENCE, _SIGNAL = 0xC0, 0x80

SENTENCES: tuple[bytes, ...] = (
    b"JobId=5 Job=Save.2026-11-23_10.14.28_03 SDid=1 SDtime=17 Authorization=KEY\n",
    b"JobId=0 Job=-Console-.2026-11-23_10.14.28_02 SDid=0 SDtime=0 Authorization=dummy\n",
    b"level = full  mtime_only=0 \n",
    b"level = accurate_full  mtime_only=0 rerunning \n",
    b"level = base  mtime_only=0 \n",
    b"level = accurate_incremental  mtime_only=0 \n",
    b"level = differential  mtime_only=0 \n",
    b"level = since_utime 1795428925 mtime_only=0 prev_job=Save.2026-11-23_10.13.23_05\n",
    b"btime 1795428868000000\n",
    b"btime 1795429868000000\n",
    # A FileSet
    b"fileset vss=1\n",
    b"I\n",
    b"E\n",
    b"N\n",
    b"O MZ6:V:Jpin5:P0:\n",
    b"O S3Arashc\n",
    b"WF *.o\n",
    b"WD /a/*\n",
    b"R ^/a(b|c)[[:alpha:]]\n",
    b"RF (x\n",
    b"X .filed-nothing\n",
    b"F /a/b\n",
    b"F </etc/filed-list\n",
    b"F |echo /a\n",
    b"P pipe:/a/b.sql:dump:load\n",
    b"T ext4\n",
    # Lists
    b"accurate files=2\n",
    b"/a/b\0P0A BrBBGe IGk B A A A EAAC BAA I BrBBIG BrBBGe BrBBGe A A C\0rL0Y20zC+Fzt72VPzMSk2A\0001",
    b"/a/\0P0A BrBBGe IGk B A A A EAAC BAA I BrBBIG BrBBGe BrBBGe A A C\0\0000",
    b"/a\0broken",
    b"component_info\n",
    # The Storage Daemon, and what is to be done
    b"storage address=192.0.2.5 port=9103 ssl=0\n",
    b"storage address=192.0.2.5 port=9103 ssl=0 Authorization=OTHER\n",
    b"storage address=192.0.2.5 port=0 ssl=0\n",
    b"backup FileIndex=0\n",
    b"backup FileIndex=2\n",
    b"estimate listing=0\n",
    b"estimate listing=1 limit=3\n",
    b"verify level=init\n",
    b"verify level=catalog\n",
    b"verify level=volume\n",
    b"verify level=disk_to_catalog\n",
    b"verify level=data\n",
    b"restoreobject JobId=5 4,9,0,25,0,1,pipe:x\n",
    b"restoreobject JobId=5 11,3,0,25,1,1,pipe:x\n",
    b"an object\0",
    zlib.compress(b"its content" * 9),
    b"restoreobject end\n",
    b"restore files=2 replace=a prelinks=0 where=/tmp/re\x01stored\n",
    b"restore replace=n prelinks=1 regexwhere=!/a!/b!i,!x$!!\n",
    b"endrestore\n",
    b"PluginFeatures\n",
    # Programs, questions
    b"Run OnSuccess=0 OnFailure=1 AbortOnError=0 When=1 Command=/bin/echo\x01x\n",
    b"RunBeforeNow\n",
    b"status\n",
    b".status running api=2 api_opts=x\n",
    b"cancel Job=Save.2026-11-23_10.14.28_03\n",
    b"stop Job=nobody\n",
    b"setbandwidth=100 Job=Save.2026-11-23_10.14.28_03\n",
    b"setdebug=50 trace=1 hangup=0 blowup=0 options= tags=\n",
    b"session\n",
    # Of 15
    b"snapshot retention=100\n",
    b"snapshot no:word=5\n",
    b"testnetwork bytes=10 rtt=1\n",
    b"restorefilelist plugin=pipe:x\n",
)


def packets_in(data: bytes) -> list[Packet]:
    """A header of one byte each: 0xC0 and more for a sentence, 0x80 and more for a signal, else the length of what follows."""
    found: list[Packet] = []
    at = 0
    while at < len(data):
        head = data[at]
        at += 1
        if head >= _SENTENCE:
            found.append(SENTENCES[(head - _SENTENCE) % len(SENTENCES)])
        elif head >= _SIGNAL:
            found.append(SIGNALS[(head - _SIGNAL) % len(SIGNALS)])
        else:
            found.append(data[at : at + head])
            at += head
    return found
