"""Bytes on the wire and on the Volume <-> values.  Knows no files, no sockets and no other room."""
