#!/usr/bin/env bash
# Ends the server while numbered records and files are sent at full rate, and compares what was acknowledged with what is stored:
# kill -9, SIGTERM, and SIGSTOP with SIGCONT, for records in SQLite and PostgreSQL; kill -9 of PostgreSQL; cut uploads; then disks
# that are full and syncs that fail (EIO by strace), several times. Prints the results of the tests, and "passed" or "failed" last.
# Needs the programs that the tests need: postgres, strace, mount; root for the last part.
#
#   tests/acceptance/kill-loops.sh            # 100 ends of each kind with SQLite, 25 with PostgreSQL, 5 rounds of disk faults
#   KILLS=400 ROUNDS=20 tests/acceptance/kill-loops.sh
set -euo pipefail
cd "$(dirname "$0")/../.."
trap '[ $? = 0 ] || echo failed' EXIT
PATH=$PATH:$(echo /usr/lib/postgresql/*/bin)
export CI=true DOTNET_NOLOGO=1 PERCH_KILLS=${KILLS:-100}

dotnet build -c Release tests/Perch.FunctionalTests --nologo -v quiet
tests() { dotnet test --no-build -c Release tests/Perch.FunctionalTests --filter "$1" --nologo | tail -n 1; }
tests 'FullyQualifiedName~KillTests|FullyQualifiedName~FileCutTests'
for _ in $(seq "${ROUNDS:-5}"); do
  PERCH_KILLS=5 tests 'FullyQualifiedName~DiskFullTests|FullyQualifiedName~SyncErrorTests|FullyQualifiedName~FileSyncErrorTests|FullyQualifiedName~PostgresFaultTests'
done
echo passed
