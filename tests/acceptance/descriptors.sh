#!/usr/bin/env bash
# A server with few descriptors (nofile 420, 1024, 8192) under loads that ask for more: connections to echo far above the limit, silent
# connections over a cap, silent connections to the admin endpoint, 500 uploads at once, and all together. The process must not end, the
# admin endpoint must answer throughout, and a new connection must be served within a second after the load. Prints a line for each
# load, and "passed" or "failed" last. Needs python3 and a hard limit of open files of 20,000.
#
#   tests/acceptance/descriptors.sh                     # Perch's own sockets
#   ENGINE=Kestrel tests/acceptance/descriptors.sh      # Kestrel's
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
trap '[ $? = 0 ] || echo failed' EXIT
[ -n "${SERVER:-}" ] || dotnet build -c Release "$root/src/Perch.Server" --nologo -v quiet
ulimit -n "$(ulimit -Hn)"
for limit in ${LIMITS:-420 1024 8192}; do
  printf '\nnofile %s, SocketEngine %s\n' "$limit" "${ENGINE:-Direct}"
  python3 "$here/descriptors.py" "${SERVER:-$root/src/Perch.Server/bin/Release/net10.0/perch-server}" "$limit" "${ENGINE:-Direct}"
done
echo passed
