#!/usr/bin/env bash
# A server in a cgroup of 1 GiB under loads that would take more memory: 16,000 connections that sent one byte of a line, 5,000 that sent
# 1 MB of an unfinished line, 6,000 senders of 64 KB while fdatasync takes 8 s, 100 readers of /records/stream that do not read, and all
# together at half size; then 6,000 senders of 1 MB. The process must not end, well-behaved clients must be served throughout, the peak
# must stay below the limit, and the memory must be back at its baseline plus 64 MiB within a minute. Prints a line for each load, and
# "passed" or "failed" last. Needs python3, a C compiler, a hard limit of open files of 20,000, and root for the cgroup; without root the
# heap has a limit instead, and the peak is the largest resident set.
#
#   tests/acceptance/memory.sh
#   LOADS="bytes lines" tests/acceptance/memory.sh      # some of: bytes lines senders streams all flood
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
trap '[ $? = 0 ] || echo failed' EXIT
[ -n "${SERVER:-}" ] || dotnet build -c Release "$root/src/Perch.Server" --nologo -v quiet
ulimit -n "$(ulimit -Hn)"
python3 "$here/memory.py" "${SERVER:-$root/src/Perch.Server/bin/Release/net10.0/perch-server}" "${LOADS:-bytes lines senders streams all flood}"
echo passed
