#!/usr/bin/env bash
# TFTP sessions that outlive the drain of their endpoint, a hundred of them. Each waits for a slow disk while its socket is closed, and
# other connections get the freed descriptor numbers. When the disk answers, no other connection may be shut down, and no incomplete
# file may be acknowledged. Prints a line for each round, and "passed" or "failed" last. Needs python3 and strace, and to be allowed to trace.
#
#   tests/acceptance/stale-sessions.sh
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
trap '[ $? = 0 ] || echo failed' EXIT
[ -n "${SERVER:-}" ] || dotnet build -c Release "$root/src/Perch.Server" --nologo -v quiet
python3 "$here/stale_sessions.py" "${SERVER:-$root/src/Perch.Server/bin/Release/net10.0/perch-server}"
echo passed
