#!/usr/bin/env bash
# TFTP: a file of 100 MiB, blocks of 1428 bytes and a window of 64, read by atftp from Perch (a port of each transfer's own, and one
# for all), atftpd and tftpd-hpa in turn, round after round. Servers run on processor 0, the client on 1; files are in memory.
# Needs root, and Debian's packages atftp, atftpd and tftpd-hpa; tftpd-hpa has no windows.
#
#   dotnet build -c Release src/Perch.Server && sudo tests/Perch.Benchmarks/tftp.sh [ROUNDS]
set -euo pipefail
rounds=${1:-9}
root=$(cd "$(dirname "$0")/../.." && pwd)
folder=$(mktemp -d -p /dev/shm)
pids=()
cleanup() { [ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true; rm -rf "$folder"; }
trap cleanup EXIT
mkdir "$folder/public"
head -c 104857600 /dev/urandom > "$folder/public/file"
chmod -R a+rX "$folder"

cat > "$folder/appsettings.json" <<'JSON'
{ "Perch": { "Endpoints": {
    "own": { "Port": 27069, "Transport": "Udp", "Protocol": "tftp", "Options": { "AllowWrite": true, "SinglePort": false } },
    "single": { "Port": 27070, "Transport": "Udp", "Protocol": "tftp", "Options": { "SinglePort": true } } } },
  "Kestrel": { "Endpoints": { "Admin": { "Url": "http://127.0.0.1:0" } } } }
JSON
(cd "$folder" && exec taskset -c 0 "$root/src/Perch.Server/bin/Release/net10.0/perch-server" > server.log) & pids+=($!)
taskset -c 0 atftpd --daemon --no-fork --bind-address 127.0.0.1 --port 27071 --user root --group root "$folder/public" & pids+=($!)
taskset -c 0 in.tftpd -L -u nobody -a 127.0.0.1:27072 -s "$folder/public" & pids+=($!)
until grep -q 'Now listening' "$folder/server.log" 2>/dev/null; do sleep 0.2; done
atftp --option "blksize 1428" --option "windowsize 16" -p -l "$folder/public/file" -r file 127.0.0.1 27069 > /dev/null 2>&1

# The processor time of a process and its children, in hundredths of a second; tftpd-hpa takes its children's too late.
spent() { local fields; read -ra fields < "/proc/$1/stat"; echo $((fields[13] + fields[14] + fields[15] + fields[16])); }

# measure NAME PORT PID
measure() {
  local begin cpu
  rm -f "$folder/got"
  cpu=$(spent "$3"); begin=$(date +%s%N)
  taskset -c 1 atftp --option "blksize 1428" --option "windowsize 64" -g -l "$folder/got" -r file 127.0.0.1 "$2" > /dev/null 2>&1
  echo "$1 $(( ($(date +%s%N) - begin) / 1000000 )) $(( ($(spent "$3") - cpu) * 10 ))" >> "$folder/results"
  cmp "$folder/got" "$folder/public/file"
}

for round in $(seq 0 "$rounds"); do
  # The first warms up.
  [ "$round" != 1 ] || rm "$folder/results"
  measure perch 27069 "${pids[0]}"
  measure atftpd 27071 "${pids[1]}"
  measure perch-single-port 27070 "${pids[0]}"
  measure tftpd-hpa 27072 "${pids[2]}"
done

python3 - "$folder/results" <<'PYTHON'
import statistics, sys
rows = [line.split() for line in open(sys.argv[1])]
times = {name: [int(ms) for n, ms, _ in rows if n == name] for name, _, _ in rows}
cpu = {name: statistics.median(int(ms) for n, _, ms in rows if n == name) for name in times}
print("| server | ms | ratio to atftpd (least to most) | server CPU ms |\n|---|---:|---:|---:|")
for name, values in times.items():
    ratios = [a / b for a, b in zip(values, times["atftpd"])]
    print(f"| {name} | {statistics.median(values):.0f} | {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) | {f'{cpu[name]:.0f}' if cpu[name] else ''} |")
PYTHON
