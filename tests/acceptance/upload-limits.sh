#!/usr/bin/env bash
# 200 uploads at once against each limit of the file store: MaxBytes, MaxFiles, MaxPartials, MaxPartialsPerSource, MinFreeBytes (on a tmpfs),
# MaxFileBytes and AbandonAfter. A limit holds at every moment: the folder is scanned all the time. Then 20,000 uploads by 8 writers of 5
# names, with deletes and kill -9 of the server among them: the counters of /metrics equal a scan of the folder. Prints the numbers, and
# "passed" or "failed" last. Runs in network and mount namespaces of its own. Needs python3, iproute2 and util-linux; root, or user namespaces.
#
#   tests/acceptance/upload-limits.sh                       # about five minutes
#   UPLOADS=2000 tests/acceptance/upload-limits.sh          # fewer uploads in the second part
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
trap '[ $? = 0 ] || echo failed' EXIT

if [ "${1:-}" != --inside ]; then
  dotnet build -c Release "$root/src/Perch.Server" --nologo -v quiet
  unshare --net --mount $([ "$(id -u)" = 0 ] || echo --map-root-user) "$0" --inside
  exit
fi

ip link set lo up
ulimit -n 8192 2>/dev/null || true
python3 "$here/upload_limits.py" "$root/src/Perch.Server/bin/Release/net10.0/perch-server" "${UPLOADS:-20000}"
echo passed
