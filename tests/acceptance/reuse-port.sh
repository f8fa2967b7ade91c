#!/usr/bin/env bash
# Two Perch processes share one TCP port (ReusePort). One is stopped and started again, 20 times, and clients make 1,000 connects during
# each stop, first with net.ipv4.tcp_migrate_req=1 and then with 0. Prints the connects that were lost, and "passed" or "failed" last.
# Runs in a network namespace of its own, so the setting does not reach the machine. Needs Linux 5.14, python3, iproute2 and util-linux;
# root, or user namespaces.
#
#   tests/acceptance/reuse-port.sh                     # Perch's own sockets
#   ENGINE=Kestrel tests/acceptance/reuse-port.sh      # Kestrel's, which close with connections in the queue
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
trap '[ $? = 0 ] || echo failed' EXIT

if [ "${1:-}" != --inside ]; then
  dotnet build -c Release "$root/src/Perch.Server" --nologo -v quiet
  unshare --net $([ "$(id -u)" = 0 ] || echo --map-root-user) "$0" --inside
  exit
fi

ip link set lo up
for migrate in 1 0; do
  echo "$migrate" > /proc/sys/net/ipv4/tcp_migrate_req
  printf '\ntcp_migrate_req=%s, SocketEngine %s\n' "$migrate" "${ENGINE:-Direct}"
  python3 "$here/reuse_port.py" "$root/src/Perch.Server/bin/Release/net10.0/perch-server" "${ENGINE:-Direct}" "$migrate"
done
echo passed
